"""CIFAR-10 and CIFAR-100: 60 000 colour images of 32 x 32 pixels, as the published Python pickles.

A pickle can run code. Of what a pickle may ask for, ours gives only numpy's arrays.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from mlvision.data.published import Source, check_md5, fetch
from mlvision.errors import DataCorrupt

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


@dataclass(frozen=True)
class Layout:
    """How one of the two is published: names of files with their MD5, names of keys."""

    name: str
    folder: str
    url: str
    md5: str
    train: dict[str, str]
    test: dict[str, str]
    meta: dict[str, str]
    label_key: bytes
    names_key: bytes


CIFAR10 = Layout(
    name="cifar10",
    folder="cifar-10-batches-py",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3d95e74349a",
    train={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    test={"test_batch": "40351d587109b95175f43aff81a1287e"},
    meta={"batches.meta": "5ff9c542aee3614f3951f8cda6e48888"},
    label_key=b"labels",
    names_key=b"label_names",
)
CIFAR100 = Layout(
    name="cifar100",
    folder="cifar-100-python",
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    md5="eb9058c3a382ffc7106e4002c42a8d85",
    train={"train": "16019d7e3df5f24257cddd939b257f8d"},
    test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    meta={"meta": "7973b15100ade9c7d40fb424638fde48"},
    label_key=b"fine_labels",
    names_key=b"fine_label_names",
)


def read_cifar(
    layout: Layout, source: Source
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], tuple[str, ...], Path]:
    """Give (images, labels) for training and test, the names of the classes, and the folder.

    Images are uint8 [N, 3, 32, 32], labels int64 [N].
    """
    folder = source.root / layout.folder
    files = layout.train | layout.test | layout.meta
    if not all((folder / name).exists() for name in files):
        _unpack(layout, source, folder)
    if source.verify:
        for name, md5 in files.items():
            check_md5(folder / name, md5)
    (meta,) = layout.meta
    names = tuple(name.decode() for name in _read(folder / meta, layout.names_key))
    train = [_batch(folder / name, layout, len(names)) for name in layout.train]
    test = [_batch(folder / name, layout, len(names)) for name in layout.test]
    return _join(train), _join(test), names, folder


def _unpack(layout: Layout, source: Source, folder: Path) -> None:
    """Take the files that we know out of the archive, downloading it first when it is not there."""
    archive = source.root / layout.url.rpartition("/")[2]
    if not archive.exists():
        fetch(layout.url, archive, layout.md5, source, layout.name)
    elif source.verify:
        check_md5(archive, layout.md5)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            for name in layout.train | layout.test | layout.meta:
                member = tar.extractfile(f"{layout.folder}/{name}")
                if member is None:
                    raise KeyError(name)
                temporary = folder / f".{name}.tmp"
                temporary.write_bytes(member.read())
                temporary.replace(folder / name)
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise DataCorrupt(f"{archive} cannot be unpacked ({error}).") from None


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _read(path: Path, key: bytes) -> Any:
    try:
        content = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        return content[key]
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, IndexError) as error:
        raise DataCorrupt(f"{path} is damaged or no batch of CIFAR ({error}).") from None


def _batch(path: Path, layout: Layout, num_classes: int) -> tuple[Tensor, Tensor]:
    values = np.asarray(_read(path, b"data"))
    labels = np.asarray(cast("list[int]", _read(path, layout.label_key)), dtype=np.int64)
    if values.dtype != np.uint8 or values.ndim != 2 or values.shape[1] != 3 * 32 * 32:
        raise DataCorrupt(f"{path} holds {values.dtype} {values.shape}, not rows of 3072 bytes.")
    if len(values) != len(labels):
        raise DataCorrupt(f"{path} has {len(values)} images and {len(labels)} labels.")
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= num_classes:
        raise DataCorrupt(f"{path} has labels that are not 0 to {num_classes - 1}.")
    return torch.from_numpy(values.copy()).view(-1, 3, 32, 32), torch.from_numpy(labels)


def _join(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
