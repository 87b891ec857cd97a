"""What sweeps cost, on a Ray head with two places and an MLflow with sign-in, both of this measurement alone.

Usage: ``python bench/sweeps.py PART [--json FILE] [--repeats N]``; the parts are functions below. Rivals take
turns, medians count. Writes ``{"rows": [{what, ours, against, ratio, aim, isGood}]}``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from loop import Row

from jobs import Job
from mlvision.config import parse_config
from mlvision.data.load import load_data
from mlvision.search.records import Book, TrialRecord
from mlvision.search.sweep import with_params
from mlvision.training import train
from services import MlflowServer, RayHead

HERE = Path(__file__).parent
SLOTS = 2
SPACE = {
    "optimizer.lr": {"type": "loguniform", "min": 0.0003, "max": 0.1},
    "optimizer.name": {"type": "choice", "values": ["adamw", "sgd"]},
    "optimizer.momentum": {"type": "uniform", "min": 0.5, "max": 0.99, "when": {"optimizer.name": "sgd"}},
    "model.dropout": {"type": "uniform", "min": 0, "max": 0.5},
    "batch_size": {"type": "choice", "values": [32, 64, 128]},
}


class Place(NamedTuple):
    """The services, and a folder for each measurement."""

    mlflow: MlflowServer
    ray: RayHead
    folder: Path

    def new(self, name: str) -> Path:
        """Make a folder."""
        folder = self.folder / f"{name}-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return folder

    def environment(self) -> dict[str, str]:
        """Give the variables of whoever measures or is measured."""
        username, password = self.mlflow.jobs
        path = f"{HERE.parent / 'src'}:{HERE}:{HERE.parent / 'tests'}"
        signed_in = {"MLFLOW_TRACKING_USERNAME": username, "MLFLOW_TRACKING_PASSWORD": password}
        return os.environ | self.ray.environment | signed_in | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def run(self, *argv: str, **task: Any) -> dict[str, Any]:
        """Run a script of this folder to its end; give what it prints last."""
        command = [sys.executable, *argv, json.dumps(task)]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False, cwd=HERE)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    def sweep(self, name: str, config: dict[str, Any], **search: Any) -> Searched:
        """Run a whole tune job, as Ray's Jobs API does."""
        work = {"type": "tune", "trial": {"type": "mlvision", "config": config}, "search": {"space": SPACE} | search}
        folder = self.new(name)
        job = Job(self.mlflow, folder, work=work, retries=2)
        job.spec["job"]["kind"] = "tune"
        began = time.perf_counter()
        # As `mlv` submits it.
        runtime = {"runtime_env": {"env_vars": {"PYTHONPATH": str(HERE.parent / "src")}}}
        with job.driver(self.ray.environment | {"RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps(runtime)}) as process:
            code = process.wait()
        wall = time.perf_counter() - began
        if code != 0:
            raise SystemExit(f"the sweep ended with {code}:\n{job.output.read_text()}")
        return Searched(job, wall, job.events("sweep_end")[0], Book(job.storage))


class Searched(NamedTuple):
    """A sweep that has ended; ``wall`` is its driver's whole time."""

    job: Job
    wall: float
    end: dict[str, Any]
    book: Book


@contextmanager
def services() -> Iterator[Place]:
    """Start both, and end them."""
    folder = Path(tempfile.mkdtemp(prefix="mlv-b-"))
    ray = RayHead(folder, folder / "r")
    (folder / "m").mkdir()
    (folder / "x").mkdir()
    try:
        ray.start()
        with MlflowServer.running(folder / "m") as server:
            yield Place(server, ray, folder / "x")
    finally:
        ray.end()
        shutil.rmtree(folder, ignore_errors=True)


def overhead(place: Place, repeats: int) -> list[Row]:
    """What a trial costs that does nothing: each trial's share of the time, actors and MLflow included."""
    trials = 20
    times: dict[str, list[float]] = {"ours": [], "reused": [], "default": []}
    for number in range(repeats):
        job = Job(place.mlflow, place.new("empty"))
        told = {"uri": place.mlflow.uri, "experiment": place.mlflow.experiment, "run": job.run_id}
        task = {"runner": "empty", "trials": trials, "steps": 1, "step": 0, "tracking": told}
        folders = [str(place.new("empty")) for _ in range(3)]
        times["ours"].append(place.run("sweep_session.py", folders[0], **task)["seconds"] / trials)
        reused = place.run("sweep_rivals.py", "empty", folders[1], trials=trials, reuse=True)
        times["reused"].append(reused["seconds"] / trials)
        if number == 0:  # it takes minutes, and is ten times as long
            default = place.run("sweep_rivals.py", "empty", folders[2], trials=trials // 2, reuse=False)
            times["default"].append(default["seconds"] / (trials // 2))
    ours, reused, default = (statistics.median(times[kind]) for kind in ("ours", "reused", "default"))
    against = f"Ray Tune without MLflow: {default:.2f} s (once); with reused actors {reused:.2f} s"
    what = f"an empty trial, of {trials}, with its run in MLflow ({repeats} rounds)"
    return [Row(what, f"{ours:.2f} s", against, f"{ours / default:.2f}×", "≤ 0.25 s", ours <= 0.25)]


def hundred(place: Place, repeats: int) -> list[Row]:
    """A hundred short trials of at most nine epochs, by ASHA: whole processes, with MLflow."""
    rounds, fewer = [], 30  # of the rival, whose time grows with each trial by the same seconds
    for _ in range(repeats):
        mine = place.sweep("hundred", {"epochs": 9, "batch_size": 64}, trials=100, metric="val_loss", mode="min")
        given = {"trials": fewer, "epochs": 9, "uri": place.mlflow.uri, "experiment": "jobs"}
        began = time.perf_counter()
        other = place.run("sweep_rivals.py", "tutorial", str(place.new("tutorial")), **given)
        seconds = time.perf_counter() - began
        rounds.append((6000 / mine.wall, 60 * fewer / seconds, mine.end["epochs_run"] / 100, other["epochs"] / fewer))
    ours, theirs, epochs, other_epochs = (statistics.median(column) for column in zip(*rounds, strict=True))
    count = f"{repeats} round{'s' if repeats > 1 else ''}"
    return [
        Row(
            f"trials a minute, 100 of digits, ASHA, 9 epochs ({count})",
            f"{ours:.0f} ({epochs:.1f} epochs each)",
            f"Ray's PyTorch and MLflow tutorials, {fewer} trials: {theirs:.0f} ({other_epochs:.1f} epochs each)",
            f"{ours / theirs:.1f}×",
            "≥ 3×",
            ours / theirs >= 3,
        )
    ]


def useful(place: Place, repeats: int) -> list[Row]:
    """Trials of ten seconds and more: how much of the slots' time are epochs."""
    shares, lengths = [], []
    for _ in range(repeats):
        config = {"epochs": 16, "model": {"name": "mobilenet_v3_small"}}
        sweep = place.sweep("useful", config, trials=20, scheduler="none")
        seconds = [sum(one.seconds for one in record.epochs) for record in sweep.book.trials.values()]
        shares.append(sum(seconds) / (SLOTS * sweep.end["seconds"]))
        lengths.append(statistics.median(seconds))
    share = statistics.median(shares)
    what = f"useful trial time / (slots × wall), 20 trials of {statistics.median(lengths):.0f} s"
    against = "Ray's scalability page calls > 20 % overhead a defect"
    return [Row(what, f"{share:.1%}", against, "—", "≥ 90 %", share >= 0.9)]


def asha(place: Place, repeats: int) -> list[Row]:
    """The same trials stopped early and not, and what chance alone makes of the best of them."""
    metric, settings = "val_loss", {"epochs": 27, "batch_size": 64}
    full_scores, asha_scores, shares, noises = [], [], [], []
    for seed in range(repeats):
        common = {"trials": 30, "metric": metric, "mode": "min", "seed": seed}
        full = place.sweep("full", settings, scheduler="none", **common)
        early = place.sweep("early", settings, scheduler="asha", **common)
        best = full.book.trials[full.end["best"]["trial"]]
        full_scores.append(full.end["best"]["value"])
        asha_scores.append(early.end["best"]["value"])
        shares.append(early.end["epochs_run"] / full.end["epochs_run"])
        noises.append(noise(settings, best))
    ours, full_best, share, deviation = map(statistics.median, (asha_scores, full_scores, shares, noises))
    excess = statistics.median(one - other for one, other in zip(asha_scores, full_scores, strict=True))
    is_good = excess <= 2 * deviation and share <= 1 / 3
    return [
        Row(
            f"ASHA's best {metric}, 30 trials of 27 epochs ({repeats} searches)",
            f"{ours:.4f} with {share:.0%} of the epochs",
            f"full search {full_best:.4f}; its best with other seeds varies by {deviation:.4f}",
            f"{share:.2f}×",
            "same within noise (2 deviations), ≤ 1/3 of the epochs",
            is_good,
        )
    ]


def noise(settings: dict[str, Any], best: TrialRecord) -> float:
    """Give the standard deviation of the best trial's score over other seeds."""
    scores = []
    for seed in range(1, 6):
        config = parse_config({**with_params(settings, best.params), "seed": seed, "device": "cpu"})
        done = train(config, data=load_data(config.data))
        scores.append(min(epoch.metrics["val_loss"] for epoch in done.history))
    return statistics.stdev(scores)


TRIALS, STEPS, STEP = 16, 4, 1.0


def kill(place: Place, repeats: int) -> list[Row]:  # noqa: ARG001
    """SIGKILL to the driver after a quarter, a half and three quarters of the steps; the rest by another session."""
    ours = [broken_off(place, ours_session, TRIALS * STEPS * quarter // 4) for quarter in (1, 2, 3)]
    theirs = [broken_off(place, rays_session, TRIALS * STEPS * quarter // 4) for quarter in (1, 2, 3)]

    def said(all_: list[dict[str, float]]) -> str:
        again, dropped, redone = (sum(int(one[key]) for one in all_) for key in ("again", "dropped", "redone"))
        most = max(one["ratio"] for one in all_)
        return f"{again} run again, {dropped} dropped, {redone} steps redone; the rest ≤ {most:.2f}× ideal"

    worst = max(one["ratio"] for one in ours)
    is_good = worst <= 1.05 and all(one["again"] == one["dropped"] == 0 and one["redone"] <= SLOTS for one in ours)
    what = f"kill -9 of the driver at three points of {TRIALS} trials of {STEPS} steps of {STEP:g} s, then resume"
    aim = "0 again, 0 dropped, ≤ 1 step in flight a trial; ≤ 1.05× ideal"
    return [Row(what, said(ours), f"Ray's default: {said(theirs)}", f"{worst:.2f}×", aim, is_good)]


def ours_session(folder: str, *, is_resumed: bool) -> list[str]:  # noqa: ARG001
    task = {"runner": "steady", "trials": TRIALS, "steps": STEPS, "step": STEP, "tracking": None}
    return [sys.executable, "sweep_session.py", folder, json.dumps(task)]


def rays_session(folder: str, *, is_resumed: bool) -> list[str]:
    task = {"trials": TRIALS, "steps": STEPS, "step": STEP, "restore": is_resumed}
    return [sys.executable, "sweep_rivals.py", "steady", folder, json.dumps(task)]


def broken_off(place: Place, session: Any, after: int) -> dict[str, float]:
    """Kill a session after so many steps, let another do the rest, and compare with what was left to do."""
    folder = place.new("killed")
    log = folder / "steps.log"

    def steps() -> list[tuple[int, int]]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [(int(line.split()[0]), int(line.split()[1])) for line in lines]

    def start(*, is_resumed: bool) -> subprocess.Popen[bytes]:
        argv = session(str(folder), is_resumed=is_resumed)
        return subprocess.Popen(argv, cwd=HERE, env=place.environment(), stdout=subprocess.PIPE)

    first = start(is_resumed=False)
    while len(steps()) < after and first.poll() is None:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    time.sleep(2 * STEP)  # actors whose driver is gone may end the step that they are in
    before = steps()
    second = start(is_resumed=True)
    output, _ = second.communicate()
    after_kill = steps()[len(before) :]
    finished = {trial for trial, step in before if step == STEPS}
    left = [STEPS - max([step for one, step in before if one == trial], default=0) for trial in range(TRIALS)]
    ended = {trial for trial, step in steps() if step == STEPS}
    seconds = json.loads(output.splitlines()[-1])["seconds"]
    return {
        "again": len({trial for trial, _ in after_kill} & finished),
        "dropped": TRIALS - len(ended),
        "redone": len(after_kill) - len(set(after_kill) - set(before)),
        "ratio": seconds / (makespan(left) + start_time(place)),
    }


_started: list[float] = []


def start_time(place: Place) -> float:
    """Give what a session costs beside its steps: one of mlv's own that nothing disturbs."""
    if not _started:
        folder = str(place.new("whole"))
        task = {"runner": "steady", "trials": SLOTS * 4, "steps": 2, "step": STEP, "tracking": None}
        _started.append(place.run("sweep_session.py", folder, **task)["seconds"] - makespan([2] * SLOTS * 4))
    return _started[0]


def makespan(left: list[int]) -> float:
    """Give how long the slots are busy with so many steps of each trial, those that were begun first."""
    ends = [0.0] * SLOTS
    for steps in sorted(left, key=lambda one: one == STEPS):
        ends[ends.index(min(ends))] += steps * STEP
    return max(ends)


def main() -> None:
    """Measure and write."""
    parts = {one.__name__: one for one in (overhead, hundred, useful, asha, kill)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=parts)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with services() as place:
        rows = parts[options.part](place, options.repeats)
    text = json.dumps({"rows": [row._asdict() for row in rows]}, indent=2, ensure_ascii=False)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
