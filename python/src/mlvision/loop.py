"""The training loop, on one page. It knows neither MLflow nor Ray: whoever watches is a callback.

An epoch is: batches (drawn by seed and epoch alone) -> rate -> forward, backward, step -> validate ->
remember the best -> checkpoint. What is drawn and what is remembered lie in data/batches.py and state.py;
training.py runs it from the first word to the last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

from torch.nn import functional

from mlvision import callbacks as on
from mlvision.checkpoint import CheckpointFolder
from mlvision.config import TrainConfig
from mlvision.data.batches import TrainBatches
from mlvision.data.dataset import ImageData
from mlvision.data.load import augmentation
from mlvision.device import choose_compute
from mlvision.errors import Stopped
from mlvision.evaluate import evaluate, score
from mlvision.models.build import count_parameters
from mlvision.schedule import learning_rate, set_learning_rate
from mlvision.state import TrainState
from mlvision.storage import Place


class Training:
    """One run. ``folder`` is where checkpoints go and where an earlier attempt's are taken up."""

    def __init__(
        self, config: TrainConfig, data: ImageData, callback: on.Callback, folder: Place | None, stop: threading.Event
    ) -> None:
        self.config, self.data, self.callback, self.stop = config, data, callback, stop
        self.compute = choose_compute(config.device, config.precision)
        self.state = TrainState(config, data, self.compute)
        self.checkpoints = CheckpointFolder(folder, config.checkpoint.keep) if folder else None
        varied = augmentation(config.data)
        self.batches = TrainBatches(data.train, config.batch_size, varied, config.seed, self.compute.device)
        total = config.epochs * self.batches.steps
        self.rate = partial(learning_rate, config.schedule, config.optimizer.lr, total=total)

    def run(self) -> on.Finished:
        """Train to the last epoch, or until it gets no better, and measure the best model."""
        for _ in self.epochs():
            pass
        return self.finish()

    def epochs(self) -> Iterator[on.EpochEnded]:
        """Train an epoch at a time, on from a checkpoint where there is one; each is safe before it is given."""
        state, config, compute = self.state, self.config, self.compute
        parameters = count_parameters(state.model)
        self.callback.on_start(on.Started(config, self.data, state.model, parameters, compute.name, compute.precision))
        if self.checkpoints and (found := self.checkpoints.newest()):
            state.restore(found.content)
            self.callback.on_resumed(on.Resumed(state.epoch, state.step, found.path, found.unreadable))
        while state.epoch < config.epochs and not state.is_exhausted:
            self.callback.on_epoch(ended := self._epoch())
            if state.epoch % config.checkpoint.every == 0 or state.epoch == config.epochs or state.is_exhausted:
                self._checkpoint()
            yield ended

    def finish(self) -> on.Finished:
        """Take the best weights and measure them on the test images."""
        model, data = self.state.model, self.data
        model.load_state_dict(self.state.best_weights)
        return self.state.finish(data, evaluate(model, data.test, len(data.class_names), self.compute))

    def _epoch(self) -> on.EpochEnded:
        state, optimizer, scaler = self.state, self.state.optimizer, self.state.scaler
        began = spoke = time.perf_counter()
        first = state.step
        smoothing = self.config.optimizer.label_smoothing
        state.model.train()
        for images, labels in self.batches.epoch(state.epoch + 1, state.step):
            set_learning_rate(optimizer, self.rate(state.epoch * self.batches.steps + state.step))
            with self.compute.autocast():
                logits = state.model(images)
            loss = functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            state.loss_sum += loss.detach()
            state.step += 1
            if self.stop.is_set():
                state.checked_loss()
                raise Stopped("SIGTERM", state.epoch + 1, self._checkpoint())
            if (now := time.perf_counter()) - spoke >= 1:
                spoke, speed = now, len(self.batches) / self.batches.steps * (state.step - first) / (now - began)
                self.callback.on_progress(on.Progress(state.epoch + 1, state.step, self.batches.steps, speed))
        train_loss = state.checked_loss() / self.batches.steps
        trained = time.perf_counter() - began
        speed = len(self.batches) / self.batches.steps * (state.step - first) / trained
        accuracy, val_loss = score(state.model, self.data.val, self.compute)
        metrics = {"train_loss": train_loss, "val_loss": val_loss, "val_accuracy": accuracy}
        metrics["lr"] = self.rate((state.epoch + 1) * self.batches.steps - 1)
        return state.end_epoch(metrics, time.perf_counter() - began, speed)

    def _checkpoint(self) -> str | None:
        if self.checkpoints is None:
            return None
        path, size = self.checkpoints.save(self.state.content(), self.state.epoch, self.state.step)
        self.callback.on_checkpoint(on.CheckpointWritten(self.state.epoch, self.state.step, path, size))
        return path
