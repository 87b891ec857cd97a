"""A sweep in the driver of its job: Ray Tune's loop here, the trials in actors, MLflow written from here alone."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from typing import Any

from mlvision.config import parse_config
from mlvision.entry.cluster import check_fit, connect, machines
from mlvision.entry.output import Output
from mlvision.entry.spec import JobSpec, TuneWork, sign_in
from mlvision.entry.stopping import Stopping
from mlvision.errors import TrainingError
from mlvision.events import EventWriter
from mlvision.search.records import Book
from mlvision.search.settings import SearchSettings, parse_settings, rungs
from mlvision.search.sweep import Sweep
from mlvision.search.sweep_events import SweepEvents
from mlvision.search.trial_runs import TrialRuns
from mlvision.tracking_client import REASON, Entry, TrackingClient
from mlvision.tracking_http import TrackingUnavailable, insist
from mlvision.tracking_reason import describe, locate

_PATIENCE = 120.0  # seconds that MLflow may take at the end


def run_sweep(spec: JobSpec, output: Output, events: EventWriter, stopping: Stopping) -> int:
    """Run the sweep; give the exit code, or -signal."""
    work = spec.work
    assert isinstance(work, TuneWork)

    def say(text: str) -> None:
        output.write(f"{text}\n")

    try:
        settings = parse_settings(work.search)
        base, epochs = trial_config(work, settings)
        runs = _runs(spec, say)
        watchers = [SweepEvents(events, settings, epochs), runs]
        sweep = Sweep(settings, base, Book(spec.storage), watchers, epochs=epochs, say=say)
    except TrainingError as error:
        events.emit("failed", error=describe(error), where=locate(error))
        return 2
    environment = connect(with_code=True)
    stopping.take_signals()
    check_fit(spec)
    count = places(spec, settings)
    _say_start(events, sweep, count)
    began = time.monotonic()
    for record in sweep.kept:
        runs.changed(record)  # whatever an earlier session did not get to write
    error = _search(spec, sweep, count, stopping)
    _tidy(sweep)

    from mlvision.entry import tune_end

    end = tune_end.SweepEnd(spec, sweep, runs, output, events, stopping)
    return end.close(error, environment, seconds=time.monotonic() - began, patience=_PATIENCE)


def trial_config(work: TuneWork, settings: SearchSettings) -> tuple[dict[str, Any], int]:
    """Give what all trials have in common, checked, and how long one may train."""
    if work.trial.type == "mlvision":
        return work.trial.config, parse_config(work.trial.config).epochs
    from mlvision.lightning.config import parse_lightning

    base = work.trial.config | {"metric": settings.metric, "mode": settings.mode}
    return base, parse_lightning(base).epochs


def _runs(spec: JobSpec, say: Any) -> TrialRuns:
    client, run_id = TrackingClient.sign_in(spec.tracking.uri, sign_in(spec)), spec.tracking.run_id
    with contextlib.suppress(TrackingUnavailable):
        run = insist(lambda: client.run(run_id), 5.0)
        if run.status != "RUNNING":  # an earlier session has ended it
            client.update_run(run_id, "RUNNING")
        if REASON in run.tags:
            client.post(Entry("runs/delete-tag", {"run_id": run_id, "key": REASON}))
    return TrialRuns(client, run_id, spec.tracking.experiment_id, say)


def places(spec: JobSpec, settings: SearchSettings) -> int:
    """Count how many trials fit side by side, and no more than was asked for."""
    cpus, gpus = spec.resources.cpus, spec.resources.gpus
    fits = [
        min(int(one.get("CPU", 0) / cpus + 1e-9), int(one.get("GPU", 0) / gpus + 1e-9) if gpus else 10**6)
        for one in machines()
    ]
    return max(1, min(sum(fits), settings.concurrency or 10**6))


def _say_start(events: EventWriter, sweep: Sweep, places: int) -> None:
    settings = sweep.settings
    events.emit("state", state="running", message=f"Running {places} trial{'s' if places > 1 else ''} at a time.")
    events.emit(
        "sweep",
        trials=sweep.trials,
        kept=len(sweep.kept),
        metric=settings.metric,
        mode=settings.mode,
        algorithm=settings.algorithm,
        scheduler=settings.scheduler,
        epochs=sweep.epochs,
        rungs=rungs(settings, sweep.epochs) if settings.scheduler in {"asha", "hyperband"} else [],
        concurrency=places,
        varied=list(settings.space),
        train=settings.train,
        best=_best(sweep),
    )


def _best(sweep: Sweep) -> dict[str, Any] | None:
    ranking = sweep.ranking()
    if not ranking:
        return None
    return {"trial": ranking[0].number, "value": ranking[0].value(sweep.settings.metric, sweep.settings.mode)}


def _search(spec: JobSpec, sweep: Sweep, places: int, stopping: Stopping) -> Exception | None:
    """Run Tune in a thread, so that a stop is heard while it waits inside Ray."""
    from mlvision.entry import tune_engine

    assert isinstance(spec.work, TuneWork)
    trial = spec.work.trial.type
    done, killed = threading.Event(), threading.Event()
    failure: list[Exception] = []

    def fit() -> None:
        logging.getLogger("ray").setLevel(logging.ERROR)
        resources = {"cpu": spec.resources.cpus, "gpu": spec.resources.gpus}
        try:
            tune_engine.run(sweep, resources, places, retries=spec.retries, runner=tune_engine.RUNNERS[trial])
        except Exception as error:
            failure.append(error)
        finally:
            done.set()

    def tell(letter: bytes) -> None:
        sweep.end(signal.Signals.SIGTERM.name)
        if letter == b"K":
            killed.set()

    threading.Thread(target=fit, name="tune", daemon=True).start()
    stopping.tell(tell)
    while not done.wait(0.1) and not killed.is_set():
        pass
    stopping.tell(None)
    return failure[0] if failure else None


def _tidy(sweep: Sweep) -> None:
    """Note what Tune stopped without a word: those trials go on when the sweep is resumed."""
    for record in sweep.book.trials.values():
        if record.state == "running":
            sweep.end("the sweep ended")
            sweep.ended(record, is_complete=False)
