"""A data set in memory: raw images and labels, what they are called and where they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mlvision.errors import DataCorrupt


@dataclass(frozen=True)
class Split:
    """Some of the images: ``images`` uint8 [N, C, H, W], ``labels`` int64 [N], both on the CPU."""

    name: str
    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Give the number of images."""
        return self.images.shape[0]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the images' shape and bytes and the labels' bytes, as 64 hex digits."""
        sha = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        sha.update(self.images.contiguous().numpy().data)
        sha.update(self.labels.contiguous().numpy().data)
        return sha.hexdigest()


@dataclass(frozen=True)
class ImageData:
    """A data set, divided in three.

    ``class_names[k]`` is what label ``k`` means. ``source`` says where the bytes come from (a folder
    or a package). Images are raw: what they need to be normalised is asked of the training images.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    train: Split
    val: Split
    test: Split

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all three splits and the class names, as 64 hex digits."""
        parts = [self.train.digest, self.val.digest, self.test.digest, *self.class_names]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @cached_property
    def mean_std(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel of the training images, in 0-255.

        Counted by histogram, so that the result is exact and needs no float copy of the data.
        """
        values = torch.arange(256, dtype=torch.float64)
        means: list[float] = []
        deviations: list[float] = []
        for channel in self.train.images.unbind(1):
            counts = torch.bincount(channel.flatten(), minlength=256).double()
            mean = float((counts * values).sum() / counts.sum())
            variance = float((counts * (values - mean) ** 2).sum() / counts.sum())
            means.append(mean)
            deviations.append(max(variance, 1.0) ** 0.5)
        return tuple(means), tuple(deviations)


def divide(
    images: Tensor, labels: Tensor, fraction: float, seed: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Divide images in two, the second with ``fraction`` of each class (at least one image).

    Drawn by ``seed``; both parts keep the order of the files.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique().tolist():
        members = (labels == label).nonzero().flatten()
        if len(members) < 2:
            raise DataCorrupt(f"class {label} has {len(members)} image, which cannot be divided.")
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        chosen[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    return (images[~chosen], labels[~chosen]), (images[chosen], labels[chosen])
