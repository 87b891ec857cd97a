"""One training from the first word to the last: whatever happens, whoever watches is told how it ended."""

from __future__ import annotations

import threading

from mlvision import callbacks as on
from mlvision.config import TrainConfig
from mlvision.data.dataset import ImageData
from mlvision.data.load import load_data
from mlvision.distributed import ALONE, Workers, lost_peers_named
from mlvision.errors import PeerLost, Stopped
from mlvision.loop import Training
from mlvision.storage import Place


def train(
    config: TrainConfig,
    callback: on.Callback | None = None,
    folder: Place | None = None,
    stop: threading.Event | None = None,
    data: ImageData | None = None,
    workers: Workers = ALONE,
) -> on.Finished:
    """Train and tell ``callback``; set ``stop`` to end after a step with a checkpoint (``Stopped``).

    Each of several ``workers`` calls this with the same configuration; the callback of the first one is told
    of all. Nobody is told of a ``PeerLost``: its reason is known elsewhere.
    """
    watch, training = callback or on.Callbacks([]), None
    try:
        with lost_peers_named():
            images = data or _load(config, workers)
            training = Training(config, images, watch, folder, stop or threading.Event(), workers)
            finished = training.run()
        watch.on_end(finished)
        return finished
    except Stopped as stopped:
        watch.on_stopped(on.StoppedRun(stopped.reason, stopped.epoch, stopped.checkpoint))
        raise
    except PeerLost:
        raise
    except Exception as error:
        watch.on_failure(on.Failed(error, training.state.epoch + 1 if training else 0))
        raise


def _load(config: TrainConfig, workers: Workers) -> ImageData:
    """Load the data, the first worker before the others: two that download the same would be in each other's way."""
    data = load_data(config.data) if workers.is_first else None
    workers.wait()
    return data or load_data(config.data)
