"""What Ray Tune runs in an actor: trials one after another in one process, the data read once.

A trial that fails by its own fault ends with the reason as its last result: Tune would take the whole actor down for
an exception, and starting another takes seconds.
"""

from __future__ import annotations

import importlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray.train._internal.session import (
    _TrainingResult,  # pyright: ignore[reportPrivateUsage] -- what Trainable.save() has to give
)
from ray.tune import Checkpoint, Trainable

from mlvision.errors import Stopped
from mlvision.search.trial import DataCache, Report, Task

END, REASON, NOTE = "mlv_end", "mlv_reason", "mlv_note"
LEFT = "mlv_left"
"""The result of a process that was told to leave; its trial goes on in another."""


class Trials(Trainable):
    """Runs the trial of its configuration; ``reset_config`` gives it the next one."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin with the first trial."""
        self._cache = DataCache()
        # Ray's own would end the process within a step.
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._cache.stop.set())
        self._limit_threads(config["cpus"])
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial."""
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Give the next epoch, or how the trial ended."""
        try:
            report = next(self._reports, None)
        except Stopped as stopped:
            note = f"its process was told to leave (SIGTERM); another goes on within epoch {stopped.epoch}"
            return {LEFT: True, NOTE: note, "epoch": self._epoch}
        except Exception as error:
            return {"done": True, END: "failed", REASON: _reason(error), "epoch": self._epoch}
        if report is None:
            return {"done": True, END: "finished", "epoch": self._epoch}
        self._epoch = report.epoch
        said: dict[str, Any] = {NOTE: report.note} if report.note else {}
        if report.is_last:
            said |= {"done": True, END: "finished"}
        return {"epoch": report.epoch, "seconds": report.seconds, "metrics": dict(report.metrics), **said}

    def save(self, checkpoint_dir: str | None = None) -> Any:  # noqa: ARG002
        """Give Tune an empty folder: a trial's own checkpoint is written before an epoch is reported.

        Tune's own way copies into its folder on the driver's machine, which a worker on another does not have.
        """
        return _TrainingResult(checkpoint=Checkpoint.from_directory(_nothing()), metrics=dict(self._last_result or {}))

    def restore(self, checkpoint_path: Any) -> None:
        """Take up Tune's counters; a trial looks for its own checkpoint when it begins."""
        _nothing()
        super().restore(checkpoint_path)

    def load_checkpoint(self, checkpoint: object) -> None:
        """Do nothing."""

    def _begin(self, config: dict[str, Any]) -> None:
        task = Task(**config["task"])
        self._epoch = task.known
        self._reports = _runner(config["runner"])(task, self._cache)

    def _limit_threads(self, cpus: float) -> None:
        import torch

        torch.set_num_threads(max(1, int(cpus)))


def _nothing() -> str:
    """Give an empty folder that has the same path on every machine."""
    folder = Path(tempfile.gettempdir(), "mlv-tune-nothing")
    folder.mkdir(exist_ok=True)
    return str(folder)


def _runner(name: str) -> Any:
    """Find ``module:function``, which takes a task and the cache and gives reports."""
    module, _, function = name.partition(":")

    def late(task: Task, cache: DataCache) -> Iterator[Report]:
        # Within the first step, so that a runner that cannot be imported fails its trial with a reason.
        yield from getattr(importlib.import_module(module), function)(task, cache)

    return late


def _reason(error: Exception) -> str:
    from mlvision.tracking_reason import describe, locate

    where = locate(error)
    return describe(error) + (f" ({where})" if where else "")
