"""What the search promises without Ray: spaces, algorithms, the book, and a sweep that goes on where it ended."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlvision.search import trial_runs
from mlvision.search.algorithms import Random, build_algorithm
from mlvision.search.errors import SearchError, SpaceChanged
from mlvision.search.records import Book, TrialRecord
from mlvision.search.settings import SearchSettings, parse_settings, rungs
from mlvision.search.summary import TABLE, artifacts, importance
from mlvision.search.sweep import Sweep
from mlvision.search.trial import DataCache, Report, Task, run_trial

SPACE: dict[str, Any] = {
    "optimizer.momentum": {"type": "uniform", "min": 0.5, "max": 0.9, "points": 2, "when": {"optimizer.name": "sgd"}},
    "optimizer.lr": {"type": "loguniform", "min": 0.001, "max": 0.1, "points": 3},
    "optimizer.name": {"type": "choice", "values": ["adamw", "sgd"]},
    "batch_size": {"type": "randint", "min": 32, "max": 34},
}
BASE: dict[str, Any] = {"epochs": 3, "batch_size": 128}


def settings(**changes: Any) -> SearchSettings:
    return parse_settings({"space": SPACE, "trials": 6, **changes})


def sweep(folder: Path, **changes: Any) -> Sweep:
    return Sweep(settings(**changes), BASE, Book(folder), [], epochs=3)


def run(one: Sweep, scores: Mapping[int, float], *, stop_after: int = 10**6) -> None:
    """Run trials to their ends, each with its score in the last of three epochs."""
    for _ in range(stop_after):
        if (record := one.next_trial()) is None:
            return
        one.started(record)
        for epoch in range(record.last_epoch + 1, 4):
            one.reported(record, epoch, 0.1, {"val_accuracy": scores.get(record.number, 0.5) - (3 - epoch) / 10})
        one.ended(record, is_complete=True)


@pytest.mark.parametrize("algorithm", ["random", "tpe", "grid"])
def test_every_algorithm_stays_within_the_space_and_asks_for_a_condition_only_where_it_holds(algorithm: str) -> None:
    chosen = settings(algorithm=algorithm)
    source = build_algorithm(chosen, chosen.build_space())
    for number in range(20):
        params = source.suggest(number)
        assert params is not None
        assert 0.001 <= params["optimizer.lr"] <= 0.1  # type: ignore[operator]
        assert params["batch_size"] in {32, 33, 34}
        assert ("optimizer.momentum" in params) == (params["optimizer.name"] == "sgd")


def test_a_grid_has_every_combination_once() -> None:
    points = list(settings().build_space().grid())
    assert len(points) == 3 * 3 * (1 + 2)
    assert len({tuple(sorted(point.items())) for point in points}) == len(points)


def test_a_random_trial_depends_on_the_seed_and_its_number_alone() -> None:
    space = settings().build_space()
    assert [Random(space, 1).suggest(5)] == [Random(space, 1).suggest(5)]
    assert Random(space, 1).suggest(5) != Random(space, 2).suggest(5)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"a": {"type": "uniform", "min": 2, "max": 1}}, "min 2 above max 1"),
        ({"a": {"type": "loguniform", "min": 0, "max": 1}}, "greater than 0"),
        ({"a": {"type": "normal", "min": 0, "max": 1}}, "'normal'"),
        ({"a": {"type": "randint", "min": 0, "max": 1, "when": {"b": 1}}}, "depends on b"),
        ({}, "empty"),
    ],
)
def test_a_space_that_makes_no_sense_is_one_sentence(space: dict[str, Any], words: str) -> None:
    with pytest.raises(SearchError, match=words):
        parse_settings({"space": space}).build_space()


def test_rungs_are_multiples_below_the_last_epoch() -> None:
    assert rungs(settings(grace=1, reduction=3), 27) == [1, 3, 9]
    assert rungs(settings(scheduler="none"), 27) == []


def test_a_second_session_keeps_what_is_finished_and_goes_on_with_what_was_begun(tmp_path: Path) -> None:
    first = sweep(tmp_path)
    run(first, {}, stop_after=2)
    begun = first.next_trial()
    assert begun is not None
    first.started(begun)
    first.reported(begun, 1, 0.1, {"val_accuracy": 0.3})

    second = sweep(tmp_path, trials=8)
    assert [record.number for record in second.kept] == [0, 1]
    again = second.next_trial()
    assert again is not None
    assert (again.number, again.params, second.task(again).known) == (begun.number, begun.params, 1)
    run(second, {})
    again.epochs.clear()
    assert sorted(Book(tmp_path).trials) == list(range(8))


def test_a_line_that_a_kill_cut_off_spoils_no_other(tmp_path: Path) -> None:
    first = sweep(tmp_path)
    run(first, {}, stop_after=1)
    file = tmp_path / "trial-00000.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rindex(b"\n") + 9])
    book = Book(tmp_path)
    assert book.trials[0].state == "running"
    book.report(book.trials[0], 4, 0.1, {"val_accuracy": math.nan})
    assert [one.epoch for one in Book(tmp_path).trials[0].epochs] == [1, 2, 3, 4]
    assert math.isnan(Book(tmp_path).trials[0].epochs[-1].metrics["val_accuracy"])


def test_another_space_is_refused_with_the_difference(tmp_path: Path) -> None:
    run(sweep(tmp_path), {}, stop_after=1)
    changed = SPACE | {"batch_size": {"type": "randint", "min": 32, "max": 64}}
    with pytest.raises(SpaceChanged, match=r"batch_size: randint \(min 32, max 34\) became randint \(min 32, max 64\)"):
        sweep(tmp_path, space=changed)


def test_a_metric_that_nobody_reports_ends_the_sweep_after_the_first_report(tmp_path: Path) -> None:
    one = sweep(tmp_path, metric="f1")
    record = one.next_trial()
    assert record is not None
    one.reported(record, 1, 0.1, {"val_accuracy": 0.5, "val_loss": 1.0})
    assert one.is_over
    assert one.reason == "the trials do not report f1; they report val_accuracy, val_loss."


def test_failures_end_a_sweep_only_where_that_was_asked_for(tmp_path: Path) -> None:
    for limit, is_over in ((None, False), (2, True)):
        one = sweep(tmp_path / str(limit), max_failures=limit)
        for _ in range(3):
            record = one.next_trial()
            assert record is not None
            one.failed(record, "it broke")
        assert one.is_over == is_over


def test_a_failed_trial_is_tried_again_only_where_that_was_asked_for(tmp_path: Path) -> None:
    first = sweep(tmp_path, trials=1)
    record = first.next_trial()
    assert record is not None
    first.failed(record, "it broke")
    assert sweep(tmp_path, trials=1).next_trial() is None
    again = sweep(tmp_path, trials=1, restart_errored=True)
    assert again.kept == []
    assert again.next_trial() == again.book.trials[0]


def test_only_the_best_keep_their_checkpoints(tmp_path: Path) -> None:
    one = sweep(tmp_path, keep=2)
    for number in range(6):
        (tmp_path / f"trial-{number:05d}").mkdir()
        (tmp_path / f"trial-{number:05d}" / "checkpoint-000003-00000000.pt").write_bytes(b"x")
    run(one, {1: 0.9, 4: 0.8})
    left = sorted(path.parent.name for path in tmp_path.glob("trial-*/checkpoint-*"))
    assert left == ["trial-00001", "trial-00004"]


def test_the_files_of_a_sweep_say_what_the_book_says(tmp_path: Path) -> None:
    one = sweep(tmp_path, trials=12)
    run(one, {3: 0.95} | {number: 0.5 + number / 100 for number in range(12) if number != 3})
    files = artifacts(list(one.book.trials.values()), one.ranking()[0], one.settings, one.base)
    rows = list(csv.DictReader(io.StringIO(files[TABLE].decode())))
    assert [row["val_accuracy"] for row in rows if row["trial"] == "3"] == ["0.95"]
    best = yaml.safe_load(files["sweep/best-params.yaml"])
    assert best == {"epochs": 3, **one.book.trials[3].params}
    pictures = [name for name, content in files.items() if content.startswith(b"\x89PNG")]
    assert len(pictures) == 3
    assert sum(importance(one.ranking(), one.settings.build_space(), one.settings).values()) == pytest.approx(1)


def trial(folder: Path, known: int = 0, epochs: int = 3, **config: Any) -> list[Report]:
    task = Task(0, {"epochs": epochs, "batch_size": 256, **config}, str(folder), known)
    return list(run_trial(task, DataCache()))


def test_a_trial_reports_from_its_checkpoint_what_the_sweep_has_not_heard(tmp_path: Path) -> None:
    whole = trial(tmp_path)
    assert [(one.epoch, one.is_last) for one in whole] == [(1, False), (2, False), (3, True)]
    assert trial(tmp_path, known=1) == whole[1:]
    assert trial(tmp_path, known=3) == []


def test_a_corrupt_checkpoint_costs_its_epoch_and_is_named(tmp_path: Path) -> None:
    whole = trial(tmp_path)
    newest = max(tmp_path.glob("checkpoint-*"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"!")
    again = trial(tmp_path, known=2)
    assert [(one.epoch, dict(one.metrics)) for one in again] == [(3, dict(whole[2].metrics))]
    assert again[0].note is not None
    assert newest.name in again[0].note
    assert "epoch 2" in again[0].note


def test_records_are_compared_by_their_best_epoch() -> None:
    record = TrialRecord(0, {})
    assert record.value("loss", "min") is None


def test_a_run_whose_state_was_tagged_but_not_set_is_set_when_the_sweep_goes_on() -> None:
    tags = [{"key": trial_runs.NUMBER, "value": "7"}, {"key": trial_runs.STATE, "value": "finished"}]
    run = {"info": {"run_id": "r", "status": "RUNNING"}, "data": {"tags": tags}}
    number, half = trial_runs._known(run)  # pyright: ignore[reportPrivateUsage]
    assert (number, half.state) == (7, "")
    run["info"] = {"run_id": "r", "status": "FINISHED"}
    assert trial_runs._known(run)[1].state == "finished"  # pyright: ignore[reportPrivateUsage]
