"""From the name of a network to one that takes raw images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mlvision.config import ModelConfig
from mlvision.data.dataset import ImageData
from mlvision.models.compact_cnn import CompactCNN, group_norm


class RawImageClassifier(nn.Module):
    """A network with its normalisation inside, so that nobody has to know the numbers.

    Takes raw images [N, C, H, W], uint8 or floating, 0-255; gives logits [N, ``len(class_names)``].
    ``mean`` and ``std`` are of the training images, a number a channel, in 0-255.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        class_names: Sequence[str],
    ) -> None:
        super().__init__()
        self.network = network
        self.class_names = tuple(class_names)
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("scale", 1 / torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits of a batch."""
        return self.network((images.to(self.mean.dtype) - self.mean) * self.scale)


def build_model(config: ModelConfig, data: ImageData) -> RawImageClassifier:
    """Build the network that ``config`` names for these images; its weights come from torch's seed."""
    channels, height, width = data.image_shape
    shape = (channels, min(height, width), len(data.class_names))
    return RawImageClassifier(_network(config, *shape), *data.mean_std, data.class_names)


def count_parameters(model: nn.Module) -> int:
    """Count the numbers that the model learns."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _network(config: ModelConfig, channels: int, side: int, num_classes: int) -> nn.Module:
    norm = group_norm if config.norm == "group" else None
    if config.name == "compact_cnn":
        return CompactCNN(channels, side, num_classes, config.dropout, norm)
    # torchvision takes a second to import: only who wants its networks waits for it.
    from mlvision.models import small_images

    if config.name == "resnet18":
        return small_images.resnet18(channels, side, num_classes, config.dropout, norm)
    size = "small" if config.name == "mobilenet_v3_small" else "large"
    return small_images.mobilenet_v3(size, channels, side, num_classes, config.dropout, norm)
