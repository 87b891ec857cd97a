"""What recording in MLflow costs a training, against a real server with sign-in on this machine."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from mlvision import tracking_lineage as lineage
from mlvision.callbacks import Callback, Callbacks, EpochEnded, Progress, Started
from mlvision.config import TrainConfig
from mlvision.data.dataset import ImageData
from mlvision.mlflow_callback import MlflowCallback
from mlvision.tracking_client import TrackingClient, batch, inputs
from mlvision.training import train
from services import MlflowServer


class _InLoop(Callback):
    """Passes the loop's events on and adds up how long that holds the loop; the model is not saved."""

    def __init__(self, watch: MlflowCallback | None) -> None:
        self._watch = watch
        self.began = self.ended = self.seconds = 0.0

    def on_start(self, event: Started) -> None:
        self.began = time.perf_counter()
        self._pass(lambda watch: watch.on_start(event))

    def on_progress(self, event: Progress) -> None:
        self._pass(lambda watch: watch.on_progress(event))

    def on_epoch(self, event: EpochEnded) -> None:
        self._pass(lambda watch: watch.on_epoch(event))
        self.ended = time.perf_counter()

    def _pass(self, call: Callable[[MlflowCallback], None]) -> None:
        if self._watch is not None:
            began = time.perf_counter()
            call(self._watch)
            self.seconds += time.perf_counter() - began


@contextmanager
def mlflow() -> Iterator[MlflowServer]:
    """Run a server for the time of the measurement."""
    with tempfile.TemporaryDirectory() as folder, MlflowServer.running(Path(folder)) as server:
        yield server


def share_of_loop(server: MlflowServer, config: TrainConfig, data: ImageData, repeats: int) -> tuple[float, float]:
    """Give the share of the loop's time that it waits for tracking, and its time with tracking over that without.

    The second holds what the server and the sending thread take from the processor, and all noise.
    """
    shares, ratios = [], []
    for _ in range(repeats):
        without = _InLoop(None)
        train(config, Callbacks([without]), data=data)
        client = _client(server)
        run = client.create_run("jobs", "share", {})
        with tempfile.TemporaryDirectory() as folder:
            watch = MlflowCallback(client, run.run_id, print, folder=folder)
            with_ = _InLoop(watch)
            train(config, Callbacks([with_]), data=data)
            watch._end("FINISHED", "measured", deadline=30)  # on_end would save a model, out of the loop
        shares.append(with_.seconds / (with_.ended - with_.began))
        ratios.append((with_.ended - with_.began) / (without.ended - without.began))
    return statistics.median(shares), statistics.median(ratios)


def start_and_end(server: MlflowServer, config: TrainConfig, data: ImageData, repeats: int) -> float:
    """Give the seconds that the requests around a training take: start, parameters, tags, data, end."""
    seconds = []
    tags = lineage.environment("cpu", "fp32", 1)
    for number in range(repeats + 1):
        client = _client(server)
        began = time.perf_counter()
        run = client.create_run("jobs", "requests", {"mlv.job.name": "requests"})
        client.post(batch(run.run_id, params=lineage.parameters(config), tags=tags))
        client.post(inputs(run.run_id, lineage.datasets(data, config)))
        client.update_run(run.run_id, "FINISHED")
        if number:  # the first one warms the server up
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _client(server: MlflowServer) -> TrackingClient:
    username, password = server.jobs
    variables = {"MLFLOW_TRACKING_USERNAME": username, "MLFLOW_TRACKING_PASSWORD": password}
    return TrackingClient.sign_in(server.uri, {**os.environ, **variables})
