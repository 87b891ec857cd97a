"""The work on Ray: is there a machine for it, run it there, and run it again when that machine dies."""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
import signal
from typing import Any, cast

import ray
from ray import cloudpickle
from ray.exceptions import RayActorError, RayError, RayTaskError

from mlvision.entry import guard, worker
from mlvision.entry.output import Output
from mlvision.entry.spec import VARIABLE, JobSpec, work_environment
from mlvision.entry.stopping import Stopping
from mlvision.events import EventWriter

_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"
_GROWS = "MLV_RAY_GROWS"
_PATIENCE = 2.0  # seconds without a machine, then the reason is said
# What kills a process without its fault: out of memory, a preempted or broken machine.
_NOT_ITS_FAULT = frozenset({-signal.SIGKILL, -signal.SIGBUS, -signal.SIGSEGV})
_MODULES = {"mlvision": "mlvision.entry.train", "lightning": "mlvision.entry.lightning"}


class CannotRun(Exception):
    """No machine of this cluster can ever run the job."""


class Died(Exception):
    """The work died with its machine or its process, and no retry is left."""


def run_work(
    spec: JobSpec,
    output: Output,
    events: EventWriter,
    stopping: Stopping,
    *,
    environment: dict[str, Any] | None = None,
    module: str | None = None,
) -> int:
    """Run the work and give its exit code, or -signal; raise when it cannot run or died too often.

    ``environment`` is the job's, where the driver is connected already; ``module`` is what trains.
    """
    environment = connect() if environment is None else environment
    module = module or _MODULES.get(spec.work.type, "")
    stopping.take_signals()
    check_fit(spec)
    attempts = spec.retries + 1
    for attempt in range(1, attempts + 1):
        try:
            return _Attempt(spec, environment, output, events, stopping, module).run(f"{attempt} of {attempts}")
        except Died as death:
            if stopping.requested.is_set():
                return -signal.SIGTERM
            if attempt == attempts:
                raise
            message = f"{death} Attempt {attempt + 1} of {attempts} goes on from the last checkpoint."
            events.emit("state", state="recovering", message=message)
    raise AssertionError("unreachable")


def connect(*, with_code: bool = False) -> dict[str, Any]:
    """Connect to the head; give the runtime environment that the job was submitted with.

    The job's own processes get none of it from Ray: a worker in the default environment is already
    there, or starts 0.6 s sooner (Ray 2.60, 2 cores, n=4), and the variables are passed by us. With
    ``with_code`` they get the job's files and mlvision, for actors that import it; never the job's spec.
    """
    config = cast("dict[str, Any]", json.loads(os.environ.get(_CONFIG, "{}")))
    environment = cast("dict[str, Any]", config.pop("runtime_env", {}))
    variables = {key: value for key, value in (environment.get("env_vars") or {}).items() if key != VARIABLE}
    passed = environment | {"env_vars": variables} if with_code else {}
    os.environ[_CONFIG] = json.dumps(config | {"runtime_env": passed})
    ray.init(
        address=os.environ.get("RAY_ADDRESS", "auto"),
        log_to_driver=False,
        logging_level=logging.WARNING,
    )
    return environment


def brings(environment: dict[str, Any]) -> dict[str, Any]:
    """Give what Ray has to bring to the work: mlvision where it is sent along, the job's files to other machines."""
    is_here = _GROWS not in os.environ and len(machines()) == 1
    names = ["py_modules"] if is_here else ["working_dir", "py_modules"]
    return {name: environment[name] for name in names if environment.get(name)}


def machines() -> list[dict[str, float]]:
    """Give what each machine has; of a cluster that grows, all that there may be at once."""
    if grows := os.environ.get(_GROWS):
        shapes = cast("list[dict[str, float]]", json.loads(grows))
        return [{"CPU": one["cpus"], "GPU": one["gpus"]} for one in shapes for _ in range(int(one["count"]))]
    nodes = cast("list[dict[str, Any]]", ray.nodes())
    return [node["Resources"] for node in nodes if node["Alive"]]


def _asks(spec: JobSpec) -> str:
    cpus, gpus = spec.resources.cpus, spec.resources.gpus
    return f"{cpus:g} CPU{'s' if cpus != 1 else ''}" + (f" and {gpus:g} GPU{'s' if gpus != 1 else ''}" if gpus else "")


