"""What a training run tells those who watch it: the console, MLflow, a test.

The loop calls a callback from the thread that trains, in this order::

    on_start [on_resumed] (on_progress* on_epoch [on_checkpoint])* then one of
    on_end | on_stopped | on_failure

``on_checkpoint`` of an interrupted run comes just before ``on_stopped``. A failure before the model
exists (no data, say) is an ``on_failure`` without an ``on_start``. Epochs count from 1. Nothing that
is handed over may be changed by who receives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from mlvision.config import TrainConfig
from mlvision.data.dataset import ImageData
from mlvision.evaluate import Evaluation


@dataclass(frozen=True, slots=True)
class Started:
    """Training is about to begin; ``parameters`` is how many numbers the model learns."""

    config: TrainConfig
    data: ImageData
    model: nn.Module
    parameters: int
    device: str
    precision: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """A checkpoint was taken up. ``epoch`` epochs and ``step`` steps of the next one are done.

    ``unreadable`` are newer checkpoints that could not be read and were passed over. Where that left none,
    ``checkpoint`` is ``None`` and the run begins anew.
    """

    epoch: int
    step: int
    checkpoint: str | None
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """Within an epoch, at most once a second: ``step`` of ``steps`` are done."""

    epoch: int
    step: int
    steps: int
    images_per_second: float


@dataclass(frozen=True, slots=True)
class Best:
    """The best epoch so far and its value of the watched metric (``early_stop.metric``)."""

    epoch: int
    value: float


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """An epoch is over.

    ``metrics`` has ``train_loss``, ``val_loss``, ``val_accuracy`` (0-1) and ``lr`` (that of the last
    step). ``seconds`` is the whole epoch with its validation, ``images_per_second`` training alone.
    """

    epoch: int
    epochs: int
    seconds: float
    images_per_second: float
    metrics: Mapping[str, float]
    best: Best


@dataclass(frozen=True, slots=True)
class CheckpointWritten:
    """A checkpoint is safe. ``epoch`` epochs and ``step`` steps of the next are in it."""

    epoch: int
    step: int
    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Training is over, by its last epoch or because it got no better.

    ``model`` has the weights of the best epoch; it is on the CPU, in evaluation mode, and takes raw
    images (uint8 or float, 0-255, N x C x H x W). ``evaluation`` is on the test images. ``metrics``
    has ``test_accuracy`` and ``test_loss``. ``history`` also has the epochs before an interruption.
    """

    model: nn.Module
    data: ImageData
    evaluation: Evaluation
    metrics: Mapping[str, float]
    history: tuple[EpochEnded, ...]
    best: Best
    epochs_run: int
    stopped_early: bool


@dataclass(frozen=True, slots=True)
class StoppedRun:
    """Somebody asked to stop. The checkpoint, if a folder was given, holds all that was done."""

    reason: str
    epoch: int
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ends by an error; ``epoch`` is the one that was going on, 0 before the first."""

    error: BaseException
    epoch: int


class Callback(Protocol):
    """Watches a run. Inherit from it and override what is of interest; the rest does nothing."""

    def on_start(self, event: Started) -> None:
        """Take note of what is going to be trained, on which data and where."""

    def on_resumed(self, event: Resumed) -> None:
        """Take note that this run goes on from a checkpoint."""

    def on_progress(self, event: Progress) -> None:
        """Show how far the epoch is."""

    def on_epoch(self, event: EpochEnded) -> None:
        """Record the metrics of an epoch."""

    def on_checkpoint(self, event: CheckpointWritten) -> None:
        """Take note of a checkpoint."""

    def on_end(self, event: Finished) -> None:
        """Keep the model and show how good it is."""

    def on_stopped(self, event: StoppedRun) -> None:
        """Take note that the run was asked to stop."""

    def on_failure(self, event: Failed) -> None:
        """Take note of why the run failed; the error is raised again afterwards."""


class Callbacks(Callback):
    """Passes each event on to several callbacks, in their order."""

    def __init__(self, members: Sequence[Callback]) -> None:
        self._members = tuple(members)

    def on_start(self, event: Started) -> None:
        """Tell everyone."""
        self._tell(lambda member: member.on_start(event))

    def on_resumed(self, event: Resumed) -> None:
        """Tell everyone."""
        self._tell(lambda member: member.on_resumed(event))

    def on_progress(self, event: Progress) -> None:
        """Tell everyone."""
        self._tell(lambda member: member.on_progress(event))

    def on_epoch(self, event: EpochEnded) -> None:
        """Tell everyone."""
        self._tell(lambda member: member.on_epoch(event))

    def on_checkpoint(self, event: CheckpointWritten) -> None:
        """Tell everyone."""
        self._tell(lambda member: member.on_checkpoint(event))

    def on_end(self, event: Finished) -> None:
        """Tell everyone."""
        self._tell(lambda member: member.on_end(event))

    def on_stopped(self, event: StoppedRun) -> None:
        """Tell everyone."""
        self._tell(lambda member: member.on_stopped(event))

    def on_failure(self, event: Failed) -> None:
        """Tell everyone, also when one of them fails meanwhile: the first error is the one to see."""
        for member in self._members:
            try:
                member.on_failure(event)
            except Exception as error:
                event.error.__context__ = event.error.__context__ or error

    def _tell(self, call: Callable[[Callback], None]) -> None:
        for member in self._members:
            call(member)
