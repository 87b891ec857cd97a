"""Trials that break in the way that their parameter ``how`` says; for a sweep on a real Ray."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mlvision.search.trial import DataCache, Report, Task, run_trial


def run(task: Task, cache: DataCache) -> Iterator[Report]:
    """Train as any trial does, and break after the second epoch."""
    config = dict(task.config)
    how = str(config.pop("how"))
    for report in run_trial(Task(task.number, config, task.folder, task.known), cache):
        yield report
        if how == "waits for the end":
            Path(task.folder, "waits").touch()
            _wait_until(cache.stop.is_set)
        elif how == "is told to leave twice" and _is_new(task.folder, 2):
            os.kill(os.getpid(), signal.SIGTERM)
        elif report.epoch == 2 and (how.endswith("dies always") or _is_new(task.folder, 1)):
            _break(how, Path(task.folder))


def _is_new(folder: str, times: int) -> bool:
    """Say whether it has not broken so many times."""
    for number in range(times):
        try:
            Path(folder, f"broke-{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def _wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 100
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def _break(how: str, folder: Path) -> None:
    if how == "is damaged and dies":
        newest = max(folder.glob("checkpoint-*"))
        newest.write_bytes(newest.read_bytes()[:-1] + b"!")
    if how == "waits for the first and dies always":
        _wait_until((folder.parent / "trial-00000" / "waits").exists)
    if "dies" in how:
        os.kill(os.getpid(), signal.SIGKILL)
