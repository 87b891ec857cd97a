"""The loaders, on small files in the formats in which the data sets are published."""

from __future__ import annotations

import gzip
import pickle
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from mlvision.config import DataConfig
from mlvision.data.batches import Augmentation, TrainBatches
from mlvision.data.dataset import Split
from mlvision.data.load import load_data
from mlvision.errors import DataCorrupt, DataMissing

PER_CLASS = 4


def config(root: Path, name: str, **settings: object) -> DataConfig:
    values = {"name": name, "root": root, "download": False, "verify": False, "val_fraction": 0.25}
    return DataConfig.model_validate(values | settings)


def write_cifar10(root: Path) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        rows = random.integers(0, 256, (20, 3072), dtype=np.uint8)
        batch = {b"data": rows, b"labels": [n % 10 for n in range(20)], b"batch_label": b"a batch"}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    names = [f"class {n}".encode() for n in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=2))
    return folder


def write_idx(path: Path, values: np.ndarray) -> None:
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(head + values.tobytes()))


def write_fashion_mnist(root: Path) -> Path:
    folder = root / "fashion_mnist"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for part, count in [("train", 10 * PER_CLASS), ("t10k", 10)]:
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8) % 10)
    return folder


def test_cifar_10_is_read_from_its_python_batches(tmp_path: Path) -> None:
    folder = write_cifar10(tmp_path)
    data = load_data(config(tmp_path, "cifar10"))
    assert data.image_shape == (3, 32, 32)
    assert (len(data.train) + len(data.val), len(data.test)) == (100, 20)
    assert data.class_names[3] == "class 3"
    rows = pickle.loads((folder / "test_batch").read_bytes(), encoding="bytes")[b"data"]
    assert torch.equal(data.test.images[0].flatten(), torch.from_numpy(rows[0].copy()))


def test_a_cifar_file_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    folder = write_cifar10(tmp_path)

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[list[str]]]:
            return subprocess.check_call, (["touch", str(tmp_path / "ran")],)

    (folder / "data_batch_2").write_bytes(pickle.dumps({b"data": Evil()}, protocol=2))
    with pytest.raises(DataCorrupt, match="data_batch_2"):
        load_data(config(tmp_path, "cifar10"))
    assert not (tmp_path / "ran").exists()


def test_a_cifar_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    path = write_cifar10(tmp_path) / "data_batch_4"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataCorrupt, match="data_batch_4"):
        load_data(config(tmp_path, "cifar10"))


def test_fashion_mnist_is_read_from_its_gzipped_idx_files(tmp_path: Path) -> None:
    write_fashion_mnist(tmp_path)
    data = load_data(config(tmp_path, "fashion_mnist"))
    assert data.image_shape == (1, 28, 28)
    assert (len(data.train), len(data.val), len(data.test)) == (30, 10, 10)
    assert data.class_names[9] == "Ankle boot"
    assert torch.equal(data.val.labels.bincount(), torch.ones(10, dtype=torch.int64))


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"no gzip", lambda data: gzip.compress(b"x")])
def test_a_damaged_fashion_mnist_file_is_named(tmp_path: Path, damage: object) -> None:
    path = write_fashion_mnist(tmp_path) / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(DataCorrupt, match="train-images"):
        load_data(config(tmp_path, "fashion_mnist"))


def test_files_that_are_not_the_published_ones_are_refused_unless_they_are_ones_own(tmp_path: Path) -> None:
    write_fashion_mnist(tmp_path)
    with pytest.raises(DataCorrupt, match=r"data\.verify"):
        load_data(config(tmp_path, "fashion_mnist", verify=True))


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "fashion_mnist"])
def test_no_data_and_no_download_says_exactly_that(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataMissing, match=rf"{name} is not in {tmp_path}, and data\.download is off"):
        load_data(config(tmp_path, name))


def test_no_data_and_no_network_says_exactly_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A port on which nobody listens, in the place of a network.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(DataMissing, match=r"cannot be downloaded .* digits, which needs none"):
        load_data(config(tmp_path, "fashion_mnist", download=True))
    assert list((tmp_path / "fashion_mnist").iterdir()) == []


def test_the_test_images_of_digits_are_the_same_for_every_seed_and_the_digest_tells_splits_apart() -> None:
    first, second = (load_data(DataConfig(seed=seed)) for seed in (0, 1))
    assert first.test.digest == second.test.digest
    assert first.val.digest != second.val.digest
    assert first.digest != second.digest
    assert len(first.train) + len(first.val) + len(first.test) == 1797


def test_an_epoch_gives_each_image_once_and_goes_on_from_any_step() -> None:
    images = torch.arange(50, dtype=torch.uint8).view(50, 1, 1, 1).expand(50, 1, 8, 8).contiguous()
    split = Split("train", images, torch.arange(50))
    batches = TrainBatches(split, 16, Augmentation(flip=True, translate=1, cutout=2), 0, torch.device("cpu"))
    whole = list(batches.epoch(1))
    assert sorted(torch.cat([labels for _, labels in whole]).tolist()) == list(range(50))
    assert {len(labels) for _, labels in whole} == {12, 13}
    rest = list(batches.epoch(1, first_step=2))
    assert len(rest) == 2
    for (images_a, labels_a), (images_b, labels_b) in zip(whole[2:], rest, strict=True):
        assert torch.equal(images_a, images_b)
        assert torch.equal(labels_a, labels_b)
    for images_n, labels_n in whole:
        # Shifts and blanked squares put zeros in; nothing else may change.
        assert torch.equal(images_n.amax((1, 2, 3)).long(), labels_n)


def test_another_epoch_has_another_order() -> None:
    split = Split("train", torch.zeros(64, 1, 8, 8, dtype=torch.uint8), torch.arange(64))
    batches = TrainBatches(split, 64, Augmentation(flip=False, translate=0, cutout=0), 0, torch.device("cpu"))
    (_, first), (_, second) = next(batches.epoch(1)), next(batches.epoch(2))
    assert not torch.equal(first, second)
