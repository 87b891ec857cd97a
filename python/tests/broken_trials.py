"""Trials that break in the way that their parameter ``how`` says; for a sweep on a real Ray."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from mlvision.search.trial import DataCache, Report, Task, run_trial


def run(task: Task, cache: DataCache) -> Iterator[Report]:
    """Train as any trial does, and break after the second epoch."""
    config = dict(task.config)
    how = str(config.pop("how"))
    for report in run_trial(Task(task.number, config, task.folder, task.known), cache):
        yield report
        if report.epoch == 2 and (how == "dies always" or _is_first(task.folder)):
            _break(how, Path(task.folder))


def _is_first(folder: str) -> bool:
    try:
        Path(folder, "broke").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _break(how: str, folder: Path) -> None:
    if how == "is damaged and dies":
        newest = max(folder.glob("checkpoint-*"))
        newest.write_bytes(newest.read_bytes()[:-1] + b"!")
    if how != "ends well":
        os.kill(os.getpid(), signal.SIGTERM if how == "is told to leave" else signal.SIGKILL)
        signal.pause()
