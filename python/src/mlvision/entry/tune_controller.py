"""Ray Tune's event loop, with what costs a sweep seconds for nothing left out (measured, Ray 2.60).

Tune starts actors one after the other; gives a trial whose own actor is starting one that has become free, and ends
the other half started; at the end waits 5 s for those; reads result files back that are not there; and imports all
of MLflow to count which callbacks are in use. These are its own methods: the version is pinned, and a test runs each.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Generator
from typing import Any

import ray
from ray.air._internal import usage
from ray.tune import tune as tune_module
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial

from mlvision.entry import tune_trainable

_PATIENCE = 5.0  # seconds in which an actor may end its step and itself


@contextlib.contextmanager
def quick(places: int, *, is_read_back: bool) -> Generator[None]:
    """Have Tune use the loop below, with so many trials side by side, and read its results back only if wanted."""
    changes: list[tuple[Any, str, Any]] = [
        (tune_module, "TuneController", type("Controller", (_Controller,), {"places": places})),
        (usage, "tag_callbacks", _count_nothing),
    ]
    if not is_read_back:
        changes.append((tune_module, "ExperimentAnalysis", _NoResults))
    before = [(place, name, getattr(place, name)) for place, name, _ in changes]
    for place, name, value in changes:
        setattr(place, name, value)
    try:
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)


def _count_nothing(*_: object, **__: object) -> Any:
    return None


class _NoResults:
    def __init__(self, **_: object) -> None:
        self.trials: list[Trial] = []


class _Controller(TuneController):
    places: int

    def update_max_pending_trials(self, max_pending_trials: int | None = None) -> None:  # noqa: ARG002
        self._max_pending_trials = self.places

    def _maybe_reuse_cached_actor(self, trial: Trial) -> bool:
        own = self._trial_to_actor.get(trial)
        # Whose own actor is starting waits for it, as long as there are others for the free one.
        if own and self._actor_manager.is_actor_started(own) and not self._search_alg.is_finished():
            return False
        return bool(super()._maybe_reuse_cached_actor(trial))

    def _maybe_cache_trial_actor(self, trial: Trial) -> bool:
        if tune_trainable.LEFT in (trial.last_result or {}):
            return False
        return bool(super()._maybe_cache_trial_actor(trial))

    def _schedule_trial_stop(self, trial: Trial, exception: Exception | None = None) -> None:
        if exception is None and trial.status == Trial.RUNNING and self._stopper.stop_all():
            _hurry(trial)
        super()._schedule_trial_stop(trial, exception)

    def _cleanup_trials(self) -> None:
        for trial in list(self._actor_to_trial.values()):
            self._schedule_trial_stop(trial)
        self._cleanup_cached_actors(force_all=True)
        manager = self._actor_manager
        for actor in manager.live_actors:
            if actor not in self._started_actors:
                manager.remove_actor(actor, kill=True)
        until = time.monotonic() + _PATIENCE
        while manager.num_live_actors and time.monotonic() < until:
            manager.next(timeout=0.2)
        self._stopping_actors.clear()
        manager.cleanup()


def _hurry(trial: Trial) -> None:
    """Have a trial that runs on this machine end within its epoch, with a checkpoint; elsewhere it ends the epoch."""
    place = trial.temporary_state.location  # known from a result of this very process
    if place.pid and place.hostname == ray.util.get_node_ip_address():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(int(place.pid), signal.SIGTERM)
