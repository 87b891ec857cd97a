"""MLflow is gone for a while, or for good: training goes on, and nothing that was measured is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from counting_proxy import CountingProxy
from jobs import SETTINGS, Job
from mlvision.callbacks import Callback, Callbacks, EpochEnded, Finished
from mlvision.config import parse_config
from mlvision.errors import Stopped
from mlvision.mlflow_callback import MlflowCallback, TrackingLost
from mlvision.tracking_client import TrackingClient
from mlvision.tracking_sender import UNSENT
from mlvision.training import train
from services import MlflowServer

REASON = "mlv.job.reason"
EPOCHS = 4
CONFIG = parse_config({**SETTINGS, "epochs": EPOCHS})
ALL = list(range(1, EPOCHS + 1))


class AtEpoch(Callback):
    """Does something after an epoch."""

    def __init__(self, **actions: Callable[[], object]) -> None:
        self._actions = actions

    def on_epoch(self, event: EpochEnded) -> None:
        self._actions.get(f"after_{event.epoch}", lambda: None)()


class Attempt:
    """One attempt of a job, in this process; ``said`` is what it told the user."""

    def __init__(self, job: Job, uri: str, patience: float = 60.0) -> None:
        username, password = job.server.jobs
        variables = {"MLFLOW_TRACKING_USERNAME": username, "MLFLOW_TRACKING_PASSWORD": password}
        self.said: list[str] = []
        self._job = job
        client = TrackingClient.sign_in(uri, variables)
        self._watch = MlflowCallback(client, job.run_id, self.said.append, folder=job.storage, patience=patience)

    def train(self, *more: Callback, stop: threading.Event | None = None) -> Finished:
        return train(CONFIG, Callbacks([self._watch, *more]), self._job.storage, stop)

    def has_said(self, words: str) -> bool:
        return any(words in line for line in self.said)


@pytest.fixture
def job(mlflow_server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job whose model mlflow itself saves, which reads the variables."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server.uri)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", mlflow_server.jobs[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", mlflow_server.jobs[1])
    return Job(mlflow_server, tmp_path / "job")


def steps(job: Job, key: str = "train_loss") -> list[int]:
    return [step for step, _ in job.points(key)]


def test_mlflow_killed_under_a_training_costs_no_point_once_it_is_back(job: Job, mlflow_server: MlflowServer) -> None:
    back = threading.Thread(target=mlflow_server.start)
    # It comes back only when training is over already: the end waits for it.
    actions = AtEpoch(after_1=lambda: mlflow_server.end(signal.SIGKILL), after_3=back.start)
    attempt = Attempt(job, mlflow_server.uri)
    attempt.train(actions)
    back.join()
    assert job.run().status == "FINISHED"
    for key in ("train_loss", "val_loss", "val_accuracy", "lr"):
        assert steps(job, key) == ALL
    assert steps(job, "test_accuracy") == [EPOCHS]
    assert attempt.has_said("MLflow does not answer")
    assert attempt.has_said("MLflow answers again")
    assert not (job.storage / UNSENT).exists()


def test_mlflow_that_never_comes_back_fails_the_job_and_the_next_attempt_writes_it_all(
    job: Job, proxy: CountingProxy
) -> None:
    attempt = Attempt(job, proxy.uri, patience=0.5)
    with pytest.raises(TrackingLost, match=f"what is missing is kept in {job.storage}"):
        attempt.train(AtEpoch(after_1=lambda: setattr(proxy, "is_down", True)))
    assert attempt.has_said(f"they are kept in {job.storage / UNSENT}")
    assert job.run().status == "RUNNING"  # nobody could tell MLflow

    proxy.is_down = False
    statuses: list[str] = []
    second = Attempt(job, proxy.uri)
    trained = AtEpoch(**{f"after_{epoch}": lambda: pytest.fail("it trained again what was done") for epoch in ALL})
    second._watch._sender.flush(10)
    statuses.append(job.run().status)
    second.train(trained)
    # What the first attempt kept of its own end is not what the run says while the second one goes on.
    assert statuses == ["RUNNING"]
    assert job.run().status == "FINISHED"
    assert REASON not in job.run().tags
    assert steps(job) == ALL
    assert steps(job, "test_accuracy") == [EPOCHS]
    assert not (job.storage / UNSENT).exists()


def test_stopped_while_mlflow_is_down_a_run_is_running_again_when_it_is_taken_up(
    job: Job, proxy: CountingProxy
) -> None:
    stop = threading.Event()
    down = AtEpoch(after_1=lambda: setattr(proxy, "is_down", True), after_2=stop.set)
    with pytest.raises(Stopped):
        Attempt(job, proxy.uri).train(down, stop=stop)
    assert "KILLED" in (job.storage / UNSENT).read_text()

    proxy.is_down = False
    stop.clear()
    seen: list[str] = []

    def look() -> None:
        stop.set()
        second._watch._sender.flush(10)
        seen.append(job.run().status)

    second = Attempt(job, proxy.uri)
    with pytest.raises(Stopped):
        second.train(AtEpoch(after_3=look), stop=stop)
    assert seen == ["RUNNING"]
    assert job.run().status == "KILLED"
    assert steps(job) == [1, 2, 3]


def test_an_mlflow_that_refuses_the_run_ends_the_job_at_once_with_its_words(job: Job, proxy: CountingProxy) -> None:
    job.run_id = "0" * 32
    with pytest.raises(TrackingLost, match="MLflow refuses the run 0000"):
        Attempt(job, proxy.uri)
    assert len(proxy.requests) == 1
