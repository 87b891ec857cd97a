"""Trainings on two processes, started once for many: interpreters take longer to start than these to train.

    torchrun --standalone --nproc-per-node 2 two_processes.py FOLDER

The first process prints ``{name: [losses]}`` as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 100,
    "device": "cpu",
    "model": {"norm": "group", "dropout": 0.0},
    "data": {"augment": {"translate": 1, "cutout": 2}},
}

SOURCE = Path(__file__).parents[1] / "src"


def variables() -> dict[str, str]:
    """Give the environment of the processes: one thread each, and the loopback interface alone."""
    interface = "lo0" if sys.platform == "darwin" else "lo"
    return os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": interface}


def torchrun(*program: str) -> subprocess.CompletedProcess[str]:
    """Start a program on two processes of this machine and wait for it."""
    argv = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *program]
    return subprocess.run(argv, capture_output=True, text=True, env=variables(), timeout=110, check=False)


def losses(result: Any) -> list[float]:
    """Give every loss of every epoch, and that on the test images."""
    epochs = [epoch.metrics for epoch in result.history]
    each = [value for metrics in epochs for value in (metrics["train_loss"], metrics["val_loss"])]
    return [*each, result.metrics["test_loss"]]


def main(folder: Path) -> None:
    """Train in each way; the resumed trainings first with a stop that one process alone hears of."""
    from mlvision.callbacks import Callback, EpochEnded
    from mlvision.config import parse_config
    from mlvision.distributed import cleanup_distributed, setup_distributed
    from mlvision.errors import Stopped
    from mlvision.training import train

    class StopAfterFirst(Callback):
        def __init__(self) -> None:
            self.stop = threading.Event()

        def on_epoch(self, event: EpochEnded) -> None:  # noqa: ARG002
            self.stop.set()

    workers = setup_distributed("cpu")
    found: dict[str, Any] = {}
    for accumulate in (1, 2):
        config = parse_config({**CONFIG, "accumulate": accumulate})
        found[f"accumulate {accumulate}"] = losses(train(config, workers=workers))
    for norm in ("group", "batch"):
        config = parse_config({**CONFIG, "model": {"norm": norm, "dropout": 0.2}})
        found[f"whole {norm}"] = losses(train(config, workers=workers))
        watch = StopAfterFirst()
        try:
            train(config, watch, folder / norm, watch.stop if workers.rank == 1 else None, workers=workers)
        except Stopped as stopped:
            found[f"stopped {norm}"] = workers.all(stopped.epoch)
        found[f"resumed {norm}"] = losses(train(config, None, folder / norm, workers=workers))
    if workers.is_first:
        print(json.dumps(found), flush=True)
    cleanup_distributed(workers, is_good=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
