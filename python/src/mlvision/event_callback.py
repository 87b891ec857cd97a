"""Tells the follower of a job how the training goes, see ``events``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from mlvision.callbacks import (
    Callback,
    CheckpointWritten,
    EpochEnded,
    Failed,
    Finished,
    Progress,
    Resumed,
    Started,
    StoppedRun,
)
from mlvision.events import EventWriter
from mlvision.tracking_reason import describe, locate

if TYPE_CHECKING:
    from mlvision.registry import SavedModel


class EventCallback(Callback):
    """Writes each event of the loop as a line; ``model`` gives the saved model when all is over.

    It must come after the callback that saves the model: its ``result`` is the last word of a job.
    """

    def __init__(self, events: EventWriter, model: Callable[[], SavedModel | None]) -> None:
        self._events = events
        self._model = model

    def on_start(self, event: Started) -> None:
        """Say what is trained, on which data and where."""
        data = event.data
        self._events.emit(
            "start",
            time=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            model=event.config.model.name,
            parameters=event.parameters,
            device=event.device,
            dataset=data.name,
            images={"train": len(data.train), "val": len(data.val), "test": len(data.test)},
            epochs=event.config.epochs,
        )

    def on_resumed(self, event: Resumed) -> None:
        """Say from where training goes on, and which checkpoints were of no use."""
        instead = f"the one before, of epoch {event.epoch}, is taken" if event.checkpoint else "training begins anew"
        for path in event.unreadable:
            message = f"The checkpoint {path} could not be read; {instead}."
            self._events.emit("state", state="running", message=message)
        if event.checkpoint:
            self._events.emit("resumed", epoch=event.epoch, checkpoint=event.checkpoint)

    def on_progress(self, event: Progress) -> None:
        """Say how far the epoch is, at most once a second."""
        self._events.progress(
            epoch=event.epoch,
            step=event.step,
            steps=event.steps,
            images_per_second=round(event.images_per_second, 1),
        )

    def on_epoch(self, event: EpochEnded) -> None:
        """Say how good the model is by now."""
        self._events.emit(
            "epoch",
            epoch=event.epoch,
            epochs=event.epochs,
            seconds=round(event.seconds, 4),
            images_per_second=round(event.images_per_second, 1),
            metrics=dict(event.metrics),
            best=asdict(event.best),
        )

    def on_checkpoint(self, event: CheckpointWritten) -> None:
        """Say that what was done up to here is safe."""
        self._events.emit("checkpoint", epoch=event.epoch, path=str(event.path), bytes=event.bytes)

    def on_end(self, event: Finished) -> None:
        """Say how good the model became, and where it is."""
        model = self._model()
        self._events.emit(
            "result",
            metrics=dict(event.metrics),
            epochs_run=event.epochs_run,
            stopped_early=event.stopped_early,
            model=asdict(model) if model else None,
        )

    def on_stopped(self, event: StoppedRun) -> None:
        """Say that the run did what it was asked to."""
        self._events.emit("stopped", reason=event.reason, epoch=event.epoch)

    def on_failure(self, event: Failed) -> None:
        """Say why the run failed, and where."""
        self._events.emit("failed", error=describe(event.error), where=locate(event.error))
