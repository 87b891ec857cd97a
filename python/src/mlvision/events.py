"""The lines ``@mlv {json}`` that tell the follower of a job how it goes.

One event is one line on the job's standard output; every other line is the user's own output. The
schema of each event is ``schemas/event.schema.json``.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

PREFIX = "@mlv "


def finite(value: object) -> object:
    """Replace what JSON cannot say (NaN and the infinities) by ``None``, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return {str(key): finite(item) for key, item in mapping.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [finite(item) for item in cast("Sequence[object]", value)]
    return value


def encode(event: str, fields: Mapping[str, object]) -> str:
    """Give the line of one event, with its newline; plain ASCII, so that no locale can break it."""
    body = {"event": event, **cast("dict[str, object]", finite(fields))}
    return f"{PREFIX}{json.dumps(body, separators=(',', ':'), allow_nan=False, default=str)}\n"


class Stream(Protocol):
    """What events are written to."""

    def write(self, line: str, /) -> object:
        """Write a line with its newline."""

    def flush(self) -> None:
        """Let what was written leave the process."""


class EventWriter:
    """Writes events to a stream, a flushed line each, from any thread.

    ``progress`` lets through one event a second (``progress_interval``, seconds): a follower draws
    a bar with it, and more would only fill the log.
    """

    def __init__(
        self,
        stream: Stream | None = None,
        *,
        progress_interval: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._interval = progress_interval
        self._clock = clock
        self._last_progress = -math.inf
        self._lock = threading.Lock()

    def emit(self, event: str, **fields: object) -> None:
        """Write one event. A reader that went away is no reason to stop training."""
        line = encode(event, fields)
        # Looked up at each call: a test or a notebook may have replaced sys.stdout meanwhile.
        stream = self._stream or sys.stdout
        with self._lock:
            try:
                stream.write(line)
                stream.flush()
            except (BrokenPipeError, ValueError):
                pass

    def is_progress_due(self) -> bool:
        """Say whether ``progress`` would write now, so that a caller computes nothing in vain."""
        return self._clock() - self._last_progress >= self._interval

    def progress(self, **fields: object) -> None:
        """Write a ``progress`` event, unless one was written less than the interval ago."""
        if not self.is_progress_due():
            return
        self._last_progress = self._clock()
        self.emit("progress", **fields)
