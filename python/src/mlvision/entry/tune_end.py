"""The end of a sweep: its verdict, its files in MLflow, and what becomes of the best trial."""

from __future__ import annotations

import signal
from typing import Any

from mlvision.entry.cluster import run_work
from mlvision.entry.output import Output
from mlvision.entry.spec import JobSpec, TuneWork, sign_in
from mlvision.entry.stopping import Stopping
from mlvision.events import EventWriter
from mlvision.search.records import TrialRecord, now_ms
from mlvision.search.summary import artifacts
from mlvision.search.sweep import Sweep, with_params
from mlvision.search.trial_runs import TrialRuns
from mlvision.tracking_client import Point, TrackingClient, batch
from mlvision.tracking_http import TrackingRefused, TrackingUnavailable, insist
from mlvision.tracking_reason import describe, locate

_SAVERS = {"mlvision": "mlvision.entry.tune_best", "lightning": "mlvision.entry.lightning_best"}

_OF_TEMPLATE = {"module", "datamodule", "metric", "mode", "trainer"}


class SweepEnd:
    """Ends one session of a sweep."""

    def __init__(
        self, spec: JobSpec, sweep: Sweep, runs: TrialRuns, output: Output, events: EventWriter, stopping: Stopping
    ) -> None:
        self._spec, self._sweep, self._runs = spec, sweep, runs
        self._output, self._events, self._stopping = output, events, stopping
        self._client = TrackingClient.sign_in(spec.tracking.uri, sign_in(spec))

    def close(self, error: Exception | None, environment: dict[str, Any], *, seconds: float, patience: float) -> int:
        """Write everything down; give the exit code."""
        sweep, is_stopped = self._sweep, self._stopping.requested.is_set()
        ranking = sweep.ranking()
        best = ranking[0] if ranking else None
        unwritten = self._runs.close(8.0 if is_stopped else patience)
        problem = self._write(best, 4.0 if is_stopped else patience)
        if unwritten:
            problem = f"MLflow did not take {unwritten} trials; `mlv tune resume {self._spec.job.name}` writes them."
        self._say_end(best, seconds)
        if is_stopped:
            self._events.emit("stopped", reason="SIGTERM", epoch=None)
            return -signal.SIGTERM
        if reason := self._failure(error, best, problem):
            self._events.emit("failed", error=reason, where=locate(error) if error else None)
            return 1
        assert best is not None
        return self._keep(best, environment)

    def _failure(self, error: Exception | None, best: TrialRecord | None, problem: str | None) -> str | None:
        sweep = self._sweep
        if error is not None:
            return f"the search broke off: {describe(error)}"
        if sweep.is_broken and sweep.reason is not None:
            return sweep.reason
        if best is None:
            first = next((one for one in sweep.book.trials.values() if one.state == "failed"), None)
            return f"no trial came to a result{f'; trial {first.number}: {first.reason}' if first else ''}."
        return problem

    def _write(self, best: TrialRecord | None, patience: float) -> str | None:
        """Write the sweep's figures and files to its run; say what could not be written."""
        sweep, client, run_id = self._sweep, self._client, self._spec.tracking.run_id
        settings = sweep.settings
        records = list(sweep.book.trials.values())
        figures = {f"trials_{state}": float(count) for state, count in sweep.counts().items()}
        figures["epochs_run"] = float(sum(len(record.epochs) for record in records))
        tags: dict[str, str] = {}
        if best is not None:
            figures[f"best_{settings.metric}"] = best.value(settings.metric, settings.mode) or 0.0
            tags = {
                "mlv.sweep.best_trial": str(best.number),
                "mlv.sweep.best_run": self._runs.run_id(best.number) or "",
            }
        points = [Point(key, value, now_ms(), len(records)) for key, value in figures.items()]
        try:
            insist(lambda: client.post(batch(run_id, metrics=points, tags=tags)), patience)
            run = insist(lambda: client.run(run_id), patience)
            for name, content in artifacts(records, best, settings, self._fixed()).items():
                kind = "image/png" if name.endswith(".png") else "text/plain"
                insist(lambda name=name, content=content, kind=kind: client.upload(run, name, content, kind), patience)
        except (TrackingUnavailable, TrackingRefused) as error:
            return f"MLflow did not take the sweep's files: {error}"
        return None

    def _fixed(self) -> dict[str, Any]:
        """Give what all trials had in common and a parameter file takes: not what the template fixes."""
        assert isinstance(self._spec.work, TuneWork)
        if self._spec.work.trial.type == "mlvision":
            return dict(self._sweep.base)
        return {key: value for key, value in self._sweep.base.items() if key not in _OF_TEMPLATE}

    def _say_end(self, best: TrialRecord | None, seconds: float) -> None:
        sweep, settings = self._sweep, self._sweep.settings
        records = sweep.book.trials.values()
        said = best and {
            "trial": best.number,
            "value": best.value(settings.metric, settings.mode),
            "params": best.params,
            "run_id": self._runs.run_id(best.number),
        }
        self._events.emit(
            "sweep_end",
            counts=sweep.counts(),
            trials=sweep.trials,
            epochs_run=sum(len(record.epochs) for record in records),
            epochs_full=len(sweep.book.trials) * sweep.epochs,
            seconds=round(seconds, 2),
            best=said,
            reason=sweep.reason,
        )

    def _keep(self, best: TrialRecord, environment: dict[str, Any]) -> int:
        """Do with the best trial what was asked for; a process of its own, like any training."""
        spec, settings = self._spec, self._sweep.settings
        assert isinstance(spec.work, TuneWork)
        if settings.best == "report" and spec.register_ is None:
            value = best.value(settings.metric, settings.mode)
            self._events.emit(
                "result",
                metrics={f"best_{settings.metric}": value},
                epochs_run=sum(len(one.epochs) for one in self._sweep.book.trials.values()),
                stopped_early=self._sweep.reason is not None,
                model=None,
            )
            return 0
        trial = spec.work.trial
        config = with_params(self._sweep.base, best.params)
        is_anew = settings.best == "retrain"
        if is_anew:
            config["epochs"] = settings.retrain_epochs or config.get("epochs") or self._sweep.epochs
            run_id, storage = self._retrain_run(best), f"{spec.storage.rstrip('/')}/best-{best.number:05d}"
        else:
            run_id, storage = self._runs.run_id(best.number) or "", self._sweep.book.folder(best.number)
        work = trial.model_copy(update={"config": config})
        tracking = spec.tracking.model_copy(update={"run_id": run_id})
        task = spec.model_copy(update={"work": work, "tracking": tracking, "storage": storage})
        module = None if is_anew else _SAVERS[trial.type]
        what = (
            f"Training trial {best.number} on the full budget." if is_anew else f"Saving trial {best.number}'s model."
        )
        self._events.emit("state", state="running", message=what)
        return run_work(task, self._output, self._events, self._stopping, environment=environment, module=module)

    def _retrain_run(self, best: TrialRecord) -> str:
        """Make the run of the training on the full budget, beside the trials."""
        tags = {"mlflow.parentRunId": self._spec.tracking.run_id, "mlv.trial.retrain": str(best.number)}
        name = f"retrain-{best.number:03d}"
        return insist(lambda: self._client.create_run(self._spec.tracking.experiment_name, name, tags), 30.0).run_id
