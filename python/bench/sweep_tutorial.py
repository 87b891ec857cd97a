"""The pattern of Ray Tune's PyTorch and MLflow tutorials, for bench/sweep.py."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from mlvision.config import parse_config


def tutorial_trainable(config: dict[str, Any]) -> None:
    """Train as a tutorial does: everything anew in each trial, each metric logged at once."""
    import mlflow
    import torch
    from ray import tune
    from ray.air.integrations.mlflow import setup_mlflow
    from torch.nn import functional
    from torch.utils.data import DataLoader, TensorDataset

    from mlvision.data.load import load_data
    from mlvision.models.build import build_model

    setup_mlflow(config, experiment_name="tutorial", tracking_uri=config["uri"])
    settings = parse_config({"model": {"dropout": config["dropout"]}})
    data = load_data(settings.data)
    model = build_model(settings.model, data)
    loader = DataLoader(TensorDataset(data.train.images, data.train.labels), batch_size=64, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"], weight_decay=0.02)
    for epoch in range(9):
        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            logits = model(data.val.images)
        accuracy = float((logits.argmax(1) == data.val.labels).float().mean())
        mlflow.log_metric("val_accuracy", accuracy, step=epoch)
        mlflow.log_metric("val_loss", float(functional.cross_entropy(logits, data.val.labels)), step=epoch)
        tune.report({"val_accuracy": accuracy})


class Server:
    """An MLflow server on loopback, for as long as it is needed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.uri = f"http://127.0.0.1:{probe.getsockname()[1]}"
        argv = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        argv += [
            "--artifacts-destination",
            str(folder / "artifacts"),
            "--host",
            "127.0.0.1",
            "--port",
            self.uri.rpartition(":")[2],
        ]
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
        self._process = subprocess.Popen(
            argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def __enter__(self) -> Server:
        while True:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                    return self
            except OSError:
                if self._process.poll() is not None:
                    raise
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        # Its workers outlive it: the whole group goes.
        os.killpg(self._process.pid, 15)
        self._process.wait()
