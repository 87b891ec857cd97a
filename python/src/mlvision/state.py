"""Everything that changes while a model is trained, so that it can be written down and taken up exactly."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from mlvision.callbacks import Best, EpochEnded, Finished
from mlvision.config import TrainConfig
from mlvision.data.dataset import ImageData
from mlvision.device import Compute
from mlvision.distributed import Workers
from mlvision.errors import CheckpointMismatch, LossNotFinite
from mlvision.evaluate import Evaluation
from mlvision.models.build import build_model
from mlvision.schedule import build_optimizer

# Where the data lies and how often checkpoints are written changes no weight.
_FREE = {"checkpoint": True, "device": True, "data": {"root", "download", "verify"}}


class TrainState:
    """Weights, optimizer, random numbers and how far training is: ``epoch`` epochs and ``step`` steps are done."""

    def __init__(self, config: TrainConfig, data: ImageData, compute: Compute) -> None:
        torch.manual_seed(config.seed)
        self._config = config
        self._data_digest = data.digest
        self._device = compute.device
        self.model = build_model(config.model, data).to(compute.device)
        self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.optimizer = build_optimizer(config.optimizer, self.model)
        self.scaler = compute.scaler()
        self.epoch = 0
        self.step = 0
        self.loss_sum = torch.zeros((), device=compute.device)
        self.history: list[EpochEnded] = []
        self.best: Best | None = None
        self.best_loss = float("inf")
        self.best_weights: dict[str, Tensor] = {}
        self._bar = float("-inf")
        self.stale = 0

    def end_epoch(self, metrics: dict[str, float], seconds: float, images_per_second: float) -> EpochEnded:
        """Close an epoch: compare its metrics with the best so far, whose weights are kept."""
        self.epoch, self.step = self.epoch + 1, 0
        self.loss_sum.zero_()
        best = self._note(metrics)
        ended = EpochEnded(self.epoch, self._config.epochs, seconds, images_per_second, metrics, best)
        self.history.append(ended)
        return ended

    def finish(self, data: ImageData, evaluation: Evaluation) -> Finished:
        """Give the result: the model, on the CPU and ready to predict, and how good it is."""
        assert self.best is not None
        metrics = {"test_accuracy": evaluation.accuracy, "test_loss": evaluation.loss}
        stopped_early = self.epoch < self._config.epochs
        model, history = self.model.cpu().eval(), tuple(self.history)
        return Finished(model, data, evaluation, metrics, history, self.best, self.epoch, stopped_early)

    def _note(self, metrics: dict[str, float]) -> Best:
        rule = self._config.early_stop
        value, loss = metrics[rule.metric], metrics["val_loss"]
        height = -value if rule.metric == "val_loss" else value
        best_height = float("-inf") if self.best is None else self._height(self.best.value)
        if height > best_height or (height == best_height and loss < self.best_loss):
            self.best, self.best_loss = Best(self.epoch, value), loss
            self.best_weights = {
                name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()
            }
        if height > self._bar + (rule.min_delta if self._bar > float("-inf") else 0.0):
            self._bar, self.stale = height, 0
        else:
            self.stale += 1
        assert self.best is not None
        return self.best

    def checked_loss(self, workers: Workers) -> float:
        """Give the sum of the epoch's losses; one that is not finite stays so, and is never written down."""
        if not math.isfinite(total := float(workers.total(self.loss_sum))):
            raise LossNotFinite(f"the loss became {total} in epoch {self.epoch + 1}; a lower optimizer.lr helps.")
        return total

    @property
    def is_exhausted(self) -> bool:
        """Whether so many epochs were no better that training ends."""
        patience = self._config.early_stop.patience
        return patience is not None and self.stale >= patience

    def content(self, workers: Workers) -> dict[str, Any]:
        """Give all of it as tensors and plain values; to be called by all workers."""
        cuda = torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None
        return {
            "config": self._fixed(),
            "data": self._data_digest,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": {"cpu": torch.get_rng_state(), "cuda": cuda},
            "progress": {"epoch": self.epoch, "step": self.step, "loss_sums": workers.all(float(self.loss_sum))},
            "history": [asdict(epoch) for epoch in self.history],
            "best": {
                "best": None if self.best is None else asdict(self.best),
                "loss": self.best_loss,
                "weights": self.best_weights,
            },
            "patience": {"bar": self._bar, "stale": self.stale},
        }

    def restore(self, content: dict[str, Any] | None, workers: Workers) -> None:
        """Take up a checkpoint, where one could be read, whatever the number of workers that it was written by.

        :raises CheckpointMismatch: when it was written with other settings or other data.
        """
        if content is None:
            return
        if content["config"] != self._fixed() or content["data"] != self._data_digest:
            raise CheckpointMismatch("the checkpoint belongs to a training with other settings or other data.")
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.scaler.load_state_dict(content["scaler"])
        progress, best, patience = content["progress"], content["best"], content["patience"]
        self.epoch, self.step = progress["epoch"], progress["step"]
        # Each goes on with its own sum, so that the last digit is the same; a new number of workers adds anew.
        sums = progress["loss_sums"]
        own = sums[workers.rank] if len(sums) == workers.world else sum(sums) * workers.is_first
        self.loss_sum.fill_(own)
        self.history = [_epoch(epoch) for epoch in content["history"]]
        self.best = None if best["best"] is None else Best(**best["best"])
        self.best_loss, self.best_weights = best["loss"], best["weights"]
        self._bar, self.stale = patience["bar"], patience["stale"]
        torch.set_rng_state(content["random"]["cpu"])
        if content["random"]["cuda"] is not None and self._device.type == "cuda":
            torch.cuda.set_rng_state(content["random"]["cuda"], self._device)

    def _height(self, value: float) -> float:
        return -value if self._config.early_stop.metric == "val_loss" else value

    def _fixed(self) -> dict[str, Any]:
        return self._config.model_dump(mode="json", exclude=_FREE)  # pyright: ignore[reportArgumentType]


def _epoch(fields: dict[str, Any]) -> EpochEnded:
    rest = {key: value for key, value in fields.items() if key != "best"}
    return EpochEnded(**rest, best=Best(**fields["best"]))
