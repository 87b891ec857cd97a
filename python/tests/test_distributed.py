"""What training on several processes promises: the same training, each image once, an exact resume."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch

import two_processes
from mlvision.config import parse_config
from mlvision.data.batches import Augmentation, TrainBatches
from mlvision.data.dataset import Split
from mlvision.distributed import STORE, Workers, setup_distributed
from mlvision.distributed_preflight import Check, report
from mlvision.errors import ConfigError, PeerMissing
from mlvision.training import train
from two_processes import CONFIG, losses, torchrun


def alone(**settings: Any) -> list[float]:
    return losses(train(parse_config({**CONFIG, **settings})))


@pytest.fixture(scope="module")
def of_one_process() -> list[float]:
    return alone()


@pytest.fixture(scope="module")
def of_two_processes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    done = torchrun(two_processes.__file__, str(tmp_path_factory.mktemp("runs")))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_step_in_two_parts_is_the_same_step(of_one_process: list[float]) -> None:
    assert alone(accumulate=2) == pytest.approx(of_one_process, abs=1e-5)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_processes_with_half_of_each_batch_have_the_same_loss_curve(
    accumulate: int, of_one_process: list[float], of_two_processes: dict[str, list[float]]
) -> None:
    assert of_two_processes[f"accumulate {accumulate}"] == pytest.approx(of_one_process, abs=1e-5)


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_a_stop_that_one_process_hears_of_stops_all_and_the_resume_has_the_same_bits(
    norm: str, of_two_processes: dict[str, list[float]]
) -> None:
    # With dropout, and with running statistics: what each process draws and keeps has to come back, too.
    assert of_two_processes[f"stopped {norm}"] == [2, 2]
    assert of_two_processes[f"resumed {norm}"] == of_two_processes[f"whole {norm}"]


@pytest.mark.parametrize("world", [2, 3, 4])
def test_together_the_processes_see_each_image_once_in_the_batches_of_one(world: int) -> None:
    # 101 images and steps of 15 or so divide by none of these numbers.
    images = torch.arange(101, dtype=torch.uint8).view(101, 1, 1, 1).expand(101, 1, 8, 8).contiguous()
    split, varied = Split("train", images, torch.arange(101)), Augmentation(flip=True, translate=1, cutout=2)

    def batches(workers: Workers) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return list(TrainBatches(split, 15, varied, 0, torch.device("cpu"), workers).epoch(1))

    whole = batches(Workers())
    parts = [batches(Workers(rank, world)) for rank in range(world)]
    for step, (pictures, labels) in enumerate(whole):
        assert torch.equal(torch.cat([part[step][1] for part in parts]), labels)
        assert torch.equal(torch.cat([part[step][0] for part in parts]), pictures)
    assert sorted(torch.cat([labels for part in parts for _, labels in part]).tolist()) == list(range(101))


def test_a_batch_that_is_too_small_for_the_processes_is_refused_in_a_sentence() -> None:
    split = Split("train", torch.zeros(10, 1, 8, 8, dtype=torch.uint8), torch.zeros(10, dtype=torch.int64))
    with pytest.raises(ConfigError, match=r"a step of 2 images cannot be divided into 4 parts \(4 processes"):
        TrainBatches(split, 2, Augmentation(False, 0, 0), 0, torch.device("cpu"), Workers(0, 4))


def test_who_does_not_come_is_named(tmp_path: Path) -> None:
    variables = {"RANK": "0", "WORLD_SIZE": "3", STORE: str(tmp_path / "store")}
    with pytest.raises(PeerMissing, match="process 1, 2 of 0-2 did not come within 1 s"):
        setup_distributed("cpu", variables, timedelta(seconds=1))


def test_a_process_that_computes_slowly_is_named() -> None:
    checks = [Check(0, "a", 0.010, 0.02), Check(1, "b", 0.045, 0.02), Check(2, "c", 0.011, 0.02)]
    summary, slow = report(checks)
    assert "3 processes" in summary
    assert slow.startswith("Preflight: process 1 on b is slow: 4.3 times")
