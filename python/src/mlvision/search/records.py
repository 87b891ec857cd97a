"""The book of a sweep: what each trial was given, reported and came to; it outlives every process.

Each trial is a file ``trial-00007.jsonl`` in the job's storage that is only ever added to: a line for its
parameters, one for each epoch, one for its end. A line that a kill cut off is left out when the book
is read; what it said comes again from the trial's checkpoint. ``sweep.json`` holds what must not change.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from mlvision.events import finite
from mlvision.search.errors import SpaceChanged
from mlvision.search.space import Params, Space, difference
from mlvision.storage import Place, open_storage

State = Literal["waiting", "running", "finished", "stopped_early", "failed", "interrupted"]
ENDED = frozenset({"finished", "stopped_early", "failed"})
SWEEP = "sweep.json"


@dataclass(frozen=True)
class Epoch:
    """What a trial reported after an epoch; ``time`` in milliseconds since 1970."""

    epoch: int
    time: int
    seconds: float
    metrics: Mapping[str, float]


@dataclass
class TrialRecord:
    """One trial."""

    number: int
    params: Params
    state: State = "waiting"
    reason: str | None = None
    epochs: list[Epoch] = field(default_factory=list[Epoch])
    started: int = 0
    ended: int = 0

    @property
    def last_epoch(self) -> int:
        """How many epochs are known."""
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def is_ended(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state in ENDED

    @property
    def is_comparable(self) -> bool:
        """Whether its score counts beside others'."""
        return self.state in {"finished", "stopped_early"} and bool(self.epochs)

    def best(self, metric: str, mode: str) -> Epoch | None:
        """Give the epoch with the best value of the metric, the first of equals."""
        sign = 1 if mode == "max" else -1
        known = [one for one in self.epochs if math.isfinite(one.metrics.get(metric, math.nan))]
        return max(known, key=lambda one: sign * one.metrics[metric], default=None)

    def value(self, metric: str, mode: str) -> float | None:
        """Give the best value of the metric."""
        best = self.best(metric, mode)
        return best.metrics[metric] if best else None


class Book:
    """Every trial of one sweep, by number."""

    def __init__(self, place: Place) -> None:
        self._place = str(place).rstrip("/")
        self._storage = open_storage(place)
        self.trials: dict[int, TrialRecord] = {}
        for name in self._storage.names("trial-"):
            if name.endswith(".jsonl") and (record := _read(self._storage.read(name) or b"")):
                self.trials[record.number] = record

    def open(self, space: Space, base: Mapping[str, Any]) -> None:
        """Write down what the sweep is, or check that it is still the same.

        :raises SpaceChanged: when the space or the fixed parameters are not those of the trials in the book.
        """
        now = json.loads(json.dumps({"space": space.to_json(), "base": base}))
        text = self._storage.read(SWEEP)
        if text is None or not self.trials:
            self._storage.write(SWEEP, json.dumps(now, indent=1).encode())
            return
        before = cast("dict[str, Any]", json.loads(text))
        lines = difference(before["space"], now["space"])
        if before["base"] != now["base"]:
            lines.append("the fixed parameters differ")
        if lines:
            raise SpaceChanged(f"the sweep was begun with another search space: {'; '.join(lines)}.")

    def begin(self, record: TrialRecord) -> None:
        """Take a new trial into the book."""
        self.trials[record.number] = record
        self._add(record, {"trial": record.number, "params": record.params})

    def set_state(self, record: TrialRecord, state: State, reason: str | None = None) -> None:
        """Note what has become of a trial."""
        now = now_ms()
        record.state, record.reason = state, reason
        if state == "running":
            record.started = record.started or now
        else:
            record.ended = now
        self._add(record, {"state": state, "reason": reason, "time": now})

    def report(self, record: TrialRecord, epoch: int, seconds: float, metrics: Mapping[str, float]) -> Epoch | None:
        """Note an epoch; ``None`` when it is known already."""
        if epoch <= record.last_epoch:
            return None
        one = Epoch(epoch, now_ms(), seconds, dict(metrics))
        record.epochs.append(one)
        # What is not finite is null in JSON, and NaN again when it is read.
        line = {"epoch": epoch, "time": one.time, "seconds": round(seconds, 4), "metrics": finite(metrics)}
        self._add(record, line)
        return one

    def folder(self, number: int) -> str:
        """Say where a trial's checkpoints lie."""
        return f"{self._place}/trial-{number:05d}"

    def remove_checkpoints(self, number: int) -> None:
        """Remove what a trial that lost has left, but for its record."""
        storage = open_storage(self.folder(number))
        for name in storage.names("checkpoint-"):
            storage.remove(name)

    def _add(self, record: TrialRecord, line: Mapping[str, object]) -> None:
        # The line break comes first: so a line that was cut off spoils no other.
        content = f"\n{json.dumps(line, allow_nan=False)}".encode()
        self._storage.append(f"trial-{record.number:05d}.jsonl", content)


def now_ms() -> int:
    """Give the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _read(content: bytes) -> TrialRecord | None:
    record: TrialRecord | None = None
    for text in content.decode(errors="replace").splitlines():
        try:
            line = cast("dict[str, Any]", json.loads(text)) if text else {}
        except ValueError:
            continue
        if "params" in line:
            record = TrialRecord(int(line["trial"]), line["params"])
        elif record is not None and "epoch" in line:
            if line["epoch"] > record.last_epoch:
                values = {key: math.nan if value is None else value for key, value in line["metrics"].items()}
                record.epochs.append(Epoch(line["epoch"], line["time"], line["seconds"], values))
        elif record is not None and "state" in line:
            record.state, record.reason = line["state"], line["reason"]
            if line["state"] == "running":
                record.started = record.started or line["time"]
            else:
                record.ended = line["time"]
    return record
