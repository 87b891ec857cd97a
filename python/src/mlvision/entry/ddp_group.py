"""One attempt of a training on several processes: start them on Ray Train, pass on what they say, judge the end."""

from __future__ import annotations

import collections
import inspect
import json
import os
import signal
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import ray
from ray import cloudpickle

from mlvision.entry import ddp_worker, guard, worker
from mlvision.entry.ddp import PEER_LOST, STOPPED
from mlvision.entry.ddp_worker import GOOD_ENDS, Item
from mlvision.entry.output import Output
from mlvision.entry.stopping import Stopping
from mlvision.events import EventWriter

_LINES = 8  # of a process that failed


@dataclass(frozen=True)
class Work:
    """What the processes run, and what each needs; ``spreads`` is Ray's name for how they are placed."""

    variables: dict[str, str]
    credentials: str
    python: str | None
    cpus: float
    gpus: float
    is_one_machine: bool
    spreads: str
    runtime_env: dict[str, Any] | None = None


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: ``code`` as of one process, who failed first, who was told to leave."""

    code: int
    blame: str | None = None
    lost: int = 0
    preempted: tuple[int, ...] = ()


@dataclass
class _Process:
    machine: str = "?"
    rest: bytes = b""
    tail: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=_LINES))


class Group:
    """So many processes, from asking for their places to the end of the last one."""

    def __init__(
        self, work: Work, world: int, output: Output, events: EventWriter, *, is_measured: bool = False
    ) -> None:
        self._work, self._world, self._output, self._events = work, world, output, events
        self._processes = [_Process() for _ in range(world)]
        self._ends: list[tuple[int, int]] = []
        self._is_measured = is_measured
        self.epochs: list[dict[str, Any]] = []
        """The events of epochs, where they are measured rather than passed on."""
        self._error: BaseException | None = None
        for module in (worker, ddp_worker):
            cloudpickle.register_pickle_by_value(module)
        self._board = cast("Any", ray.remote(ddp_worker.Board)).options(num_cpus=0, max_concurrency=1000).remote()

    def run(self, stopping: Stopping) -> Ended:
        """Pass on what the processes print until all have ended."""
        with tempfile.TemporaryDirectory(prefix="mlv-ddp-") as folder:
            fit = threading.Thread(target=self._fit, args=(Path(folder),), daemon=True)
            fit.start()
            stopping.tell(lambda letter: self._board.post.remote(letter))
            try:
                while fit.is_alive():
                    self._take(0.25)
                    if stopping.requested.is_set() and all(process.machine == "?" for process in self._processes):
                        return Ended(-signal.SIGTERM)
                self._take(0)
            finally:
                stopping.tell(None)
                ray.kill(self._board)
        return self._judge()

    def _fit(self, folder: Path) -> None:
        # Ray Train's controller looks after its workers so often; a training may end sooner than in two seconds.
        os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
        from ray.train import RunConfig, ScalingConfig
        from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

        work = self._work
        config: dict[str, Any] = {
            "board": self._board,
            "argv": ["python", "-m", "mlvision.entry.ddp", "--job"],
            "guard": inspect.getsource(guard),
            "folder": os.getcwd(),
            "variables": work.variables | ({"MLV_DDP_STORE": str(folder / "store")} if work.is_one_machine else {}),
            "credentials": work.credentials,
            "python": work.python,
            "is_one_machine": work.is_one_machine,
        }
        try:
            DataParallelTrainer(
                ddp_worker.train_worker,
                train_loop_config=config,
                scaling_config=ScalingConfig(
                    num_workers=self._world,
                    use_gpu=work.gpus > 0,
                    resources_per_worker={"CPU": work.cpus} | ({"GPU": work.gpus} if work.gpus else {}),
                    placement_strategy=work.spreads,
                ),
                run_config=RunConfig(name="ddp", storage_path=str(folder), worker_runtime_env=work.runtime_env),
            ).fit()
        except BaseException as error:
            self._error = error

    def _take(self, patience: float) -> None:
        for rank, item in cast("list[Item]", ray.get(self._board.take.remote(patience))):
            process = self._processes[rank]
            if isinstance(item, str):
                process.machine = item
                message = f"Process {rank} of {self._world} runs on {item}."
                self._events.emit("state", state="running", message=message)
            elif isinstance(item, bytes):
                self._print(rank, item)
            else:
                self._print(rank, b"\n" if process.rest else b"")
                self._ends.append((rank, item))

    def _print(self, rank: int, chunk: bytes) -> None:
        """Pass on whole lines: two processes may be in the midst of one each."""
        process = self._processes[rank]
        whole, newline, process.rest = (process.rest + chunk).rpartition(b"\n")
        for line in whole.split(b"\n") if newline else []:
            if self._is_measured and line.startswith(b"@mlv "):
                event = json.loads(line[5:])
                if event["event"] == "epoch":
                    self.epochs.append(event)
                if event["event"] not in ("state", "failed"):
                    continue
            self._output.pass_on((b"" if rank == 0 else b"[process %d] " % rank) + line + b"\n")
            if not line.startswith(b"@mlv ") and line.strip():
                process.tail.append(line.decode(errors="replace").rstrip())

    def _judge(self) -> Ended:
        codes = dict(self._ends)
        if self._error is None and all(code in GOOD_ENDS for code in codes.values()):
            told = tuple(rank for rank, code in self._ends if code == STOPPED)
            return Ended(STOPPED if told else 0, preempted=told)
        failed = [(rank, code) for rank, code in self._ends if code not in GOOD_ENDS and code != PEER_LOST]
        silent = [rank for rank in range(self._world) if rank not in codes]
        if failed:
            rank, code = failed[0]
            killed = [one for one, how in failed if how < 0]
            return Ended(code, self._blame(rank, code), lost=len(killed))
        # A worker that died with its machine could not say so; who has lost it has.
        gone = self._dead_workers() or silent or [rank for rank, _ in self._ends]
        return Ended(-signal.SIGKILL, self._blame(gone[0], None), lost=len(gone))

    def _dead_workers(self) -> list[int]:
        failures = cast("dict[int, BaseException]", getattr(self._error, "worker_failures", {}))
        return [rank for rank in failures if rank not in dict(self._ends)]

    def _blame(self, rank: int, code: int | None) -> str:
        process = self._processes[rank]
        if code is None:
            how = "its Ray worker is gone"
        elif code < 0:
            how = f"it was killed by {signal.Signals(-code).name}"
        else:
            how = f"it ended with exit code {code}"
        lines = " / ".join(process.tail)
        said = f"Its last lines: {lines}" if lines else "It had printed nothing."
        return f"Process {rank} of {self._world} on {process.machine} was the first to fail: {how}. {said}"
