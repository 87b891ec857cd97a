"""What a training run promises: accuracy, exact resume, and an end that says why."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from mlvision.callbacks import (
    Callback,
    Callbacks,
    CheckpointWritten,
    EpochEnded,
    Failed,
    Finished,
    Progress,
    Resumed,
    Started,
    StoppedRun,
)
from mlvision.config import parse_config
from mlvision.errors import CheckpointMismatch, LossNotFinite, Stopped
from mlvision.event_callback import EventCallback
from mlvision.events import EventWriter
from mlvision.training import train

EPOCHS = 3


class Watcher(Callback):
    """Keeps every event and sets ``stop`` after a number of epochs."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.events: list[Any] = []
        self.stop = threading.Event()
        self._stop_after = stop_after

    def on_start(self, event: Started) -> None:
        self.events.append(event)

    def on_resumed(self, event: Resumed) -> None:
        self.events.append(event)

    def on_progress(self, event: Progress) -> None:
        self.events.append(event)

    def on_epoch(self, event: EpochEnded) -> None:
        self.events.append(event)
        if event.epoch == self._stop_after:
            self.stop.set()

    def on_checkpoint(self, event: CheckpointWritten) -> None:
        self.events.append(event)

    def on_end(self, event: Finished) -> None:
        self.events.append(event)

    def on_stopped(self, event: StoppedRun) -> None:
        self.events.append(event)

    def on_failure(self, event: Failed) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def small(**settings: Any):
    return parse_config({"epochs": EPOCHS, "batch_size": 128, "device": "cpu", "seed": 3, **settings})


def weights(result: Finished) -> dict[str, torch.Tensor]:
    return result.model.state_dict()


def assert_same(first: Finished, second: Finished) -> None:
    assert weights(first).keys() == weights(second).keys()
    for name, tensor in weights(first).items():
        assert torch.equal(tensor, weights(second)[name]), name
    assert [epoch.metrics for epoch in first.history] == [epoch.metrics for epoch in second.history]
    assert first.metrics == second.metrics


@pytest.fixture(scope="module")
def uninterrupted() -> Finished:
    return train(small())


def test_digits_are_learnt_to_97_percent_with_the_default_settings() -> None:
    assert train(parse_config({"device": "cpu"})).metrics["test_accuracy"] >= 0.97


@pytest.mark.parametrize("epoch", range(1, EPOCHS))
def test_a_run_interrupted_after_any_epoch_ends_with_the_same_bits(
    epoch: int, uninterrupted: Finished, tmp_path: Path
) -> None:
    watcher = Watcher(stop_after=epoch)
    with pytest.raises(Stopped) as stopped:
        train(small(), watcher, tmp_path, watcher.stop)
    # The flag is seen after the first step of the next epoch: the checkpoint is from within it.
    assert (stopped.value.epoch, stopped.value.checkpoint is not None) == (epoch + 1, True)
    assert watcher.of(CheckpointWritten)[-1].step == 1
    again = Watcher()
    assert_same(train(small(), again, tmp_path), uninterrupted)
    assert [(event.epoch, event.step) for event in again.of(Resumed)] == [(epoch, 1)]


def test_a_checkpoint_that_was_cut_off_is_passed_over_for_the_one_before_and_said(
    uninterrupted: Finished, tmp_path: Path
) -> None:
    watcher = Watcher(stop_after=2)
    with pytest.raises(Stopped) as stopped:
        train(small(), watcher, tmp_path, watcher.stop)
    newest = stopped.value.checkpoint
    assert newest is not None
    Path(newest).write_bytes(Path(newest).read_bytes()[:-1000])
    again = Watcher()
    assert_same(train(small(), again, tmp_path), uninterrupted)
    (resumed,) = again.of(Resumed)
    assert (resumed.epoch, resumed.step, resumed.unreadable) == (2, 0, (newest,))


def test_a_run_whose_checkpoints_are_all_damaged_begins_anew_and_says_so(
    uninterrupted: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watcher = Watcher(stop_after=2)
    with pytest.raises(Stopped):
        train(small(), watcher, tmp_path, watcher.stop)
    for path in tmp_path.iterdir():
        path.write_bytes(b"?")
    again = Watcher()
    assert_same(train(small(), Callbacks([again, EventCallback(EventWriter(), lambda: None)]), tmp_path), uninterrupted)
    (resumed,) = again.of(Resumed)
    assert (resumed.epoch, resumed.checkpoint, len(resumed.unreadable)) == (0, None, 2)
    assert capsys.readouterr().out.count("could not be read; training begins anew.") == 2


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    train(small(epochs=1), folder=tmp_path)
    with pytest.raises(CheckpointMismatch):
        train(small(epochs=1, seed=4), folder=tmp_path)


def test_only_the_newest_checkpoints_stay_and_no_half_file(tmp_path: Path) -> None:
    train(small(checkpoint={"keep": 1}), folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000003-00000000.pt"]


def test_a_loss_that_is_not_finite_ends_the_run_by_name_and_is_not_written_down(tmp_path: Path) -> None:
    class Spoil(Watcher):
        def on_start(self, event: Started) -> None:
            with torch.no_grad():
                next(event.model.parameters()).fill_(float("nan"))

    watcher = Spoil()
    with pytest.raises(LossNotFinite, match="epoch 1"):
        train(small(), watcher, tmp_path)
    assert isinstance(watcher.of(Failed)[0].error, LossNotFinite)
    assert list(tmp_path.iterdir()) == []


def test_training_ends_early_when_it_gets_no_better() -> None:
    result = train(small(epochs=20, optimizer={"lr": 1e-9}, early_stop={"patience": 1, "min_delta": 0.5}))
    assert result.stopped_early
    assert result.epochs_run == 2


@pytest.mark.parametrize("name", ["compact_cnn", "mobilenet_v3_small", "mobilenet_v3_large", "resnet18"])
def test_each_network_trains_a_step_and_takes_batches_of_any_size(name: str) -> None:
    watcher = Watcher()
    watcher.stop.set()
    with pytest.raises(Stopped):
        train(small(model={"name": name}, batch_size=8), watcher, stop=watcher.stop)
    started = watcher.of(Started)[0]
    model = started.model.eval()
    images = started.data.test.images
    with torch.inference_mode():
        many = model(images[:5])
        assert many.shape == (5, 10)
        torch.testing.assert_close(model(images[:1]), many[:1], rtol=1e-3, atol=1e-3)


def test_the_loop_fits_on_a_page_and_knows_neither_mlflow_nor_ray() -> None:
    source = (Path(__file__).parents[1] / "src/mlvision/loop.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 120
    assert "import mlflow" not in source
    assert "import ray" not in source
