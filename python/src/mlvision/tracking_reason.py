"""Why a run failed, in one line: the error and where in the user's code or ours it came from."""

from __future__ import annotations

import site
import sysconfig
import traceback
from pathlib import Path

_LONGEST = 500  # characters of the message; tags may hold more, a table may not


def describe(error: BaseException) -> str:
    """Give type and message of an error in one line."""
    message = " ".join(str(error).split())
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST - 1]}…"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def locate(error: BaseException) -> str | None:
    """Give ``file:line`` of the last frame that is neither Python's own nor an installed package's.

    mlvision's own frames count wherever it is installed: there the sentence comes from.
    """
    ours = Path(__file__).resolve().parent
    paths = sysconfig.get_paths()
    foreign = {Path(paths[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    foreign |= {Path(folder).resolve() for folder in site.getsitepackages()}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        if frame.filename.startswith("<"):
            continue
        if path.is_relative_to(ours) or not any(path.is_relative_to(folder) for folder in foreign):
            return f"{frame.filename}:{frame.lineno}"
    return None
