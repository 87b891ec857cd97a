"""One of several processes that train one model: of a job (``--job``), or of a configuration in a file.

    torchrun --nproc-per-node 2 -m mlvision.entry.ddp --config config.json --folder checkpoints

`mlv ddp` starts the same on Ray. The first process alone writes checkpoints, prints events and talks to
MLflow. Exit codes are those of ``mlvision.entry.train``; besides, 75 when another process was told to
stop, and 76 when another one is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from mlvision.entry.train import STOPPED, open_tracker, task, watchers
from mlvision.events import EventWriter

if TYPE_CHECKING:
    from mlvision.callbacks import Callback
    from mlvision.distributed import Workers
    from mlvision.registry import Registration

STOPPED_BY_PEER = 75
PEER_LOST = 76
PREFLIGHT = "MLV_DDP_PREFLIGHT"


def main(arguments: list[str] | None = None) -> int:
    """Train as told; give the exit code."""
    stop = threading.Event()
    # Before anything heavy is imported: a stop in the first seconds is one too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    given = list(sys.argv[1:] if arguments is None else arguments)
    is_checked = "--preflight" in given or PREFLIGHT in os.environ

    from mlvision.distributed import cleanup_distributed, setup_distributed
    from mlvision.distributed_preflight import preflight
    from mlvision.errors import PeerLost, Stopped, TrainingError
    from mlvision.tracking_reason import describe
    from mlvision.training import train

    events, workers, is_told = EventWriter(), None, False
    try:
        config, folder, registration = task([word for word in given if word != "--preflight"], "ddp")
        workers = setup_distributed(config.device)
        if is_checked:
            preflight(workers, lambda text: events.emit("state", state="running", message=text))
        callback = _callback(workers, folder, registration, events)
        is_told = callback is not None
        train(config, callback, folder, stop, workers=workers)
        code = 0
    except Stopped:
        code = STOPPED if stop.is_set() else STOPPED_BY_PEER
    except PeerLost as error:
        print(f"mlv: {error}", flush=True)
        code = PEER_LOST
    except TrainingError as error:
        if not is_told:
            _say_failure(events, workers, describe(error))
        code = 1
    if workers is not None:
        cleanup_distributed(workers, is_good=code in (0, STOPPED, STOPPED_BY_PEER))
    return code


def _callback(
    workers: Workers, folder: str | None, registration: Registration | None, events: EventWriter
) -> Callback | None:
    """Give what the first process tells the world with; the others tell nobody."""
    if not workers.is_first:
        return None
    return watchers(events, open_tracker(folder, registration))


def _say_failure(events: EventWriter, workers: Workers | None, error: str) -> None:
    if (workers is None and os.environ.get("RANK", "0") == "0") or (workers is not None and workers.is_first):
        events.emit("failed", error=error, where=None)
    else:
        print(f"mlv: {error}", flush=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # See mlvision.entry.train; and what is left of a broken process group may wait for ever.
    os._exit(code)
