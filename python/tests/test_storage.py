"""What outlives a job's machine: the same promises in a folder and in a bucket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mlvision.callbacks import Callback, CheckpointWritten, EpochEnded, Resumed
from mlvision.config import parse_config
from mlvision.errors import Stopped
from mlvision.storage import Place, StorageFailed, open_storage
from mlvision.training import train
from s3_server import Store, running


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with running() as store:
        yield store


@pytest.fixture
def bucket(server: Store, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Give an address of its own to each test, and the variables to come in."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", server.endpoint)
    return f"s3://{server.bucket}/{request.node.name}/공유 폴더 #1"


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return tmp_path / "run" if request.param == "folder" else request.getfixturevalue("bucket")


def test_what_is_written_is_read_and_what_is_not_there_is_none(place: Place) -> None:
    storage = open_storage(place)
    assert storage.names("") == []
    assert storage.read("a") is None
    storage.write("a", b"first")
    storage.write("a", b"second")
    storage.append("b", b"one ")
    storage.append("b", b"two")
    assert open_storage(place).read("a") == b"second"
    assert open_storage(place).read("b") == b"one two"
    assert storage.names("") == ["a", "b"]
    assert storage.names("b") == ["b"]
    assert storage.where("a") == f"{place}/a"
    storage.remove("a")
    storage.remove("a")
    assert storage.names("") == ["b"]


class Watcher(Callback):
    """Stops after the first epoch, and keeps what it hears of checkpoints."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.written: list[CheckpointWritten] = []
        self.resumed: list[Resumed] = []

    def on_epoch(self, _event: EpochEnded) -> None:
        self.stop.set()

    def on_checkpoint(self, event: CheckpointWritten) -> None:
        self.written.append(event)

    def on_resumed(self, event: Resumed) -> None:
        self.resumed.append(event)


def test_a_training_that_was_stopped_goes_on_from_the_bucket_to_the_same_bits(bucket: str, server: Store) -> None:
    config = parse_config({"epochs": 2, "batch_size": 128, "device": "cpu", "seed": 3, "checkpoint": {"keep": 2}})
    whole = train(config)
    first = Watcher()
    with pytest.raises(Stopped) as stopped:
        train(config, first, bucket, first.stop)
    assert stopped.value.checkpoint == first.written[-1].path == f"{bucket}/checkpoint-000001-00000001.pt"
    # The newest is cut off, as by a store that lost half of it: the one before it serves.
    key = f"{bucket.removeprefix(f's3://{server.bucket}/')}/checkpoint-000001-00000001.pt"
    server.client().put_object(Bucket=server.bucket, Key=key, Body=b"half")
    second = Watcher()
    result = train(config, second, bucket)
    assert [(event.epoch, event.step) for event in second.resumed] == [(1, 0)]
    assert second.resumed[0].unreadable == (first.written[-1].path,)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, result.model.state_dict()[name]), name
    assert len(open_storage(bucket).names("checkpoint-")) == 2


def test_a_bucket_that_cannot_be_used_is_one_sentence_with_its_address(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageFailed, match=r"s3://nowhere/a cannot be used: .*does not exist"):
        open_storage("s3://nowhere/a").write("b", b"")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageFailed, match="SignatureDoesNotMatch"):
        open_storage(bucket).names("")
    for wrong in ("s3://", "ftp://host/a"):
        with pytest.raises(StorageFailed, match="neither a folder nor an address"):
            open_storage(wrong)
