"""Which parameters the next trial gets: points of a grid, random draws, Optuna's TPE."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from mlvision.search.records import TrialRecord
from mlvision.search.settings import SearchSettings
from mlvision.search.space import Choice, LogUniform, Params, RandInt, Space, Value

if TYPE_CHECKING:
    import optuna


class Algorithm(Protocol):
    """Proposes parameters and learns from what became of them."""

    def suggest(self, number: int) -> Params | None:
        """Give the parameters of trial ``number`` (from 0); ``None`` when there is nothing left to try."""
        ...

    def learn(self, record: TrialRecord) -> None:
        """Take note of a trial that has ended, now or in an earlier session."""
        ...


def build_algorithm(settings: SearchSettings, space: Space) -> Algorithm:
    """Give the algorithm of the settings."""
    if settings.algorithm == "grid":
        return Grid(space)
    if settings.algorithm == "random":
        return Random(space, settings.seed)
    return Tpe(space, settings)


class Grid:
    """Every combination, in order."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def suggest(self, number: int) -> Params | None:
        """Give the point of that number."""
        return next(itertools.islice(self._space.grid(), number, None), None)

    def learn(self, record: TrialRecord) -> None:
        """A grid learns nothing."""


class Random:
    """Independent draws; trial n's depends on the seed and n alone, so nothing is lost with a process."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def suggest(self, number: int) -> Params | None:
        """Draw."""
        return self._space.draw(_Dice(random.Random(f"{self._seed} {number}")))

    def learn(self, record: TrialRecord) -> None:
        """Chance learns nothing."""


class _Dice:
    def __init__(self, generator: random.Random) -> None:
        self._generator = generator

    def number(self, name: str, low: float, high: float, *, log: bool) -> float:  # noqa: ARG002
        if log:
            # Rounding may carry the exponential over the end.
            return min(high, max(low, math.exp(self._generator.uniform(math.log(low), math.log(high)))))
        return self._generator.uniform(low, high)

    def integer(self, name: str, low: int, high: int) -> int:  # noqa: ARG002
        return self._generator.randint(low, high)

    def choice(self, name: str, values: Sequence[Value]) -> Value:  # noqa: ARG002
        return self._generator.choice(values)


class Tpe:
    """Bayesian: Optuna's tree-structured Parzen estimator."""

    def __init__(self, space: Space, settings: SearchSettings) -> None:
        # Imported by those who need it: it costs most of a second.
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        self._space = space
        self._metric, self._mode = settings.metric, settings.mode
        self._seed = settings.seed
        self._study = optuna.create_study(direction="maximize" if settings.mode == "max" else "minimize")
        self._asked: dict[int, optuna.Trial] = {}

    def suggest(self, number: int) -> Params | None:
        """Ask Optuna; the sampler is seeded by trial, so that a resumed sweep does not repeat its first draws."""
        self._study.sampler = self._optuna.samplers.TPESampler(seed=self._seed + number)
        trial = self._study.ask()
        self._asked[number] = trial
        return self._space.draw(_Optuna(trial))

    def learn(self, record: TrialRecord) -> None:
        """Tell Optuna the best value of the trial; one that was stopped early counts as pruned."""
        trial = self._asked.pop(record.number, None)
        if trial is not None:
            # Of Optuna's own trial: replaced by a finished one, which also holds the intermediate values.
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        if record.is_comparable:
            self._study.add_trial(to_optuna(record, self._space, self._metric, self._mode))


class _Optuna:
    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def number(self, name: str, low: float, high: float, *, log: bool) -> float:
        return self._trial.suggest_float(name, low, high, log=log)

    def integer(self, name: str, low: int, high: int) -> int:
        return self._trial.suggest_int(name, low, high)

    def choice(self, name: str, values: Sequence[Value]) -> Value:
        return cast("Value", self._trial.suggest_categorical(name, values))


def to_optuna(record: TrialRecord, space: Space, metric: str, mode: str) -> optuna.trial.FrozenTrial:
    """Give a trial that has ended as Optuna keeps it."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    distributions: dict[str, Any] = {}
    for name in record.params:
        one = space.dimensions[name]
        if isinstance(one, Choice):
            distributions[name] = CategoricalDistribution(one.values)
        elif isinstance(one, RandInt):
            distributions[name] = IntDistribution(one.min, one.max)
        else:
            distributions[name] = FloatDistribution(one.min, one.max, log=isinstance(one, LogUniform))
    best = record.best(metric, mode)
    values = {epoch.epoch: epoch.metrics[metric] for epoch in record.epochs if metric in epoch.metrics}
    values = {step: value for step, value in values.items() if math.isfinite(value)}
    is_pruned = record.state == "stopped_early"
    return optuna.trial.create_trial(
        params=dict(record.params),
        distributions=distributions,
        value=best.metrics[metric] if best else None,
        intermediate_values=values,
        state=optuna.trial.TrialState.PRUNED if is_pruned else optuna.trial.TrialState.COMPLETE,
    )
