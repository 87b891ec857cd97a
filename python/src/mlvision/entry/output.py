"""What a job prints: passed on at once, and kept, in bounded space, for the run's ``job/log.txt``."""

from __future__ import annotations

import os
import tempfile
from typing import BinaryIO

SEGMENT = 16 * 1024 * 1024  # bytes; of a longer log the last one to two segments are kept


class Output:
    """Writes to a file descriptor and keeps a copy; ``write`` takes the text of events."""

    def __init__(self, descriptor: int = 1, *, segment: int = SEGMENT) -> None:
        self._descriptor = descriptor
        self._segment = segment
        self._older: BinaryIO | None = None
        self._newer: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the job
        self._size = 0
        self._dropped = 0
        self._is_line_start = True

    def pass_on(self, chunk: bytes) -> None:
        """Write bytes of the work as they are."""
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._keep(chunk)
        self._is_line_start = chunk.endswith(b"\n")

    def write(self, line: str) -> None:
        """Write a line of our own, at the start of a line even when the work was in the midst of one."""
        self.pass_on((line if self._is_line_start else f"\n{line}").encode())

    def flush(self) -> None:
        """Do nothing: what is written is written. For those who expect a stream."""

    def content(self) -> bytes:
        """Give what is kept."""
        parts: list[bytes] = []
        if self._dropped:
            parts.append(b"[the first %d bytes of this log were not kept]\n" % self._dropped)
        for file in (self._older, self._newer):
            if file is not None:
                file.seek(0)
                parts.append(file.read())
        return b"".join(parts)

    def _keep(self, chunk: bytes) -> None:
        if self._size + len(chunk) > self._segment and self._size:
            if self._older is not None:
                self._dropped += self._older.seek(0, os.SEEK_END)
                self._older.close()
            self._older, self._newer = self._newer, tempfile.TemporaryFile()  # noqa: SIM115
            self._size = 0
        self._newer.write(chunk)
        self._size += len(chunk)
