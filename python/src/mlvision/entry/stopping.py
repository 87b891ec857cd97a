"""SIGTERM, heard at once even while the main thread waits inside Ray's C++ code."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

# Ray kills a stopped job's driver after this many seconds; `mlv` sets it in the job's environment.
_RAY_WAIT = int(os.environ.get("RAY_JOB_STOP_WAIT_TIME_S", "3"))
GRACE = max(1.0, 0.8 * _RAY_WAIT - 1.0)
"""Seconds that the work has to end by itself, so that the driver still has time to say so."""


class Stopping:
    """Whether the job was told to stop, and what to do then.

    Python runs signal handlers between two bytecodes of the main thread, which may be far away; the
    wake-up descriptor is written by the C handler itself, and a thread of ours reads it.
    """

    def __init__(self) -> None:
        self.requested = threading.Event()
        self._send: Callable[[bytes], None] | None = None
        self._lock = threading.Lock()
        self._listening, speaking = os.pipe()
        os.set_blocking(speaking, False)
        signal.set_wakeup_fd(speaking, warn_on_full_buffer=False)
        self.take_signals()
        threading.Thread(target=self._listen, name="stopping", daemon=True).start()

    def take_signals(self) -> None:
        """Take SIGTERM and SIGINT; again after ``ray.init``, which puts its own handler there."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)

    def tell(self, send: Callable[[bytes], None] | None) -> None:
        """Say who is to be told: ``send`` gets ``b"T"`` and, when the grace is over, ``b"K"``."""
        with self._lock:
            self._send = send
            if self.requested.is_set():
                self._pass(b"T")

    def _listen(self) -> None:
        while numbers := os.read(self._listening, 64):
            if not {signal.SIGTERM, signal.SIGINT} & set(numbers):
                continue
            with self._lock:
                if self.requested.is_set():
                    continue
                self.requested.set()
                self._pass(b"T")
            timer = threading.Timer(GRACE, self._lose_patience)
            timer.daemon = True
            timer.start()

    def _lose_patience(self) -> None:
        with self._lock:
            self._pass(b"K")

    def _pass(self, letter: bytes) -> None:
        if self._send is not None:
            self._send(letter)
