"""One training in this process: of a job (``--job``), or of a configuration in a file (``--config``).

    python -m mlvision.entry.train --config config.json --folder checkpoints

With MLFLOW_TRACKING_URI and MLFLOW_RUN_ID set (and its sign-in, where the server wants one) it is
recorded in that run. It ends with 0, 1 for a training that failed, 2 for a wrong configuration, and
128 + 15 when it was stopped.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from mlvision.events import EventWriter

if TYPE_CHECKING:
    from mlvision.callbacks import Callbacks
    from mlvision.config import TrainConfig
    from mlvision.mlflow_callback import MlflowCallback
    from mlvision.registry import Registration
    from mlvision.tracking_client import TrackingClient

STOPPED = 128 + signal.SIGTERM


def main(arguments: list[str] | None = None) -> int:
    """Train as told; give the exit code."""
    stop = threading.Event()
    # Before anything heavy is imported: a stop in the first seconds is one too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    events = EventWriter()

    from mlvision.errors import ConfigError, TrainingError
    from mlvision.tracking_reason import describe, locate

    try:
        config, folder, registration = task(arguments)
    except ConfigError as error:
        events.emit("failed", error=describe(error), where=None)
        _fail_run(describe(error))
        return 2
    try:
        tracker = open_tracker(folder, registration)
    except TrainingError as error:
        events.emit("failed", error=describe(error), where=locate(error))
        return 1
    return _train(config, folder, stop, events, tracker)


def _train(
    config: TrainConfig,
    folder: str | None,
    stop: threading.Event,
    events: EventWriter,
    tracker: MlflowCallback | None,
) -> int:
    from mlvision.errors import Stopped, TrainingError
    from mlvision.training import train

    try:
        train(config, watchers(events, tracker), folder, stop)
    except Stopped:
        return STOPPED
    except TrainingError:
        return 1
    return 0


def task(arguments: list[str] | None, program: str = "train") -> tuple[TrainConfig, str | None, Registration | None]:
    """Give what to train, where its checkpoints lie, and where the model is registered."""
    from mlvision.config import parse_config
    from mlvision.registry import Registration

    parser = argparse.ArgumentParser(
        prog=f"python -m mlvision.entry.{program}", description="Train an image classifier."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--job", action="store_true", help="the job of the variable MLV_JOB_SPEC")
    which.add_argument("--config", type=Path, help="a JSON file with the settings that differ from the defaults")
    parser.add_argument("--folder", help="where checkpoints go and are taken up: a folder or an s3:// address")
    given = parser.parse_args(arguments)
    if given.config is not None:
        return parse_config(given.config.read_bytes()), given.folder, None

    from mlvision.entry.spec import MlvisionWork, from_environment

    spec = from_environment()
    assert isinstance(spec.work, MlvisionWork)
    wanted = spec.register_
    template = spec.job.template or "digits"
    command = f"mlv train {template} --register {wanted.model}" if wanted else ""
    registration = Registration(wanted.model, wanted.alias, command) if wanted else None
    return parse_config(spec.work.config), spec.storage, registration


def open_tracker(folder: str | None, registration: Registration | None) -> MlflowCallback | None:
    """Give what records the training in the run that the environment names, if it names one."""
    found = _run()
    if found is None:
        return None
    from mlvision.mlflow_callback import MlflowCallback

    return MlflowCallback(*found, _say, folder=folder, registration=registration)


def watchers(events: EventWriter, tracker: MlflowCallback | None) -> Callbacks:
    """Give what tells the world of a training."""
    from mlvision.callbacks import Callback, Callbacks
    from mlvision.event_callback import EventCallback

    # The events come last: their result names the model that the tracker has saved.
    told = EventCallback(events, lambda: tracker.model if tracker else None)
    members: list[Callback] = [told] if tracker is None else [tracker, told]
    return Callbacks(members)


def _run() -> tuple[TrackingClient, str] | None:
    """Give the run that the variables name, if they do, and how to reach it."""
    uri, run_id = os.environ.get("MLFLOW_TRACKING_URI"), os.environ.get("MLFLOW_RUN_ID")
    if not uri or not run_id:
        return None
    from mlvision.tracking_client import TrackingClient

    return TrackingClient.sign_in(uri, os.environ), run_id


def _fail_run(reason: str) -> None:
    """End the run of a training that cannot even begin."""
    found = _run()
    if found is None:
        return
    from mlvision.tracking_client import REASON
    from mlvision.tracking_http import TrackingRefused, TrackingUnavailable, insist

    client, run_id = found
    try:
        insist(lambda: client.set_tags(run_id, {REASON: reason}), 10.0)
        insist(lambda: client.update_run(run_id, "FAILED"), 10.0)
    except (TrackingUnavailable, TrackingRefused) as error:
        _say(f"The run in MLflow could not be ended ({error}).")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The threads of PyTorch and of the tracker have nothing left to do; taking them down takes a second.
    os._exit(code)
