"""Ray Tune runs the trials of a sweep: its event loop (tune_controller), its schedulers, its actors, used again.

Tune's own snapshots are not used: after kill -9 they run finished trials again and drop others (measured, Ray
2.60). The sweep's book is the truth; a new session goes on from it with a new Tuner.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

# Read by Tune when it is imported. The metric is checked by the sweep, after the first report.
os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000000")
os.environ.setdefault("TUNE_WARN_THRESHOLD_S", "30")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")

from ray import tune
from ray.tune import Callback, FailureConfig, RunConfig, Stopper, TuneConfig
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from mlvision.entry import tune_trainable
from mlvision.entry.tune_controller import quick
from mlvision.entry.tune_schedulers import build_scheduler, number_of, record_of
from mlvision.search.sweep import Sweep

MLVISION = "mlvision.search.trial:run_trial"
RUNNERS = {"mlvision": MLVISION, "lightning": "mlvision.search.lightning_trial:run_trial"}
# What it has to say is about its own result files, which nobody asked for.
logging.getLogger("ray.tune").setLevel(logging.ERROR)


class _Numbered(Searcher):
    """Gives Tune the sweep's next trial, as long as there is a place for it."""

    def __init__(self, sweep: Sweep, extra: dict[str, Any], places: int) -> None:
        super().__init__(metric=sweep.settings.metric, mode=sweep.settings.mode)
        self._sweep, self._extra, self._places = sweep, extra, places
        self._going: set[str] = set()

    def suggest(self, trial_id: str) -> Any:
        if len(self._going) >= self._places:
            return None
        if self._sweep.is_over or (record := self._sweep.next_trial()) is None:
            return Searcher.FINISHED
        self._going.add(trial_id)
        return {"task": asdict(self._sweep.task(record)), **self._extra}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: ARG002
        self._going.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        pass

    def restore(self, checkpoint_path: str) -> None:
        pass


class _Notes(Callback):
    """Tells the sweep what Tune sees, result by result."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def on_trial_start(self, iteration: int, trials: Any, trial: Trial, **_: Any) -> None:  # noqa: ARG002
        record = record_of(self._sweep, trial)
        if record.state != "running":
            self._sweep.started(record)

    def on_trial_result(self, iteration: int, trials: Any, trial: Trial, result: dict[str, Any], **_: Any) -> None:  # noqa: ARG002
        record = record_of(self._sweep, trial)
        if note := result.get(tune_trainable.NOTE):
            self._sweep.note(record, note)
        if "metrics" in result:
            self._sweep.reported(record, result["epoch"], result["seconds"], result["metrics"])

    def on_trial_complete(self, iteration: int, trials: Any, trial: Trial, **_: Any) -> None:  # noqa: ARG002
        record, last = record_of(self._sweep, trial), cast("dict[str, Any]", trial.last_result or {})
        if last.get(tune_trainable.END) == "failed":
            self._sweep.failed(record, last[tune_trainable.REASON])
        else:
            self._sweep.ended(record, is_complete=last.get(tune_trainable.END) == "finished")

    def on_trial_error(self, iteration: int, trials: Any, trial: Trial, **_: Any) -> None:  # noqa: ARG002
        # Tune's own get_error() looks where the file is copied to later.
        file = Path(trial.error_file or "")
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        self._sweep.failed(record_of(self._sweep, trial), death(text))


def death(text: str) -> str:
    """Say why a trial's process died, from what Tune has written of each time."""
    times = re.split(r"^Failure # \d+ .*\n", text, flags=re.MULTILINE)[1:]
    lines = [line.strip() for line in (times[-1:] or [""])[0].splitlines() if line.strip()]
    how = "without a word"
    if lines:
        # A trial that cannot even begin ends with its traceback; of a death Ray knows nothing but guesses.
        how = lines[-1] if "creation task" in lines[0] else lines[0]
    if "Worker unexpectedly exits" in text:
        how = "it was killed, for lack of memory say, or crashed"
    return f"its process died{f' {len(times)} times' if len(times) > 1 else ''}: {how}"


class _End(Stopper):
    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        return False

    def stop_all(self) -> bool:
        return self._sweep.is_over


def run(
    sweep: Sweep,
    resources: dict[str, float],
    places: int,
    *,
    retries: int,
    runner: str,
    callbacks: Sequence[Callback] = (),
    keep: str | None = None,
) -> Any:
    """Run the sweep to its end; give Tune's own results, whose files are in the folder ``keep``, else nowhere."""
    extra = {"runner": runner, "cpus": resources["cpu"]}
    with tempfile.TemporaryDirectory(prefix="mlv-tune-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(tune_trainable.Trials, resources),
            tune_config=TuneConfig(
                search_alg=_Numbered(sweep, extra, places),
                scheduler=build_scheduler(sweep),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=RunConfig(
                name="sweep",
                storage_path=keep or folder,
                stop=_End(sweep),
                callbacks=[_Notes(sweep), *callbacks],
                failure_config=FailureConfig(max_failures=retries),
                verbose=0,
            ),
        )
        with quick(places, is_read_back=keep is not None):
            return tuner.fit()


def _name(trial: Trial) -> str:
    return f"trial-{number_of(trial):05d}"
