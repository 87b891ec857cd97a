# ruff: noqa: I001 - the environment comes before Ray
"""What sweeps cost, beside Ray Tune's own defaults and the pattern of its PyTorch and MLflow tutorials.

Usage: ``python bench/sweep.py [--json FILE] [--trials 100] [--only empty tutorial busy asha kill]``. Writes
``{"rows": [{what, ours, against, ratio, aim, isGood}], ...}``, to standard output without a file. Everything
runs on a Ray of its own with two CPUs; a trial has one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sweep_environment  # noqa: F401 - before Ray

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from mlvision.entry import tune_engine
from mlvision.search.records import Book
from mlvision.search.settings import parse_settings
from mlvision.search.sweep import Sweep
from mlvision.search.trial import DataCache, Report, Task

SPACE: dict[str, Any] = {
    "optimizer.lr": {"type": "loguniform", "min": 0.0003, "max": 0.1},
    "model.dropout": {"type": "uniform", "min": 0, "max": 0.5},
}
CPU = {"cpu": 1.0, "gpu": 0.0}


class Row(NamedTuple):
    """One line of docs/benchmarks.md."""

    what: str
    ours: str
    against: str
    ratio: str
    aim: str
    isGood: bool  # noqa: N815 - as scripts/bench reads it


def empty_trial(task: Task, cache: DataCache) -> Iterator[Report]:  # noqa: ARG001
    yield Report(1, 0.0, {"val_accuracy": 1 / (1 + task.number)}, is_last=True)


def long_trial(task: Task, cache: DataCache) -> Iterator[Report]:  # noqa: ARG001
    for epoch in range(1, 11):
        time.sleep(1.0)
        yield Report(epoch, 1.0, {"val_accuracy": epoch / 100}, is_last=epoch == 10)


def run(folder: Path, runner: str = tune_engine.MLVISION, *, epochs: int = 9, **wanted: Any) -> tuple[Sweep, float]:
    """Run a sweep; give it and its seconds."""
    settings = parse_settings({"space": SPACE, "scheduler": "none", **wanted})
    sweep = Sweep(settings, {"epochs": epochs, "batch_size": 64}, Book(folder), [], epochs=epochs)
    began = time.perf_counter()
    tune_engine.run(sweep, CPU, 2, retries=0, runner=runner)
    return sweep, time.perf_counter() - began


def empty(folder: Path, _trials: int) -> Row:
    count = 20
    run(folder / "warm", "sweep:empty_trial", trials=2)
    _, ours = run(folder / "ours", "sweep:empty_trial", trials=count)

    def trainable(config: dict[str, Any]) -> None:
        tune.report({"val_accuracy": config["x"]})

    began = time.perf_counter()
    tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=count),
        run_config=tune.RunConfig(storage_path=str(folder / "theirs"), verbose=0),
    ).fit()
    theirs = time.perf_counter() - began
    each = ours / count
    return Row(
        "An empty trial",
        f"{each:.2f} s",
        f"Ray Tune's default {theirs / count:.2f} s",
        f"{theirs / ours:.1f}x",
        "≤ 0.25 s",
        each <= 0.25,
    )


def busy(folder: Path, _trials: int) -> Row:
    run(folder / "warm", "sweep:empty_trial", trials=2)
    count = 10
    _, seconds = run(folder / "ours", "sweep:long_trial", epochs=10, trials=count)
    share = count * 10 / (2 * seconds)
    return Row(
        "Useful time of trials of 10 s",
        f"{share:.1%}",
        f"{count} trials on 2 slots",
        f"{share:.2f}x",
        "≥ 90 %",
        share >= 0.9,
    )


def asha(folder: Path, _trials: int) -> Row:
    found = {}
    for name in ("asha", "none"):
        sweep, _ = run(folder / name, trials=40, scheduler=name, grace=1, reduction=3)
        best = sweep.ranking()[0].value("val_accuracy", "max")
        found[name] = (best or 0.0, sum(len(record.epochs) for record in sweep.book.trials.values()))
    (ours, epochs), (full, most) = found["asha"], found["none"]
    share = epochs / most
    # One of the 143 images that choose is the noise.
    is_good = ours >= full - 1.01 / 143 and share <= 1 / 3
    return Row(
        "The best of 40 trials, ASHA",
        f"{ours:.4f} in {epochs} epochs",
        f"all of them {full:.4f} in {most}",
        f"{share:.2f}x",
        "same, ≤ 1/3 of the epochs",
        is_good,
    )


def kill(folder: Path, _trials: int) -> Row:
    """Kill the driver at three points; what had ended must stay, and nothing may be missing."""
    book, total = folder / "book", 30
    again, steps = 0, 0
    for share in (0.2, 0.5, 0.8, None):
        driver = subprocess.Popen(
            [sys.executable, __file__, "--session", str(book), str(total)], stdout=subprocess.DEVNULL
        )
        if share is None:
            driver.wait()
            break
        while driver.poll() is None and sum(one.is_ended for one in _trials_of(book).values()) < share * total:
            time.sleep(0.05)
        driver.kill()
        driver.wait()
        before = {
            number: path.read_bytes() for number, path in _files(book).items() if _trials_of(book)[number].is_ended
        }
        going = {number: one.last_epoch for number, one in _trials_of(book).items() if not one.is_ended}
        steps = max(steps, len(going) and 1)
        kept = before
    after = _files(book)
    again += sum(after[number].read_bytes() != content for number, content in kept.items())
    dropped = total - sum(one.is_ended for one in _trials_of(book).values())
    repeated = sum(len(one.epochs) - one.last_epoch for one in _trials_of(book).values())
    return Row(
        "kill -9 of the driver at three points",
        f"{again} run again, {dropped} dropped, {repeated} epochs twice",
        "Ray's default runs finished trials again and drops others",
        "-",
        "0, 0",
        again == dropped == repeated == 0,
    )


def _files(book: Path) -> dict[int, Path]:
    return {int(path.stem[6:]): path for path in book.glob("trial-*.jsonl")}


def _trials_of(book: Path) -> dict[int, Any]:
    return Book(book).trials


def tutorial(folder: Path, trials: int) -> Row:
    """The same search with the same server: ours, and the pattern of the tutorials."""
    from sweep_tutorial import Server, tutorial_trainable

    from mlvision.search.trial_runs import TrialRuns
    from mlvision.tracking_client import TrackingClient

    with Server(folder / "mlflow") as server:
        parent = TrackingClient.sign_in(server.uri, {}).create_run("bench", "ours", {})
        runs = TrialRuns(TrackingClient.sign_in(server.uri, {}), parent.run_id, parent.experiment_id, print)
        settings = parse_settings({"space": SPACE, "scheduler": "asha", "trials": trials})
        sweep = Sweep(settings, {"epochs": 9, "batch_size": 64}, Book(folder / "ours"), [runs], epochs=9)
        began = time.perf_counter()
        tune_engine.run(sweep, CPU, 2, retries=0, runner=tune_engine.MLVISION)
        left = runs.close(120)
        ours = time.perf_counter() - began
        assert left == 0
        began = time.perf_counter()
        tune.Tuner(
            tune.with_resources(tutorial_trainable, {"cpu": 1}),
            param_space={"lr": tune.loguniform(3e-4, 0.1), "dropout": tune.uniform(0, 0.5), "uri": server.uri},
            tune_config=tune.TuneConfig(
                metric="val_accuracy",
                mode="max",
                num_samples=trials,
                scheduler=ASHAScheduler(grace_period=1, max_t=9, reduction_factor=3),
            ),
            run_config=tune.RunConfig(storage_path=str(folder / "theirs"), verbose=0),
        ).fit()
        theirs = time.perf_counter() - began
    ratio = theirs / ours
    return Row(
        f"{trials} short trials with ASHA",
        f"{60 * trials / ours:.0f} a minute",
        f"the tutorials' pattern {60 * trials / theirs:.0f}",
        f"{ratio:.1f}x",
        "≥ 3x",
        ratio >= 3,
    )


PARTS: dict[str, Callable[[Path, int], Row]] = {
    "empty": empty,
    "busy": busy,
    "asha": asha,
    "kill": kill,
    "tutorial": tutorial,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--session", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    if options.session:
        run(Path(options.session[0]), trials=int(options.session[1]), epochs=4)
        return
    rows = []
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(PARTS[name](Path(folder), options.trials)._asdict())
            print(rows[-1], file=sys.stderr, flush=True)
    text = json.dumps({"rows": rows, "ray": ray.__version__}, indent=2, ensure_ascii=False) + "\n"
    if options.json:
        options.json.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
    os._exit(0)
