"""One trial, an epoch at a time: the same loop as any training, with its checkpoints in the trial's own folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlvision.callbacks import Callback, EpochEnded, Resumed
from mlvision.config import DataConfig, parse_config
from mlvision.data.dataset import ImageData
from mlvision.data.load import load_data
from mlvision.loop import Training


@dataclass(frozen=True)
class Task:
    """What a trial runs with; ``known`` is the last epoch that the sweep has on record."""

    number: int
    config: Mapping[str, Any]
    folder: str
    known: int


@dataclass(frozen=True)
class Report:
    """An epoch of a trial; ``is_last`` when none follows. ``note`` is something that a person should know."""

    epoch: int
    seconds: float
    metrics: Mapping[str, float]
    is_last: bool
    note: str | None = None


class DataCache:
    """What the trials of a process share: the data set, read once for all that want the same, and the word to stop."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        """Set when the process is told to leave: a trial ends with a checkpoint (``Stopped``)."""
        self._key: object = None
        self._data: ImageData | None = None

    def get(self, config: DataConfig) -> ImageData:
        """Give the data; how images are varied is the trial's own affair."""
        key = config.model_dump(exclude={"augment"})
        if self._data is None or key != self._key:
            self._data, self._key = load_data(config), key
        return self._data


def passed_over(unreadable: Sequence[str], epoch: int | None) -> str:
    """Say which checkpoints were of no use, and from what epoch the trial went on; None: it began anew."""
    instead = "it began anew" if epoch is None else f"the one before, of epoch {epoch}, was taken"
    return f"the checkpoint {', '.join(unreadable)} could not be read; {instead}"


class _History(Callback):
    """Remembers what was done before this process took the trial up."""

    def __init__(self) -> None:
        self.training: Training | None = None
        self.before: list[EpochEnded] = []
        self.note: str | None = None

    def on_resumed(self, event: Resumed) -> None:
        """Take the epochs of the checkpoint, which the sweep may not have heard of."""
        assert self.training is not None
        self.before = list(self.training.state.history)
        if event.unreadable:
            self.note = passed_over(event.unreadable, event.epoch if event.checkpoint else None)


def run_trial(task: Task, cache: DataCache) -> Iterator[Report]:
    """Train, and report each epoch that the sweep does not know; every one is safe in a checkpoint by then."""
    config = parse_config(task.config)
    watch = _History()
    training = Training(config, cache.get(config.data), watch, task.folder, cache.stop)
    watch.training = training

    def report(ended: EpochEnded, *, is_last: bool) -> Report:
        note, watch.note = watch.note, None
        return Report(ended.epoch, ended.seconds, ended.metrics, is_last, note)

    def missing(*, is_last: bool) -> Iterator[Report]:
        before, watch.before = [one for one in watch.before if one.epoch > task.known], []
        for one in before:
            yield report(one, is_last=is_last and one is before[-1])

    for ended in training.epochs():
        yield from missing(is_last=False)
        if ended.epoch > task.known:
            yield report(ended, is_last=ended.epoch == config.epochs or training.state.is_exhausted)
    yield from missing(is_last=True)