def check_fit(spec: JobSpec) -> None:
    """Refuse what no machine can ever run."""
    need = {"CPU": spec.resources.cpus, "GPU": spec.resources.gpus}
    there = machines()
    if any(all(machine.get(kind, 0) >= count for kind, count in need.items()) for machine in there):
        return
    largest = ", ".join(f"{max(m.get(kind, 0) for m in there):g} {kind}s" for kind in need)
    raise CannotRun(f"The job asks for {_asks(spec)} on one machine; the most that one has here is {largest}.")


class _Attempt:
    """One actor, from asking for it to the end of the work."""

    def __init__(
        self,
        spec: JobSpec,
        environment: dict[str, Any],
        output: Output,
        events: EventWriter,
        stopping: Stopping,
        module: str,
    ) -> None:
        self._spec = spec
        self._output = output
        self._events = events
        self._stopping = stopping
        options: dict[str, Any] = {
            "num_cpus": spec.resources.cpus,
            "num_gpus": spec.resources.gpus,
            "max_concurrency": 2,
            "max_restarts": 0,
        }
        if brought := brings(environment):
            options["runtime_env"] = brought
        variables = {key: str(value) for key, value in (environment.get("env_vars") or {}).items()}
        variables |= work_environment(spec)
        if "RAY_ADDRESS" in os.environ:
            variables["RAY_ADDRESS"] = os.environ["RAY_ADDRESS"]
        if spec.work.type == "command":
            argv = spec.work.argv
            variables.pop(VARIABLE, None)
        else:
            argv = ["python", "-m", module, "--job"]
            # A sweep's last training is not the job that was submitted.
            variables[VARIABLE] = spec.to_json()
        cloudpickle.register_pickle_by_value(worker)
        self._actor = (
            cast("Any", ray.remote(worker.Worker))
            .options(**options)
            .remote(argv, inspect.getsource(guard), os.getcwd(), variables, spec.credentials_file, spec.python)
        )

    def run(self, which: str) -> int:
        """Pass on what the work prints until it ends."""
        stream = self._actor.run.options(num_returns="streaming").remote()
        self._stopping.tell(lambda letter: self._actor.stop.remote(letter))
        try:
            if not self._wait_for_machine(stream):
                return -signal.SIGTERM
            for reference in stream:
                item = cast("str | bytes | int", ray.get(reference))
                if isinstance(item, bytes):
                    self._output.pass_on(item)
                elif isinstance(item, str):
                    message = f"Running on {item}, attempt {which}."
                    self._events.emit("state", state="running", message=message)
                else:
                    return self._judge(item)
        except RayTaskError:
            raise
        except RayActorError as error:
            raise Died(f"The Ray worker died: {_first_line(error)}") from error
        except RayError as error:
            raise Died(f"Ray lost the work: {_first_line(error)}") from error
        finally:
            self._stopping.tell(None)
            ray.kill(self._actor)
        raise Died("The Ray worker ended without a word.")

    def _wait_for_machine(self, stream: object) -> bool:
        """Wait until the actor runs; give False when the job is stopped before."""
        waited, said = 0.0, ""
        while not ray.wait([stream], timeout=0.25)[0]:
            if self._stopping.requested.is_set():
                return False
            waited += 0.25
            if waited >= _PATIENCE and (message := self._why()) != said:
                self._events.emit("state", state="provisioning", message=message)
                said = message
        return True

    def _why(self) -> str:
        free = cast("dict[str, float]", ray.available_resources())
        asked = {"CPU": self._spec.resources.cpus, "GPU": self._spec.resources.gpus}
        names = [name for name, count in asked.items() if count or name == "CPU"]
        if all(free.get(name, 0) >= asked[name] for name in names):
            return "There is room; a worker is starting."
        total = cast("dict[str, float]", ray.cluster_resources())
        parts = [f"{free.get(name, 0):g} of {total.get(name, 0):g} {name}s are free" for name in names]
        return f"Waiting for {_asks(self._spec)}: {', '.join(parts)}."

    def _judge(self, code: int) -> int:
        """Give the exit code, or call mlvision's training dead when something killed it."""
        if self._spec.work.type in {"mlvision", "lightning"} and code in _NOT_ITS_FAULT:
            raise Died(f"The training process was killed by {signal.Signals(-code).name}.")
        return code


def _first_line(error: Exception) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
