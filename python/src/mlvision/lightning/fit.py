"""``Trainer.fit``, an epoch at a time: it trains in a thread that waits after each epoch to be asked for the next.

An epoch is given when its checkpoint is written. Checkpoints are Lightning's own files inside mlvision's, so that a
damaged one is noticed and passed over.
"""

from __future__ import annotations

import inspect
import logging
import math
import queue
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch

from mlvision.checkpoint import CheckpointFolder
from mlvision.errors import CheckpointMismatch, LossNotFinite
from mlvision.lightning.build import build, build_trainer
from mlvision.lightning.config import LightningConfig
from mlvision.storage import Place

_KEEP = 2
_PATIENCE = 60.0  # seconds that a training may take to hear that nobody wants another epoch


@dataclass(frozen=True)
class LightningEpoch:
    """An epoch that is over and safe."""

    epoch: int
    seconds: float
    metrics: dict[str, float]
    is_last: bool


class LightningFit:
    """One training, on from a checkpoint in ``folder`` where there is one."""

    def __init__(self, config: LightningConfig, folder: Place | None) -> None:
        self.config = config
        self.module, self.data, self.package = build(config)
        self.history: list[LightningEpoch] = []
        self.unreadable: tuple[str, ...] = ()
        self.resumed_from: str | None = None
        self.best: LightningEpoch | None = None
        self.best_weights: dict[str, Any] = {}
        self._folder = CheckpointFolder(folder, _KEEP) if folder else None
        self._said: queue.SimpleQueue[LightningEpoch | BaseException | None] = queue.SimpleQueue()
        self._asked = threading.Semaphore(0)
        self._is_over = False
        self._began = 0.0
        self._file: bytes | None = None
        self._take_up()

    @property
    def parameters(self) -> int:
        """How many numbers the model learns."""
        return sum(one.numel() for one in self.module.parameters() if one.requires_grad)

    @property
    def is_done(self) -> bool:
        """Whether an earlier attempt trained the last epoch."""
        return bool(self.history) and (self.history[-1].is_last or len(self.history) >= self.config.epochs)

    def epochs(self) -> Iterator[LightningEpoch]:
        """Train; the epochs of the checkpoint are in ``history`` and not given again."""
        if self.is_done:
            return
        thread = threading.Thread(target=self._train, name="lightning", daemon=True)
        thread.start()
        try:
            while True:
                self._asked.release()
                said = self._said.get()
                if isinstance(said, BaseException):
                    raise said
                if said is None:
                    return
                yield said
                if said.is_last:
                    break
        except GeneratorExit:
            self._leave(thread)
            raise
        self._leave(thread)

    def _leave(self, thread: threading.Thread) -> None:
        """Let the training end where it waits."""
        self._is_over = True
        self._asked.release()
        thread.join(_PATIENCE)

    def ended(self, trainer: Any) -> None:
        """Note an epoch; called in the thread that trains."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if value.numel() == 1}
        number = trainer.current_epoch + 1
        for name, value in metrics.items():
            if not math.isfinite(value) and (name == self.config.metric or "loss" in name):
                raise LossNotFinite(f"{name} became {value} in epoch {number}; a lower learning rate helps.")
        is_last = number >= self.config.epochs or bool(trainer.should_stop)
        one = LightningEpoch(number, time.perf_counter() - self._began, metrics, is_last)
        self.history.append(one)
        self._note_best(one)
        self._write(trainer, number)
        self._said.put(one)
        self._asked.acquire()
        if self._is_over:
            trainer.should_stop = True
        self._began = time.perf_counter()

    def restore_best(self) -> Any:
        """Give the module with the weights of its best epoch, on the CPU."""
        self.module.cpu().eval().load_state_dict(self.best_weights)
        self.module.trainer = None
        return self.module

    def _note_best(self, one: LightningEpoch) -> None:
        if self.best is None or self._score(one) > self._score(self.best):
            self.best = one
            self.best_weights = {
                name: tensor.detach().cpu().clone() for name, tensor in self.module.state_dict().items()
            }

    def _score(self, one: LightningEpoch) -> float:
        value = one.metrics.get(self.config.metric, math.nan)
        return -math.inf if math.isnan(value) else value if self.config.mode == "max" else -value

    def _write(self, trainer: Any, number: int) -> None:
        if self._folder is None:
            return
        with tempfile.TemporaryDirectory(prefix="mlv-lightning-") as folder:
            path = Path(folder) / "last.ckpt"
            trainer.save_checkpoint(path)
            content = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
        best = {"epoch": self.best.epoch if self.best else 0, "weights": self.best_weights}
        self._folder.save(
            {"config": self._fixed(), "file": content, "history": [asdict(one) for one in self.history], "best": best},
            number,
            0,
        )

    def _take_up(self) -> None:
        found = self._folder.newest() if self._folder else None
        if found is None:
            return
        self.unreadable, self.resumed_from = found.unreadable, found.path
        if (content := found.content) is None:
            return
        if content["config"] != self._fixed():
            raise CheckpointMismatch("the checkpoint belongs to a training with other settings.")
        self.history = [LightningEpoch(**one) for one in cast("list[dict[str, Any]]", content["history"])]
        self.best = next((one for one in self.history if one.epoch == content["best"]["epoch"]), None)
        self.best_weights = content["best"]["weights"]
        self._file = content["file"].numpy().tobytes()

    def _fixed(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude={"device", "trainer"})

    def _train(self) -> None:
        try:
            self._asked.acquire()
            for name in ("lightning.pytorch", "pytorch_lightning", "lightning.fabric", "lightning_fabric"):
                logging.getLogger(name).setLevel(logging.ERROR)
            warnings.filterwarnings("ignore", module=r"(lightning|pytorch_lightning|torch\.utils)\..*")
            with tempfile.TemporaryDirectory(prefix="mlv-lightning-") as folder:
                trainer = build_trainer(self.config, self.package, _watcher(self, self.package), folder)
                start: dict[str, Any] = {}
                if self._file is not None:
                    path = Path(folder) / "start.ckpt"
                    path.write_bytes(self._file)
                    # Our own file, whose every byte was checked; it may hold the user's hyperparameters of any type.
                    start = {"ckpt_path": str(path)}
                    if "weights_only" in inspect.signature(trainer.fit).parameters:
                        start["weights_only"] = False
                torch.manual_seed(self.config.seed + len(self.history))
                self._began = time.perf_counter()
                trainer.fit(self.module, datamodule=self.data, **start)
        except BaseException as error:
            self._said.put(error)
        else:
            self._said.put(None)


def _watcher(fit: LightningFit, package: Any) -> Any:
    # A Checkpoint: Lightning calls those last, when every metric of the epoch is known.
    class Watcher(package.callbacks.Checkpoint):
        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
            torch.manual_seed(fit.config.seed + trainer.current_epoch)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
            fit.ended(trainer)

    return Watcher()
