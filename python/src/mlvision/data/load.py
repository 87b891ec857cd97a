"""From the name of a data set to its images, divided in three."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mlvision.config import DataConfig
from mlvision.data import cifar, digits, fashion_mnist
from mlvision.data.batches import Augmentation
from mlvision.data.dataset import ImageData, Split, divide
from mlvision.data.published import Source

Pair = tuple[Tensor, Tensor]

# What suits each data set. Digits are cut out to their edges: a shift only takes something away.
_AUGMENTATIONS: Mapping[str, Augmentation] = {
    "digits": Augmentation(flip=False, translate=0, cutout=0),
    "fashion_mnist": Augmentation(flip=True, translate=2, cutout=0),
    "cifar10": Augmentation(flip=True, translate=4, cutout=8),
    "cifar100": Augmentation(flip=True, translate=4, cutout=8),
}


@dataclass(frozen=True)
class _Whole:
    """A data set as it is published: what may be trained on, what is only for the test."""

    train: Pair
    test: Pair
    class_names: tuple[str, ...]
    source: str


def load_data(config: DataConfig) -> ImageData:
    """Read the data set, downloading it where that is allowed, and set validation images apart.

    :raises DataMissing: when it is not there and cannot be downloaded.
    :raises DataCorrupt: when its files are not what they should be.
    """
    whole = _READERS[config.name](config)
    train, val = divide(*whole.train, config.val_fraction, config.seed)
    return ImageData(
        name=config.name,
        source=whole.source,
        class_names=whole.class_names,
        train=Split("train", *train),
        val=Split("val", *val),
        test=Split("test", *whole.test),
    )


def augmentation(config: DataConfig) -> Augmentation:
    """Fill in what the configuration leaves to the data set."""
    wanted, usual = config.augment, _AUGMENTATIONS[config.name]
    if not wanted.enabled:
        return Augmentation(flip=False, translate=0, cutout=0)
    return Augmentation(
        flip=usual.flip if wanted.flip is None else wanted.flip,
        translate=usual.translate if wanted.translate is None else wanted.translate,
        cutout=usual.cutout if wanted.cutout is None else wanted.cutout,
    )


def data_root(config: DataConfig) -> Path:
    """Give the folder of data sets."""
    if config.root is not None:
        return config.root
    if folder := os.environ.get("MLV_DATA_DIR"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlv" / "data"


def _source(config: DataConfig) -> Source:
    return Source(data_root(config), config.download, config.verify)


def _digits(_config: DataConfig) -> _Whole:
    train, test = divide(*digits.read_digits(), digits.TEST_FRACTION, digits.TEST_SEED)
    return _Whole(train, test, tuple("0123456789"), "scikit-learn: sklearn.datasets.load_digits")


def _fashion_mnist(config: DataConfig) -> _Whole:
    train, test, folder = fashion_mnist.read_fashion_mnist(_source(config))
    return _Whole(train, test, fashion_mnist.CLASS_NAMES, str(folder))


def _cifar(config: DataConfig) -> _Whole:
    layout = cifar.CIFAR10 if config.name == "cifar10" else cifar.CIFAR100
    train, test, names, folder = cifar.read_cifar(layout, _source(config))
    return _Whole(train, test, names, str(folder))


_READERS: Mapping[str, Callable[[DataConfig], _Whole]] = {
    "digits": _digits,
    "fashion_mnist": _fashion_mnist,
    "cifar10": _cifar,
    "cifar100": _cifar,
}
