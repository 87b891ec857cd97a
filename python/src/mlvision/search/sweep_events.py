"""Tells the follower of a job how a sweep goes, see ``events``."""

from __future__ import annotations

import time

from mlvision.events import EventWriter
from mlvision.search.records import TrialRecord
from mlvision.search.settings import SearchSettings

_PAUSE = 0.5  # seconds between two words about a trial that runs


class SweepEvents:
    """A line when a trial begins and ends, and now and then between."""

    def __init__(self, events: EventWriter, settings: SearchSettings, epochs: int) -> None:
        self._events, self._settings, self._epochs = events, settings, epochs
        self._said: dict[int, float] = {}

    def changed(self, record: TrialRecord) -> None:
        """Say it."""
        now = time.monotonic()
        is_first = record.number not in self._said
        if record.state == "running" and not is_first and now - self._said[record.number] < _PAUSE:
            return
        self._said[record.number] = now
        metric, mode = self._settings.metric, self._settings.mode
        self._events.emit(
            "trial",
            trial=record.number,
            state=record.state,
            epoch=record.last_epoch,
            epochs=self._epochs,
            value=record.epochs[-1].metrics.get(metric) if record.epochs else None,
            best=record.value(metric, mode),
            seconds=round(sum(one.seconds for one in record.epochs), 3),
            params=record.params if is_first or record.state != "running" else None,
            reason=record.reason,
        )
