"""One session of a sweep whose trials are known to the millisecond, in a process of its own that can be killed.

Usage: ``python bench/sweep_session.py FOLDER TASK``, where TASK is JSON: ``runner`` is a name in this file, ``trials``,
``steps`` and ``step`` (seconds); ``tracking`` is null, or ``{uri, experiment, run}``. Prints ``{"seconds": …}``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
import torch

import mlvision
from mlvision.checkpoint import CheckpointFolder
from mlvision.search.trial import DataCache, Report, Task


def empty(task: Task, cache: DataCache) -> Iterator[Report]:  # noqa: ARG001
    """A trial that does nothing but report once."""
    yield Report(1, 0.0, {"val_accuracy": 0.5}, is_last=True)


def steady(task: Task, cache: DataCache) -> Iterator[Report]:  # noqa: ARG001
    """A trial whose steps take a time that no other process can stretch; each is noted once it is done."""
    steps, seconds = int(task.config["epochs"]), float(task.config["step"])
    checkpoints = CheckpointFolder(task.folder, 2)
    found = checkpoints.newest()
    for step in range((found.content["step"] if found and found.content else 0) + 1, steps + 1):
        time.sleep(seconds)
        checkpoints.save({"step": step, "weights": torch.zeros(1000)}, step, 0)
        note(str(task.config["log"]), task.number, step)
        yield Report(step, seconds, {"val_accuracy": 0.5}, step == steps)


def note(log: str, trial: int, step: int) -> None:
    """Add a line, whole, whoever else writes."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{trial} {step}\n".encode())
    os.close(descriptor)


def main(folder: str, wanted: str) -> None:
    """Run the session to its end."""
    from mlvision.entry import tune_engine
    from mlvision.search.records import Book
    from mlvision.search.settings import parse_settings
    from mlvision.search.sweep import Sweep
    from mlvision.search.trial_runs import TrialRuns
    from mlvision.tracking_client import TrackingClient

    task: dict[str, Any] = json.loads(wanted)
    path = f"{Path(mlvision.__file__).parents[1]}:{Path(__file__).parent}"
    # What a driver imports and connects to is no trial's doing; the actors start within the time that counts.
    ray.init(log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    began = time.perf_counter()
    space = {"optimizer.lr": {"type": "loguniform", "min": 0.001, "max": 0.1}}
    settings = parse_settings({"space": space, "trials": task["trials"], "scheduler": "none"})
    base = {"epochs": task["steps"], "step": task["step"], "log": f"{folder}/steps.log"}
    runs, told = None, task["tracking"]
    if told:
        client = TrackingClient.sign_in(told["uri"], os.environ)
        runs = TrialRuns(client, told["run"], told["experiment"], print)
    sweep = Sweep(settings, base, Book(folder), [runs] if runs else [], epochs=task["steps"])
    resources = {"cpu": 1.0, "gpu": 0.0}
    tune_engine.run(sweep, resources, 2, retries=0, runner=f"sweep_session:{task['runner']}")
    unwritten = runs.close(60) if runs else 0
    print(json.dumps({"seconds": time.perf_counter() - began, "unwritten": unwritten}))


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)
