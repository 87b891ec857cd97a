"""Tune's schedulers, told of what the trials before this session came to."""

from __future__ import annotations

from typing import Any, cast

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from mlvision.entry import tune_trainable
from mlvision.search.records import TrialRecord
from mlvision.search.settings import SearchSettings
from mlvision.search.sweep import Sweep

_SECTION = "metrics/"


def build_scheduler(sweep: Sweep) -> TrialScheduler:
    """Give the scheduler, which knows by then what the trials before this session came to."""
    settings = sweep.settings
    kind = type(_plain_scheduler(settings, sweep.epochs))

    class Informed(kind):  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
        """Compares a trial that goes on from a checkpoint by all of its epochs."""

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            super().on_trial_add(tune_controller, trial)
            self.replay(record_of(sweep, trial), trial)

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            if tune_trainable.LEFT in result:
                return TrialScheduler.PAUSE  # until there is an actor for it
            return super().on_trial_result(tune_controller, trial, _flat(result))

        def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
            super().on_trial_complete(tune_controller, trial, _flat(result))

        def replay(self, record: TrialRecord, trial: Any) -> None:
            for one in record.epochs:
                super().on_trial_result(cast("Any", None), trial, {"epoch": one.epoch, **one.metrics})

        def recall(self, record: TrialRecord) -> None:
            trial = cast("Any", _Past(record.number))
            super().on_trial_add(cast("Any", None), trial)
            self.replay(record, trial)

    scheduler = _plain_scheduler(settings, sweep.epochs)
    scheduler.__class__ = Informed
    informed = cast("Informed", scheduler)
    informed.set_search_properties(settings.metric, settings.mode)
    informed.set_search_properties = _say_yes
    if settings.scheduler != "none":
        for record in sweep.kept:
            if record.is_comparable:
                informed.recall(record)
    return informed


def _say_yes(*_: object, **__: object) -> bool:
    """Tune would tell a scheduler its metric a second time, and take the refusal for an error."""
    return True


class _Past:
    """Stands for a trial of an earlier session in the books of a scheduler."""

    def __init__(self, number: int) -> None:
        self.trial_id = f"past-{number}"


def _plain_scheduler(settings: SearchSettings, epochs: int) -> TrialScheduler:
    if settings.scheduler == "none":
        return FIFOScheduler()
    if settings.scheduler == "median":
        # A slice that never ends: trials are stopped, none is paused.
        return MedianStoppingRule(time_attr="epoch", grace_period=settings.grace, min_time_slice=2**31)
    brackets = 3 if settings.scheduler == "hyperband" else 1
    most = max(epochs, settings.grace + 1)
    return AsyncHyperBandScheduler(
        time_attr="epoch",
        grace_period=settings.grace,
        max_t=most,
        reduction_factor=settings.reduction,
        brackets=min(brackets, _levels(settings, most)),
        stop_last_trials=False,
    )


def _levels(settings: SearchSettings, epochs: int) -> int:
    count, at = 1, settings.grace * settings.reduction
    while at < epochs:
        count, at = count + 1, at * settings.reduction
    return count


def _flat(result: dict[str, Any]) -> dict[str, Any]:
    """Give the metrics by their own names; Tune has put their section before them."""
    metrics = {key.removeprefix(_SECTION): value for key, value in result.items() if key.startswith(_SECTION)}
    return {"epoch": result.get("epoch", 0), **metrics}


def record_of(sweep: Sweep, trial: Any) -> TrialRecord:
    """Find what a trial of Tune's is in the book."""
    return sweep.book.trials[number_of(trial)]


def number_of(trial: Any) -> int:
    """Give the trial's number in the sweep."""
    return int(trial.config["task"]["number"])
