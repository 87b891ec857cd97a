"""The training loop, on one page. It knows neither MLflow nor Ray: whoever watches is a callback.

An epoch is: batches (drawn by seed and epoch alone) -> rate -> forward, backward, step -> validate ->
remember the best -> checkpoint. What is drawn and what is remembered lie in data/batches.py and state.py,
what several processes do together in distributed.py; training.py runs it from the first word to the last.
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
from mlvision.distributed import ALONE, Workers
from mlvision.errors import Stopped
from mlvision.evaluate import evaluate, score
from mlvision.models.build import count_parameters
from mlvision.schedule import learning_rate, set_learning_rate
from mlvision.state import TrainState
from mlvision.storage import Place


class Training:
    """One run. ``folder`` is where checkpoints go and where an earlier attempt's are taken up."""

    def __init__(
        self,
        config: TrainConfig,
        data: ImageData,
        callback: on.Callback,
        folder: Place | None,
        stop: threading.Event,
        workers: Workers = ALONE,
    ) -> None:
        self.config, self.data, self.callback, self.stop, self.workers = config, data, callback, stop, workers
        self.compute = choose_compute(config.device, config.precision, workers.device)
        self.state = TrainState(config, data, self.compute)
        self.network = workers.wrap(self.state.model, sync_batch_norm=config.sync_batch_norm)
        self.checkpoints = CheckpointFolder(folder, config.checkpoint.keep) if folder and workers.is_first else None
        vary, place, lr = augmentation(config.data), self.compute.device, config.optimizer.lr
        self.batches = TrainBatches(data.train, config.batch_size, vary, config.seed, place, workers, config.accumulate)
        self.rate = partial(learning_rate, config.schedule, lr, total=config.epochs * self.batches.steps)

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
        newest = self.checkpoints.newest() if self.checkpoints else None
        if found := self.workers.from_first(newest):
            state.restore(found.content, self.workers)
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
        return self.state.finish(data, evaluate(model, data.test, len(data.class_names), self.compute, self.workers))

    def _epoch(self) -> on.EpochEnded:
        state, optimizer, scaler, workers = self.state, self.state.optimizer, self.state.scaler, self.workers
        began = spoke = time.perf_counter()
        first, smoothing = state.step, self.config.optimizer.label_smoothing
        state.model.train()
        for images, labels in self.batches.epoch(state.epoch + 1, state.step):
            set_learning_rate(optimizer, self.rate(state.epoch * self.batches.steps + state.step))
            optimizer.zero_grad(set_to_none=True)
            workers.reseed(self.config.seed, state.epoch, state.step)
            for x, y in workers.parts(self.network, images, labels, self.config.accumulate):
                with self.compute.autocast():
                    logits = self.network(x)
                loss = functional.cross_entropy(logits.float(), y, label_smoothing=smoothing)
                share = len(y) / self.batches.size(state.step)
                scaler.scale(workers.weigh(loss, share)).backward()
                state.loss_sum.add_(loss.detach(), alpha=share)
            scaler.step(optimizer)
            scaler.update()
            state.step += 1
            if workers.agree(self.stop.is_set()):
                state.checked_loss(workers)
                raise Stopped("SIGTERM", state.epoch + 1, self._checkpoint())
            if (now := time.perf_counter()) - spoke >= 1:
                spoke, speed = now, len(self.batches) / self.batches.steps * (state.step - first) / (now - began)
                self.callback.on_progress(on.Progress(state.epoch + 1, state.step, self.batches.steps, speed))
        train_loss = state.checked_loss(workers) / self.batches.steps
        trained = time.perf_counter() - began
        speed = len(self.batches) / self.batches.steps * (state.step - first) / trained
        accuracy, val_loss = score(state.model, self.data.val, self.compute, workers)
        metrics = {"train_loss": train_loss, "val_loss": val_loss, "val_accuracy": accuracy}
        metrics["lr"] = self.rate((state.epoch + 1) * self.batches.steps - 1)
        return state.end_epoch(metrics, time.perf_counter() - began, speed)

    def _checkpoint(self) -> str | None:
        content = self.state.content(self.workers)
        if self.checkpoints is None:
            return None
        path, size = self.checkpoints.save(content, self.state.epoch, self.state.step)
        self.callback.on_checkpoint(on.CheckpointWritten(self.state.epoch, self.state.step, path, size))
        return path
