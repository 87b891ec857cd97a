"""Measures one epoch of a sweep's trial where it would run: what `mlv tune --dry-run` reckons with.

Started as the entrypoint of a small Ray job that has no run in MLflow and keeps nothing.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from typing import Any, cast

from mlvision.events import EventWriter


def main() -> int:
    """Measure for the job of this process; give the exit code."""
    events = EventWriter()
    import ray

    from mlvision.entry import tune
    from mlvision.entry.cluster import CannotRun, check_fit, connect
    from mlvision.entry.spec import TuneWork, from_environment
    from mlvision.entry.tune_engine import RUNNERS
    from mlvision.search.settings import parse_settings
    from mlvision.tracking_reason import describe

    spec = from_environment()
    assert isinstance(spec.work, TuneWork)
    try:
        settings = parse_settings(spec.work.search)
        base, _ = tune.trial_config(spec.work, settings)
        tune_runner = RUNNERS[spec.work.trial.type]
        params = settings.build_space().draw(First())
        connect(with_code=True)
        check_fit(spec)
        resources = {"num_cpus": spec.resources.cpus, "num_gpus": spec.resources.gpus}
        measured = cast("Any", ray.remote(measure)).options(**resources).remote(base, params, tune_runner)
        seconds = cast("float", ray.get(measured))
    except (CannotRun, Exception) as error:
        events.emit("failed", error=describe(error), where=None)
        return 1
    events.emit("measured", epoch_seconds=seconds, places=tune.places(spec, settings))
    return 0


class First:
    """Takes what stands first, or in the middle: any trial is as long as another, to a degree."""

    def number(self, name: str, low: float, high: float, *, log: bool) -> float:  # noqa: ARG002
        """Take the middle."""
        return (low * high) ** 0.5 if log else (low + high) / 2

    def integer(self, name: str, low: int, high: int) -> int:  # noqa: ARG002
        """Take the middle."""
        return (low + high) // 2

    def choice(self, name: str, values: Any) -> Any:  # noqa: ARG002
        """Take the first."""
        return values[0]


def measure(base: dict[str, Any], params: dict[str, Any], runner: str) -> float:
    """Train two epochs and give how long the second took: the first one also warms the machine up."""
    from mlvision.search.sweep import with_params
    from mlvision.search.trial import DataCache, Task

    config = with_params(base, params)
    config["epochs"] = max(2, int(config.get("epochs", 2)))
    with tempfile.TemporaryDirectory(prefix="mlv-measure-") as folder:
        module, _, function = runner.partition(":")
        run_trial = getattr(importlib.import_module(module), function)
        reports = run_trial(Task(0, config, folder, 0), DataCache())
        next(reports)
        return float(next(reports).seconds)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
