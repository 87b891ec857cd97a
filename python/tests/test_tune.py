"""What a sweep promises on a real Ray: its numbers are Ray's own, and a trial that breaks ends nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlvision.checkpoint import CheckpointFolder
from mlvision.search.records import Book
from services import PYTHON, RayHead

BASE: dict[str, Any] = {"epochs": 3, "batch_size": 128}
SPACE: dict[str, Any] = {"optimizer.lr": {"type": "loguniform", "min": 0.001, "max": 0.05}}


def run(
    head: RayHead,
    folder: Path,
    search: dict[str, Any],
    *,
    base: dict[str, Any] | None = None,
    runner: str = "mlvision",
    retries: int = 0,
) -> tuple[Book, dict[str, Any]]:
    """Run a sweep in a process of its own; give its book and what Ray says of it."""
    asked = {"space": SPACE, "trials": 4, "scheduler": "none"} | search
    task = {"search": asked, "base": base or BASE, "runner": runner, "retries": retries}
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sweep_process.py")), str(folder), json.dumps(task)],
        env=os.environ | head.environment | {"PYTHONPATH": f"{PYTHON / 'src'}:{PYTHON / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (folder / "said.txt").write_text(ended.stdout)
    return Book(folder), json.loads(ended.stdout.splitlines()[-1])


def states(book: Book) -> list[str]:
    return [book.trials[number].state for number in sorted(book.trials)]


@pytest.mark.timeout(600)
def test_the_numbers_are_those_of_rays_own_results(ray_head: RayHead, tmp_path: Path) -> None:
    book, rays = run(ray_head, tmp_path, {"trials": 9, "scheduler": "asha"})
    ours = {
        str(record.number): [[one.epoch, one.metrics["val_accuracy"], one.metrics["val_loss"]] for one in record.epochs]
        for record in book.trials.values()
    }
    assert ours == rays
    assert len(ours) == 9
    assert "stopped_early" in states(book)


@pytest.mark.timeout(600)
def test_a_loss_that_is_no_number_ends_its_trial_with_the_reason(ray_head: RayHead, tmp_path: Path) -> None:
    space = {
        "optimizer.lr": {"type": "choice", "values": [0.005, 100]},
        "optimizer.name": {"type": "choice", "values": ["sgd"]},
        "optimizer.weight_decay": {"type": "choice", "values": [10]},
    }
    book, _ = run(ray_head, tmp_path, {"space": space, "algorithm": "grid"})
    assert states(book) == ["finished", "failed"]
    assert str(book.trials[1].reason).startswith("LossNotFinite: the loss became")


HOW = ["ends well", "dies once", "is told to leave twice", "is damaged and dies", "dies always"]


@pytest.mark.timeout(600)
def test_a_trial_whose_process_dies_goes_on_from_its_checkpoint_and_fails_alone_when_it_always_dies(
    ray_head: RayHead, tmp_path: Path
) -> None:
    search = {"space": {"how": {"type": "choice", "values": HOW}}, "algorithm": "grid", "trials": 5}
    book, _ = run(ray_head, tmp_path, search, runner="broken_trials:run", retries=1)
    assert states(book) == [*["finished"] * 4, "failed"]
    assert book.trials[4].reason == "its process died 2 times: it was killed, for lack of memory say, or crashed"
    first, *others = ([dict(one.metrics) for one in book.trials[number].epochs] for number in range(4))
    assert len(first) == 3
    # The interruption changed nothing of what was learnt.
    assert others == [first] * 3
    said = [line for line in (tmp_path / "said.txt").read_text().splitlines() if line.startswith("trial ")]
    left = [line for line in said if line.startswith("trial 2:")]
    # Told twice, and no retry was spent on it: there is one.
    assert left == [
        f"trial 2: its process was told to leave (SIGTERM); another goes on within epoch {n}." for n in (2, 3)
    ]
    (passed_over,) = [line for line in said if line not in left]
    assert re.search(
        r"trial 3: the checkpoint .* could not be read; the one before, of epoch 1, was taken", passed_over
    )


@pytest.mark.timeout(600)
def test_a_sweep_that_ends_lets_its_running_trials_write_a_checkpoint_within_their_epoch(
    ray_head: RayHead, tmp_path: Path
) -> None:
    how = ["waits for the end", "waits for the first and dies always"]
    search = {"space": {"how": {"type": "choice", "values": how}}, "algorithm": "grid", "max_failures": 1}
    book, _ = run(ray_head, tmp_path, search, runner="broken_trials:run")
    assert states(book) == ["running", "failed"]
    newest = CheckpointFolder(book.folder(0), 2).newest()
    assert newest is not None
    assert newest.content is not None
    progress = newest.content["progress"]
    assert (progress["epoch"], progress["step"] > 0) == (1, True)
