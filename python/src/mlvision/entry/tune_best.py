"""Measures and saves the model of a sweep's best trial from its checkpoint: nothing is trained."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from mlvision.entry.train import watchers
from mlvision.events import EventWriter

if TYPE_CHECKING:
    from mlvision.callbacks import Callback


def main() -> int:
    """Do it for the job of this process; give the exit code."""
    events = EventWriter()

    from mlvision import callbacks as on
    from mlvision.entry.spec import MlvisionWork, from_environment
    from mlvision.errors import TrainingError
    from mlvision.mlflow_callback import MlflowCallback
    from mlvision.registry import Registration
    from mlvision.tracking_client import TrackingClient

    spec = from_environment()
    assert isinstance(spec.work, MlvisionWork)
    wanted = spec.register_
    again = f"mlv tune {spec.job.template} --register {wanted.model}" if wanted else ""
    registration = Registration(wanted.model, wanted.alias, again) if wanted else None
    try:
        client = TrackingClient.sign_in(spec.tracking.uri, os.environ)
        tracker = MlflowCallback(client, spec.tracking.run_id, print, folder=spec.storage, registration=registration)
    except TrainingError as error:
        events.emit("failed", error=str(error), where=None)
        return 1
    watch = watchers(events, tracker)
    try:
        _finish(spec.work.config, spec.storage, watch)
    except TrainingError as error:
        watch.on_failure(on.Failed(error, 0))
        return 1
    return 0


def _finish(settings: dict[str, Any], folder: str, watch: Callback) -> None:
    """Take up the newest checkpoint and end the training there."""
    from mlvision import callbacks as on
    from mlvision.config import parse_config
    from mlvision.data.load import load_data
    from mlvision.errors import CheckpointMismatch
    from mlvision.loop import Training
    from mlvision.models.build import count_parameters

    config = parse_config(settings)
    data = load_data(config.data)
    training = Training(config, data, watch, folder, threading.Event())
    state, compute = training.state, training.compute
    parameters = count_parameters(state.model)
    watch.on_start(on.Started(config, data, state.model, parameters, compute.name, compute.precision))
    found = training.checkpoints.newest() if training.checkpoints else None
    if found is None or found.content is None:
        raise CheckpointMismatch(f"there is no checkpoint in {folder} that can be read.")
    state.restore(found.content, training.workers)
    watch.on_resumed(on.Resumed(state.epoch, state.step, found.path, found.unreadable))
    watch.on_end(training.finish())


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
