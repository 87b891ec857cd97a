"""However a training ends, its run says so; and one that was cut off is taken up as if nothing had been."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs import SETTINGS, Job, Tracked, event_validator
from mlvision.callbacks import Callback, Callbacks, Started
from mlvision.checkpoint import CheckpointFolder
from mlvision.config import parse_config
from mlvision.errors import DataMissing, DeviceMissing
from mlvision.mlflow_callback import MlflowCallback
from mlvision.training import train
from services import MlflowServer

REASON = "mlv.job.reason"
# Long enough to be cut off twice.
LONG = {**SETTINGS, "epochs": 60}
LOOP_METRICS = ("train_loss", "val_loss", "val_accuracy", "lr")


class Interrupted:
    """A job that was stopped once, killed once, and then left alone; and how its run stood in between."""

    def __init__(self, job: Job) -> None:
        self.job = job
        with job.training() as process:
            job.wait_for("epoch", 2)
            process.send_signal(signal.SIGTERM)
            self.stopped_code = process.wait()
        self.stopped = job.run()
        self.stopped_events = job.events()
        with job.training() as process:
            job.wait_for("resumed", 1)
            job.wait_for("epoch", len(job.events("epoch")) + 3)
            process.kill()
        self.killed = job.run()
        self.code = job.train()
        self.ended = job.run()


@pytest.fixture(scope="module")
def interrupted(tracked: Tracked, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    register = {"model": "digit-reader", "alias": "candidate"}
    work = {"type": "mlvision", "config": LONG}
    server, folder = tracked.job.server, tmp_path_factory.mktemp("interrupted")
    found = Interrupted(Job(server, folder, work=work, register=register))
    assert found.code == 0, found.job.output.read_text()
    return found


def test_sigterm_writes_a_checkpoint_and_ends_the_run_as_killed(interrupted: Interrupted) -> None:
    assert interrupted.stopped_code == 128 + signal.SIGTERM
    assert (interrupted.stopped.status, interrupted.stopped.tags[REASON]) == ("KILLED", "SIGTERM")
    written, stopped = interrupted.stopped_events[-2:]
    assert (written["event"], stopped["event"], stopped["reason"]) == ("checkpoint", "stopped", "SIGTERM")
    assert interrupted.job.events("resumed")[0]["checkpoint"] == written["path"]


def test_a_run_that_was_killed_outright_still_says_running_and_a_resumed_one_has_no_reason(
    interrupted: Interrupted,
) -> None:
    assert interrupted.killed.status == "RUNNING"
    assert REASON not in interrupted.killed.tags
    assert interrupted.ended.status == "FINISHED"
    assert REASON not in interrupted.ended.tags


def test_stopped_and_killed_it_ends_with_the_same_bits_as_without(interrupted: Interrupted, tmp_path: Path) -> None:
    train(parse_config(LONG), folder=tmp_path)
    without, with_ = CheckpointFolder(tmp_path, 2).newest(), CheckpointFolder(interrupted.job.storage, 2).newest()
    assert without is not None
    assert with_ is not None
    assert len(interrupted.job.events("resumed")) == 2
    for part in ("model", "random"):
        for name, tensor in without.content[part].items():
            assert tensor is None or torch.equal(tensor, with_.content[part][name]), name
    assert [e["metrics"] for e in without.content["history"]] == [e["metrics"] for e in with_.content["history"]]


@pytest.mark.parametrize("key", LOOP_METRICS)
def test_its_metrics_have_one_point_an_epoch_none_missing_none_twice(key: str, interrupted: Interrupted) -> None:
    found = CheckpointFolder(interrupted.job.storage, 2).newest()
    assert found is not None
    expected = [(epoch["epoch"], pytest.approx(epoch["metrics"][key])) for epoch in found.content["history"]]
    assert interrupted.job.points(key) == expected


def test_registering_under_a_name_again_makes_version_2_and_moves_the_alias(interrupted: Interrupted) -> None:
    assert interrupted.job.events("result")[0]["model"]["version"] == "2"
    server = interrupted.job.server
    versions = server.api("GET", "model-versions/search?filter=name%3D%27digit-reader%27")["model_versions"]
    assert {version["version"] for version in versions} == {"1", "2"}
    pointed = server.api("GET", "registered-models/alias?name=digit-reader&alias=candidate")["model_version"]
    assert (pointed["version"], pointed["run_id"]) == ("2", interrupted.job.run_id)


def test_the_events_of_each_ending_obey_the_schema(interrupted: Interrupted) -> None:
    validator = event_validator()
    for event in interrupted.job.events():
        validator.validate(event)
    assert {"resumed", "stopped", "result"} <= {event["event"] for event in interrupted.job.events()}


@pytest.fixture
def job(mlflow_server: MlflowServer, tmp_path: Path) -> Job:
    return Job(mlflow_server, tmp_path / "job")


def fail(job: Job, settings: dict[str, Any], error: type[Exception], *more: Callback) -> str:
    """Train in this process until it fails; give the reason that the run has then."""
    watch = MlflowCallback(job.client, job.run_id, print, folder=job.storage)
    with pytest.raises(error):
        train(parse_config({**SETTINGS, **settings}), Callbacks([watch, *more]), job.storage)
    run = job.run()
    assert run.status == "FAILED"
    return run.tags[REASON]


def test_missing_data_leave_the_run_failed_with_what_is_missing(job: Job, tmp_path: Path) -> None:
    data = {"name": "cifar10", "root": str(tmp_path), "download": False}
    assert "DataMissing: " in (reason := fail(job, {"data": data}, DataMissing))
    assert "cifar10" in reason


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_leaves_the_run_failed_and_says_what_to_do(job: Job) -> None:
    reason = fail(job, {"device": "cuda"}, DeviceMissing)
    assert "--gpus 1" in reason
    assert "auto" in reason


def test_a_bug_in_the_midst_leaves_the_run_failed_with_the_line(job: Job) -> None:
    class Buggy(Callback):
        def on_start(self, event: Started) -> None:  # noqa: ARG002 - as the protocol has it
            raise ZeroDivisionError("a bug")

    reason = fail(job, {}, ZeroDivisionError, Buggy())
    assert reason.startswith("ZeroDivisionError: a bug (")
    assert "test_tracking_endings.py:" in reason


def test_a_wrong_setting_leaves_the_run_failed_and_names_the_nearest(
    mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    job = Job(mlflow_server, tmp_path / "job", work={"type": "mlvision", "config": {"epoch": 3}})
    assert job.train() == 2
    assert job.run().status == "FAILED"
    assert "did you mean epochs?" in job.run().tags[REASON]
    (failed,) = job.events()
    event_validator().validate(failed)
    assert failed["error"] == job.run().tags[REASON]
