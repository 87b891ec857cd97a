"""One training from the first word to the last: whatever happens, whoever watches is told how it ended."""

from __future__ import annotations

import threading

from mlvision import callbacks as on
from mlvision.config import TrainConfig
from mlvision.data.dataset import ImageData
from mlvision.data.load import load_data
from mlvision.errors import Stopped
from mlvision.loop import Training
from mlvision.storage import Place


def train(
    config: TrainConfig,
    callback: on.Callback | None = None,
    folder: Place | None = None,
    stop: threading.Event | None = None,
    data: ImageData | None = None,
) -> on.Finished:
    """Train and tell ``callback``; set ``stop`` to end after the current step with a checkpoint (``Stopped``)."""
    watch, training = callback or on.Callbacks([]), None
    try:
        training = Training(config, data or load_data(config.data), watch, folder, stop or threading.Event())
        finished = training.run()
        watch.on_end(finished)
        return finished
    except Stopped as stopped:
        watch.on_stopped(on.StoppedRun(stopped.reason, stopped.epoch, stopped.checkpoint))
        raise
    except Exception as error:
        watch.on_failure(on.Failed(error, training.state.epoch + 1 if training else 0))
        raise
