"""A sweep as it goes: which trial is next, what is noted of each, who is best, and when it is enough.

It runs nothing itself. Whoever runs trials (``entry/tune_engine`` with Ray Tune) asks for the next one and
tells what comes of it; each word is in the book before it goes to the follower and to MLflow.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mlvision.search.algorithms import build_algorithm
from mlvision.search.records import Book, TrialRecord
from mlvision.search.settings import SearchSettings
from mlvision.search.space import Params
from mlvision.search.trial import Task

_USUAL_TRIALS = 100


class Watcher(Protocol):
    """Is told of every change of a trial, after it is in the book."""

    def changed(self, record: TrialRecord) -> None:
        """Take note."""
        ...


class Sweep:
    """One session of a sweep: from its first trial, or from where an earlier session ended."""

    def __init__(
        self,
        settings: SearchSettings,
        base: Mapping[str, Any],
        book: Book,
        watchers: Sequence[Watcher],
        *,
        epochs: int,
        say: Callable[[str], None] = print,
    ) -> None:
        self.settings, self.book, self.epochs = settings, book, epochs
        self.base = base
        self._watchers, self._say = watchers, say
        space = settings.build_space()
        book.open(space, base)
        self._algorithm = build_algorithm(settings, space)
        is_grid = settings.algorithm == "grid"
        whole = sum(1 for _ in space.grid()) if is_grid else _USUAL_TRIALS
        self.trials = min(settings.trials or whole, whole) if is_grid else settings.trials or whole
        known = sorted(book.trials.values(), key=lambda record: record.number)
        for record in known:
            if record.state == "failed" and settings.restart_errored:
                book.set_state(record, "waiting")
        self.kept = [record for record in known if record.is_ended]
        """Trials that an earlier session ended."""
        for record in self.kept:
            self._algorithm.learn(record)
        self._queue = [record for record in known if not record.is_ended]
        self._next = max(book.trials, default=-1) + 1
        self._failures = 0
        self._cleaned: set[int] = set()
        self._deadline = time.monotonic() + settings.max_time if settings.max_time else None
        self.reason: str | None = None
        """Why the sweep ends before its last trial."""
        self.is_broken = False
        """Whether that reason makes it a failure."""

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        """Stand for nothing in a pickle: Ray Tune writes one of all that it holds, which nobody reads."""
        return object, ()

    def __deepcopy__(self, memo: object) -> Sweep:
        """Stay the one that there is."""
        return self

    def next_trial(self) -> TrialRecord | None:
        """Give the trial to run next: first those that were begun."""
        if self._queue:
            return self._queue.pop(0)
        if self._next >= self.trials or (params := self._algorithm.suggest(self._next)) is None:
            return None
        record = TrialRecord(self._next, params)
        self._next += 1
        self.book.begin(record)
        return record

    def task(self, record: TrialRecord) -> Task:
        """Say what a trial runs with."""
        config = with_params(self.base, record.params)
        return Task(record.number, config, self.book.folder(record.number), record.last_epoch)

    def started(self, record: TrialRecord) -> None:
        """Note that a trial runs."""
        self.book.set_state(record, "running")
        self._tell(record)

    def reported(self, record: TrialRecord, epoch: int, seconds: float, metrics: Mapping[str, float]) -> None:
        """Note an epoch of a trial; a metric that nobody reports ends the sweep now, not when all was in vain."""
        if self.settings.metric not in metrics:
            names = ", ".join(sorted(metrics))
            self.end(f"the trials do not report {self.settings.metric}; they report {names}.", is_broken=True)
            return
        if self.book.report(record, epoch, seconds, metrics):
            self._tell(record)

    def note(self, record: TrialRecord, text: str) -> None:
        """Say something about a trial."""
        self._say(f"trial {record.number}: {text}.")

    def ended(self, record: TrialRecord, *, is_complete: bool, reason: str | None = None) -> None:
        """Note that a trial has come to its end, or was stopped by the scheduler."""
        if self.reason is not None and not is_complete:
            self.book.set_state(record, "interrupted", self.reason)
        elif is_complete:
            self.book.set_state(record, "finished", reason)
        else:
            self.book.set_state(record, "stopped_early", f"it was behind others after epoch {record.last_epoch}")
        self._close(record)

    def failed(self, record: TrialRecord, reason: str) -> None:
        """Note that a trial failed; the others go on."""
        self.book.set_state(record, "failed", reason)
        self._failures += 1
        if self.settings.max_failures is not None and self._failures >= self.settings.max_failures:
            self.end(f"{self._failures} trials failed, as many as --max-failures allows.", is_broken=True)
        self._close(record)

    def end(self, reason: str, *, is_broken: bool = False) -> None:
        """Let no further trial begin, nor a running one go on; the first reason counts."""
        if self.reason is None:
            self.reason, self.is_broken = reason, is_broken

    @property
    def is_over(self) -> bool:
        """Whether running trials are to stop."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.end(f"its time of {self.settings.max_time:g} s is over.")
        return self.reason is not None

    def ranking(self) -> list[TrialRecord]:
        """Give the trials that can be compared, the best first; of equals the earlier."""
        metric, mode = self.settings.metric, self.settings.mode
        sign = -1 if mode == "max" else 1
        scored = [(record.value(metric, mode), record) for record in self.book.trials.values()]
        ranked = [(sign * value, one.number, one) for value, one in scored if value is not None and one.is_comparable]
        return [record for _, _, record in sorted(ranked, key=lambda entry: entry[:2])]

    def counts(self) -> dict[str, int]:
        """Count the trials by state."""
        found = Counter(record.state for record in self.book.trials.values())
        return {state: found[state] for state in ("finished", "stopped_early", "failed", "interrupted")}

    def _close(self, record: TrialRecord) -> None:
        if record.is_ended:
            self._algorithm.learn(record)
        self._tell(record)
        if record.is_comparable:
            # Whoever is not among the best needs no checkpoint any more; a failed one may be tried again.
            for loser in self.ranking()[self.settings.keep :]:
                if loser.number not in self._cleaned:
                    self._cleaned.add(loser.number)
                    self.book.remove_checkpoints(loser.number)

    def _tell(self, record: TrialRecord) -> None:
        for watcher in self._watchers:
            watcher.changed(record)


def with_params(base: Mapping[str, Any], params: Params) -> dict[str, Any]:
    """Put a trial's parameters into their places in the configuration."""
    config: dict[str, Any] = dict(base)
    for name, value in params.items():
        *path, last = name.split(".")
        section = config
        for part in path:
            section[part] = dict(section.get(part) or {})
            section = section[part]
        section[last] = value
    return config
