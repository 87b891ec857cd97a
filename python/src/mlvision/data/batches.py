"""Training batches from one tensor on the device: no worker processes, no copy an image.

What is drawn for an epoch (order, shifts, mirror images, blanked squares) depends on the seed and
the epoch alone, so a run that is resumed in the middle of an epoch sees exactly what it would have
seen, and a batch is the same however many processes divide it. Images are varied many at a time, in
uint8, where they lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mlvision.data.dataset import Split
from mlvision.distributed import ALONE, Workers
from mlvision.errors import ConfigError

_CHUNK_VALUES = 8 * 2**20  # pixel values that are varied in one go: small beside any memory


@dataclass(frozen=True)
class Augmentation:
    """How images are varied: mirrored or not, the largest shift and the blanked square in pixels."""

    flip: bool
    translate: int
    cutout: int


class TrainBatches:
    """The training images on a device, and their batches, or this worker's part of each, in an epoch's order."""

    def __init__(
        self,
        split: Split,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        device: torch.device,
        workers: Workers = ALONE,
        parts: int = 1,
    ) -> None:
        self._augmentation = augmentation
        self._seed = seed
        self._workers = workers
        self._count = len(split)
        self._size = tuple(split.images.shape[2:])
        # Even batches: none is left out, and no last one is so small that its statistics are noise.
        self.steps = max(1, -(-self._count // batch_size))
        smallest = self._count // self.steps
        if smallest < workers.world * parts:
            raise ConfigError(
                f"a step of {smallest} images cannot be divided into {workers.world * parts} parts "
                f"({workers.world} processes, accumulate {parts}); a larger batch_size helps."
            )
        values = max(1, split.images[0].numel() * -(-self._count // self.steps))
        self._steps_per_chunk = max(1, _CHUNK_VALUES // values)
        images = split.images.to(device)
        if augmentation.flip:
            # The mirror images follow the images: drawing one costs no more than drawing the other.
            images = torch.cat([images, images.flip(3)])
        self._windows = _windows(images, augmentation.translate)
        self._labels = split.labels.to(device)

    def __len__(self) -> int:
        """Give the number of images of an epoch."""
        return self._count

    def size(self, step: int) -> int:
        """Give the number of images of a step, over all workers."""
        return self._count // self.steps + (step < self._count % self.steps)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Give this worker's images uint8 [N, C, H, W] and labels [N] of each step from ``first_step`` on."""
        order = torch.randperm(self._count, generator=self._generator(f"order {epoch}"))
        steps = order.tensor_split(self.steps)
        for start in range(0, self.steps, self._steps_per_chunk):
            chunk = steps[start : start + self._steps_per_chunk]
            if start + len(chunk) <= first_step:
                continue
            index = torch.cat(chunk)
            mine = [part[self._workers.mine(len(part))] for part in torch.arange(len(index)).split([*map(len, chunk)])]
            images = self._vary(index, torch.cat(mine), self._generator(f"vary {epoch} {start}"))
            labels = self._labels[index[torch.cat(mine)].to(self._labels.device)]
            sizes = [len(part) for part in mine]
            batches = zip(images.split(sizes), labels.split(sizes), strict=True)
            for step, batch in enumerate(batches, start):
                if step >= first_step:
                    yield batch

    def _vary(self, index: Tensor, mine: Tensor, generator: torch.Generator) -> Tensor:
        """Give the images ``index[mine]``, varied by what is drawn for all of ``index``."""
        device = self._labels.device
        number, most = len(index), self._augmentation.translate
        if self._augmentation.flip:
            index = index + self._count * torch.randint(0, 2, (number,), generator=generator)
        index = index[mine]
        if most == 0:
            images = self._windows.index_select(0, index.to(device))
        else:
            shifts = torch.randint(0, 2 * most + 1, (2, number), generator=generator)[:, mine].to(device)
            images = self._windows[index.to(device), :, shifts[0], shifts[1]]
        if self._augmentation.cutout:
            images = self._blank(images, number, mine, generator)
        return images

    def _blank(self, images: Tensor, number: int, mine: Tensor, generator: torch.Generator) -> Tensor:
        """Blank a square of each image around a random pixel (arXiv 1708.04552)."""
        inside: list[Tensor] = []
        for length in self._size:
            centre = torch.randint(0, length, (number, 1), generator=generator)[mine]
            offset = torch.arange(length) - centre + self._augmentation.cutout // 2
            inside.append(((offset >= 0) & (offset < self._augmentation.cutout)).to(images.device))
        return images.masked_fill_((inside[0][:, :, None] & inside[1][:, None, :])[:, None], 0)

    def _generator(self, what: str) -> torch.Generator:
        digest = hashlib.sha256(f"{self._seed} {what}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def _windows(images: Tensor, translate: int) -> Tensor:
    """Give every shift of every image as a view: [N, C, 2t+1, 2t+1, H, W] of the padded images."""
    if translate == 0:
        return images
    height, width = images.shape[2:]
    padded = functional.pad(images, (translate,) * 4)
    return padded.unfold(2, height, 1).unfold(3, width, 1)
