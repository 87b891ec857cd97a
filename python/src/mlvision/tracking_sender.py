"""Writes to MLflow from a thread of its own, so that neither a slow nor a dead server holds training.

What the server has not confirmed stays in the queue; what is left when the job ends, or does not fit
in memory, goes to ``mlflow-unsent.jsonl`` in the job's storage, and the next attempt of the
same job sends it. Nothing is sent twice that the server would store twice: a repeated point carries
its first timestamp, and after a resume the steps that the run already has are left out.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import cast

from mlvision.storage import Place, open_storage
from mlvision.tracking_client import JSON, REASON, Entry, TrackingClient
from mlvision.tracking_http import TrackingRefused, TrackingUnavailable

UNSENT = "mlflow-unsent.jsonl"
REFUSED = "mlflow-refused.jsonl"
_MOST_METRICS = 1000  # MLflow's limit for one request
_LONGEST_PAUSE = 10.0  # seconds between two tries


class Sender:
    """A queue of entries and the thread that sends them in order.

    ``limit`` is how many entries wait in memory; ``idle`` how many seconds those that nobody is in
    a hurry for may wait for company.
    """

    def __init__(
        self,
        client: TrackingClient,
        folder: Place,
        say: Callable[[str], None],
        *,
        limit: int = 20_000,
        idle: float = 30.0,
    ) -> None:
        self._client = client
        self._storage = open_storage(folder)
        self._say = say
        self._limit = limit
        self._idle = idle
        self._queue: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._hurry = False
        self._closing = False
        self._known: dict[str, set[int]] | None = None
        self._down_since: float | None = None
        self._queue.extend(entry for entry in self._read(UNSENT) if not _is_ending(entry))
        self._oldest = time.monotonic()
        self._overflowed = False
        self._thread = threading.Thread(target=self._work, name="mlflow-sender", daemon=True)
        self._thread.start()

    def put(self, entry: Entry, *, hurry: bool = True) -> None:
        """Queue an entry; returns at once."""
        with self._changed:
            if self._overflowed or len(self._queue) >= self._limit:
                # Once one entry is in the file the next ones follow it, or their order would break.
                self._overflowed = True
                self._append(UNSENT, [entry])
                return
            if not self._queue:
                self._oldest = time.monotonic()
            self._queue.append(entry)
            self._hurry = self._hurry or hurry
            self._changed.notify_all()

    def leave_out_known_steps(self) -> None:
        """From now on send no point of a step that the run already has: it was resumed."""
        self._known = {}

    def flush(self, deadline: float) -> bool:
        """Wait at most ``deadline`` seconds until all is sent; say whether it is."""
        until = time.monotonic() + deadline
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            while self._queue and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            return not self._queue

    def close(self, deadline: float) -> int:
        """Flush, stop the thread, write what is left to a file; give the number of entries left."""
        self.flush(deadline)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            left = list(self._queue)
        if left:
            kept = self._read(UNSENT) if self._overflowed else []
            self._storage.write(UNSENT, _lines([*kept, *left]))
            where = self._storage.where(UNSENT)
            self._say(f"MLflow did not take {len(left)} entries in time; they are kept in {where}.")
        elif not self._overflowed:
            self._storage.remove(UNSENT)
        self._thread.join(0.5)
        return len(left)

    def _work(self) -> None:
        pause = 0.25
        while True:
            with self._changed:
                while not self._closing and (wait := self._time_left()) > 0:
                    self._changed.wait(min(wait, threading.TIMEOUT_MAX))
                if self._closing:
                    return
                entry, count = _merge(self._queue)
            try:
                self._send(entry)
            except TrackingUnavailable as error:
                if self._down_since is None:
                    self._down_since = time.monotonic()
                    self._say(f"MLflow does not answer ({error}); what is to be written is kept.")
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            except TrackingRefused as error:
                self._append(REFUSED, [entry])
                self._say(f"MLflow refused an entry ({error}); it is kept in {self._storage.where(REFUSED)}.")
            pause = 0.25
            self._sent(count)

    def _time_left(self) -> float:
        """Give the seconds until there is something that must be sent."""
        if not self._queue:
            self._hurry = False
            return math.inf
        return 0.0 if self._hurry else self._oldest + self._idle - time.monotonic()

    def _sent(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                self._queue.popleft()
            self._oldest = time.monotonic()
            if not self._queue and self._overflowed:
                self._overflowed = False
                self._queue.extend(self._read(UNSENT))
            self._changed.notify_all()
        if self._down_since is not None:
            seconds = time.monotonic() - self._down_since
            self._down_since = None
            self._say(f"MLflow answers again after {seconds:.0f} s; what was kept is being written.")

    def _send(self, entry: Entry) -> None:
        metrics = cast("list[JSON]", entry.body.get("metrics", []))
        if self._known is None or not metrics:
            self._client.post(entry)
            return
        run_id = str(entry.body["run_id"])
        for key in {str(metric["key"]) for metric in metrics} - self._known.keys():
            self._known[key] = self._client.metric_steps(run_id, key)
        fresh = [m for m in metrics if m["step"] not in self._known[str(m["key"])]]
        if fresh:
            self._client.post(Entry(entry.path, entry.body | {"metrics": fresh}))
            for metric in fresh:
                self._known[str(metric["key"])].add(cast("int", metric["step"]))

    def _append(self, name: str, entries: Iterable[Entry]) -> None:
        self._storage.append(name, _lines(entries))

    def _read(self, name: str) -> list[Entry]:
        """Read kept entries; a line that was cut off by a kill is left out."""
        entries: list[Entry] = []
        for line in (self._storage.read(name) or b"").decode(errors="replace").splitlines():
            try:
                where, body = cast("tuple[str, JSON]", json.loads(line))
            except ValueError:
                continue
            entries.append(Entry(where, body))
        return entries


def _is_ending(entry: Entry) -> bool:
    """Say whether it tells how an attempt ended: no longer true once the next one has begun."""
    tags = cast("list[JSON]", entry.body.get("tags", []))
    return entry.path == "runs/update" or any(tag["key"] == REASON for tag in tags)


def _lines(entries: Iterable[Entry]) -> bytes:
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode()


def _merge(queue: deque[Entry]) -> tuple[Entry, int]:
    """Join the metrics of the first entries to one request; give it and how many entries it holds."""
    first = queue[0]
    if first.body.keys() != {"run_id", "metrics"}:
        return first, 1
    metrics: list[JSON] = []
    count = 0
    for entry in queue:
        more = cast("list[JSON]", entry.body.get("metrics", []))
        same = entry.body.keys() == first.body.keys() and entry.body["run_id"] == first.body["run_id"]
        if not same or (count and len(metrics) + len(more) > _MOST_METRICS):
            break
        metrics += more
        count += 1
    return Entry(first.path, first.body | {"metrics": metrics}), count
