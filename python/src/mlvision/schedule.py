"""The learning rate as a pure function of the step: nothing to save, nothing to go out of step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import nn, optim

from mlvision.config import OptimizerConfig, ScheduleConfig


def learning_rate(config: ScheduleConfig, highest: float, step: int, total: int) -> float:
    """Give the rate of step ``step`` (from 0) of ``total``.

    ``constant``: warm-up, then the highest. ``cosine``: warm-up from zero, then half a cosine to zero.
    ``one_cycle``: from a 25th of the highest up along a cosine and down to zero along another
    (arXiv 1708.07120, with the shape of PyTorch's OneCycleLR).
    """
    warmup = config.warmup_fraction * total
    if step < warmup:
        part = (step + 1) / (warmup + 1)
        if config.name == "one_cycle":
            return highest * (0.04 + 0.96 * (1 - math.cos(math.pi * part)) / 2)
        return highest * part
    if config.name == "constant":
        return highest
    part = (step - warmup) / max(1.0, total - warmup)
    return highest * (1 + math.cos(math.pi * part)) / 2


def build_optimizer(config: OptimizerConfig, model: nn.Module) -> optim.Optimizer:
    """Build the optimizer; one-dimensional weights (biases, normalisation) do not decay.

    ``fused`` updates all weights in one call, on CPUs too.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "sgd":
        return optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0, fused=True)
    return optim.AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999), fused=True)


def set_learning_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Set the rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


Schedule = Callable[[int], float]
