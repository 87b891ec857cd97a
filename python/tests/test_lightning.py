"""What a user's own LightningModule is promised: the same sweep, checkpoints and words as mlvision's loop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlvision.errors import ConfigError, LossNotFinite
from mlvision.lightning.config import parse_lightning
from mlvision.lightning.fit import LightningFit
from mlvision.search.lightning_trial import run_trial
from mlvision.search.trial import DataCache, Report, Task
from services import PYTHON, RayHead
from test_tune import run, states

FILES = PYTHON.parent / "templates/lightning/files"
CONFIG: dict[str, Any] = {
    "module": "digits_module:DigitsModule",
    "datamodule": "digits_module:DigitsData",
    "epochs": 3,
    "batch_size": 256,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def _where_the_job_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILES)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def trial(folder: Path, known: int = 0, **changes: Any) -> list[Report]:
    return list(run_trial(Task(0, CONFIG | changes, str(folder), known), DataCache()))


def test_an_epoch_is_trained_only_when_it_is_asked_for_and_is_safe_before_it_is_given(tmp_path: Path) -> None:
    reports = run_trial(Task(0, CONFIG, str(tmp_path), 0), DataCache())
    first = next(reports)
    assert set(first.metrics) == {"train_loss", "val_loss", "val_accuracy"}
    del reports
    assert [path.name[:17] for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-000001"]
    assert [(one.epoch, one.is_last) for one in trial(tmp_path, known=1)] == [(2, False), (3, True)]
    assert trial(tmp_path, known=3) == []


def test_of_a_corrupt_checkpoint_the_one_before_is_taken_and_it_is_said(tmp_path: Path) -> None:
    trial(tmp_path)
    newest = max(tmp_path.glob("checkpoint-*"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"!")
    (again,) = trial(tmp_path, known=2)
    assert again.epoch == 3
    assert again.note is not None
    assert f"{newest.name} could not be read" in again.note


def test_the_best_epoch_is_the_one_that_is_kept(tmp_path: Path) -> None:
    fit = LightningFit(parse_lightning(CONFIG | {"metric": "val_accuracy", "mode": "max"}), tmp_path)
    accuracies = [one.metrics["val_accuracy"] for one in fit.epochs()]
    assert fit.best is not None
    assert fit.best.metrics["val_accuracy"] == max(accuracies)
    again = LightningFit(parse_lightning(CONFIG | {"metric": "val_accuracy", "mode": "max"}), tmp_path)
    assert again.is_done
    assert again.best == fit.best


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"model": {"depth": 3}}, ConfigError, "does not take model: got an unexpected keyword argument 'depth'"),
        ({"module": "nowhere:Net"}, ConfigError, "no file nowhere.py"),
        ({"module": "digits_module:Net"}, ConfigError, "has no class Net"),
        ({"module": "digits_module:DigitsData"}, ConfigError, "DigitsData is no LightningModule"),
        ({"trainer": {"max_epochs": 3}}, ConfigError, "trainer.max_epochs is mlv's own affair"),
        ({"epochs": 0}, ConfigError, "epochs"),
        ({"model": {"lr": 1e30}}, LossNotFinite, "became nan in epoch 1"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        trial(tmp_path, **changes)


def test_an_environment_without_lightning_says_what_to_do() -> None:
    program = f"""
import importlib.util as util, sys
find = util.find_spec
util.find_spec = lambda name, *rest: None if name in ("lightning", "pytorch_lightning") else find(name, *rest)
from mlvision.lightning.config import parse_lightning
parse_lightning({CONFIG!r})
"""
    environment = {**os.environ, "PYTHONPATH": str(PYTHON / "src")}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert "no lightning. Write `lightning` into a file requirements.txt" in ended.stderr
    assert "mlv setup" in ended.stderr


@pytest.mark.timeout(600)
def test_a_sweep_of_a_lightning_module_runs_on_ray_and_its_numbers_are_rays_own(
    ray_head: RayHead, tmp_path: Path
) -> None:
    space = {
        "model.lr": {"type": "choice", "values": [0.003, 0.03, 1e30]},
        "model.hidden": {"type": "choice", "values": [16, 64]},
    }
    search = {"space": space, "algorithm": "grid", "trials": 6, "metric": "val_loss", "mode": "min"}
    base = CONFIG | {"metric": "val_loss", "mode": "min"}
    book, rays = run(ray_head, tmp_path, search, base=base, runner="lightning")
    assert states(book) == ["finished"] * 4 + ["failed"] * 2
    assert str(book.trials[5].reason).startswith("LossNotFinite: val_loss became nan in epoch 1")
    ours = {
        str(record.number): [[one.epoch, one.metrics["val_accuracy"], one.metrics["val_loss"]] for one in record.epochs]
        for record in book.trials.values()
    }
    assert ours == rays
