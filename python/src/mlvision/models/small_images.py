"""torchvision's networks, adapted to images of 8 to 64 pixels.

They were made for 224 pixels and halve an image five times, which leaves one value of a 32-pixel
image after the fifth. Here the first halvings are taken away until at least 2 x 2 values are left;
an image of 28 or 32 pixels then ends as 4 x 4.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Literal, cast

from torch import nn
from torchvision import models

from mlvision.models.compact_cnn import Norm

_MOST_HALVINGS = 3  # as many as ResNet has without its first two


def halvings(side: int) -> int:
    """Say how often an image with this shorter side (pixels) is halved."""
    return min(_MOST_HALVINGS, max(0, int(math.log2(side / 2))))


def mobilenet_v3(
    size: Literal["small", "large"],
    channels: int,
    side: int,
    num_classes: int,
    dropout: float,
    norm: Norm | None = None,
) -> nn.Module:
    """Build MobileNetV3 (arXiv 1905.02244) for small images, with random weights.

    Batch normalisation keeps PyTorch's momentum of 0.1: the original 0.01 needs thousands of steps
    before its running statistics, which evaluation uses, resemble the data.
    """
    norm = norm or partial(nn.BatchNorm2d, eps=0.001, momentum=0.1)
    build = models.mobilenet_v3_small if size == "small" else models.mobilenet_v3_large
    network = build(num_classes=num_classes, dropout=dropout, norm_layer=norm)
    strided = [module for module in network.modules() if isinstance(module, nn.Conv2d) and module.stride == (2, 2)]
    for convolution in strided[: len(strided) - halvings(side)]:
        convolution.stride = (1, 1)
    stem = cast("nn.Conv2d", cast("nn.Sequential", network.features[0])[0])
    _replace_stem(cast("nn.Sequential", network.features[0]), "0", stem, channels)
    return network


def resnet18(channels: int, side: int, num_classes: int, dropout: float, norm: Norm | None = None) -> nn.Module:
    """Build ResNet-18 (arXiv 1512.03385) for small images, with random weights.

    As is usual for small images, the stem is a 3x3 convolution without halving and without pooling.
    """
    network = models.resnet18(num_classes=num_classes, norm_layer=norm)
    network.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    network.maxpool = cast("nn.MaxPool2d", nn.Identity())
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    stages = [network.layer2, network.layer3, network.layer4]
    for stage in stages[: len(stages) - halvings(side)]:
        for module in stage.modules():
            if isinstance(module, nn.Conv2d):
                module.stride = (1, 1)
    network.fc = cast("nn.Linear", nn.Sequential(nn.Dropout(dropout), nn.Linear(512, num_classes)))
    return network


def _replace_stem(parent: nn.Sequential, name: str, stem: nn.Conv2d, channels: int) -> None:
    """Make the first convolution take ``channels`` channels."""
    if stem.in_channels == channels:
        return
    fresh = nn.Conv2d(channels, stem.out_channels, 3, cast("tuple[int, int]", stem.stride), padding=1, bias=False)
    nn.init.kaiming_normal_(fresh.weight, mode="fan_out")
    setattr(parent, name, fresh)
