"""How good a model is on images that it was not trained on, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from mlvision.data.dataset import Split
from mlvision.device import Compute
from mlvision.distributed import ALONE, Workers

_BATCH = 1024
_MOST_MISTAKES = 24


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Images that were taken for something else, the most confident first; four arrays of one length.

    ``index`` into the images, ``true`` and ``predicted`` labels, ``probability`` 0-1 of what was said.
    """

    index: npt.NDArray[np.int64]
    true: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``accuracy`` 0-1, ``loss`` mean cross-entropy, ``confusion`` int64 [true, predicted] counts."""

    accuracy: float
    loss: float
    confusion: npt.NDArray[np.int64]
    mistakes: Mistakes


def predict(model: nn.Module, images: Tensor, compute: Compute, workers: Workers = ALONE) -> Tensor:
    """Give the logits of raw images [N, C, H, W] as float32 [N, classes] on the device; in evaluation mode.

    Each worker looks at a part of the images; all get all logits.
    """
    was_training = model.training
    workers.share_statistics(model)
    model.eval()
    with torch.inference_mode(), compute.autocast():
        own = images[workers.mine(len(images))]
        parts = [model(part.to(compute.device)).float() for part in own.split(_BATCH)]
        logits = workers.gather(torch.cat(parts), len(images))
    model.train(was_training)
    return logits


def score(model: nn.Module, split: Split, compute: Compute, workers: Workers = ALONE) -> tuple[float, float]:
    """Give accuracy (0-1) and mean cross-entropy."""
    logits, labels = predict(model, split.images, compute, workers), split.labels.to(compute.device)
    loss = functional.cross_entropy(logits, labels)
    correct = (logits.argmax(1) == labels).sum()
    return float(correct) / len(labels), float(loss)


def evaluate(
    model: nn.Module, split: Split, num_classes: int, compute: Compute, workers: Workers = ALONE
) -> Evaluation:
    """Measure everything that is worth knowing of a finished model."""
    logits = predict(model, split.images, compute, workers).cpu()
    labels = split.labels
    probability, predicted = logits.softmax(1).max(1)
    confusion = torch.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    wrong = (predicted != labels).nonzero().flatten()
    worst = wrong[probability[wrong].argsort(descending=True, stable=True)][:_MOST_MISTAKES]
    return Evaluation(
        accuracy=float((predicted == labels).sum()) / len(labels),
        loss=float(functional.cross_entropy(logits, labels)),
        confusion=confusion.view(num_classes, num_classes).numpy(),
        mistakes=Mistakes(
            worst.numpy(),
            labels[worst].numpy(),
            predicted[worst].numpy(),
            probability[worst].double().numpy(),
        ),
    )
