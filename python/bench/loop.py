"""Images a second of the loop against its limit, and against the usual DataLoader script.

Usage: ``python bench/loop.py [--json FILE] [--repeats 5] [--networks compact_cnn ...] [--no-mlflow]``. Writes
``{"rows": [{what, ours, against, ratio, aim, isGood}], ...}``, to standard output without a file. Each
repeat runs the rivals one after the other in one process, with the same threads; medians count.

- ``limit``: forward, backward and step of the same network on one resident batch that is normalised
  already, and as large as the loop's own batches (which are even, so a little below ``--batch-size``): no
  loop can be quicker.
- ``usual``: what a tutorial would write: PIL images, torchvision transforms a picture at a time, a
  DataLoader, fp32, the same network, optimizer, rates and epochs. The quicker of 0 and 2 workers counts.
- what recording in MLflow costs: see recorded.py.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from mlvision.config import ModelName, TrainConfig, parse_config
from mlvision.data.dataset import ImageData, Split
from mlvision.data.load import load_data
from mlvision.device import choose_compute
from mlvision.evaluate import evaluate
from mlvision.models.build import build_model
from mlvision.schedule import build_optimizer, learning_rate, set_learning_rate
from mlvision.training import train

NETWORKS: list[ModelName] = ["compact_cnn", "mobilenet_v3_small", "mobilenet_v3_large", "resnet18"]


class Row(NamedTuple):
    """One line of docs/benchmarks.md."""

    what: str
    ours: str
    against: str
    ratio: str
    aim: str
    isGood: bool  # noqa: N815 - as scripts/bench reads it


class Pictures(Dataset[tuple[Tensor, int]]):
    """The training images, one PIL picture at a time."""

    def __init__(self, data: ImageData) -> None:
        mean, std = data.mean_std
        side = data.image_shape[1]
        self._pictures = [Image.fromarray(image[0].numpy()) for image in data.train.images]
        self._labels = data.train.labels.tolist()
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(side, padding=1),
                transforms.ToTensor(),
                transforms.Normalize([m / 255 for m in mean], [s / 255 for s in std]),
            ]
        )

    def __len__(self) -> int:
        """Give the number of pictures."""
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Give a varied, normalised image and its label."""
        return self._transform(self._pictures[index]), self._labels[index]


def usual(config: TrainConfig, data: ImageData, workers: int) -> tuple[float, float]:
    """Train as tutorials do; give images a second (training alone) and test accuracy."""
    torch.manual_seed(config.seed)
    model = build_model(config.model, data)
    optimizer = build_optimizer(config.optimizer, model)
    loader = DataLoader(Pictures(data), config.batch_size, shuffle=True, num_workers=workers)
    step, total, seconds = 0, config.epochs * len(loader), 0.0
    for _ in range(config.epochs):
        model.train()
        began = time.perf_counter()
        for images, labels in loader:
            set_learning_rate(optimizer, learning_rate(config.schedule, config.optimizer.lr, step, total))
            smoothing = config.optimizer.label_smoothing
            loss = functional.cross_entropy(model.network(images), labels, label_smoothing=smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
        seconds += time.perf_counter() - began
    accuracy = evaluate(model, data.test, len(data.class_names), choose_compute("cpu", "fp32")).accuracy
    return len(data.train) * config.epochs / seconds, accuracy


def limit(config: TrainConfig, data: ImageData, steps: int) -> float:
    """Give images a second of bare steps on one resident batch."""
    torch.manual_seed(config.seed)
    model = build_model(config.model, data).to(memory_format=torch.channels_last).train()
    optimizer = build_optimizer(config.optimizer, model)
    count = len(data.train)
    size = -(-count // -(-count // config.batch_size))
    images = ((data.train.images[:size] - model.mean) * model.scale).contiguous(memory_format=torch.channels_last)
    labels = data.train.labels[:size]

    def one() -> None:
        loss = functional.cross_entropy(model.network(images), labels, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(3):
        one()
    began = time.perf_counter()
    for _ in range(steps):
        one()
    return len(labels) * steps / (time.perf_counter() - began)


def ours(config: TrainConfig, data: ImageData) -> tuple[float, float]:
    """Give images a second of the loop (median of its epochs after the first) and test accuracy."""
    result = train(config, data=data)
    speeds = [epoch.images_per_second for epoch in result.history[1:]]
    return statistics.median(speeds), result.metrics["test_accuracy"]


def shortened(data: ImageData, count: int) -> ImageData:
    """Keep only the first images to train on: the large networks need seconds for a few hundred."""
    train_split = Split("train", data.train.images[:count], data.train.labels[:count])
    return ImageData(data.name, data.source, data.class_names, train_split, data.val, data.test)


def rows_of(name: ModelName, repeats: int, batch_size: int) -> list[Row]:
    """Measure one network."""
    small = name == "compact_cnn"
    config = settings(name, batch_size, epochs=20 if small else 3)
    data = load_data(config.data) if small else shortened(load_data(config.data), 3 * batch_size)
    rounds = []
    for _ in range(repeats):
        bare = limit(config, data, 60 if small else 6)
        loop, accuracy = ours(config, data)
        runs = [usual(config, data, workers) for workers in (0, 2)]
        rounds.append((loop, bare, max(run[0] for run in runs), accuracy, statistics.mean(run[1] for run in runs)))
    loop, bare, script, accuracy, script_accuracy = (statistics.median(column) for column in zip(*rounds, strict=True))
    of_limit = statistics.median(row[0] / row[1] for row in rounds)
    times = statistics.median(row[0] / row[2] for row in rounds)
    accuracies = f" ({accuracy:.1%} against {script_accuracy:.1%} right)" if small else ""
    return [
        Row(
            f"images a second of the loop, {name}",
            f"{loop:,.0f}",
            f"bare steps on one resident batch: {bare:,.0f}",
            f"{of_limit:.2f}×",
            "≥ 0.95×",
            of_limit >= 0.95,
        ),
        Row(
            f"images a second, {name}, against the usual script{accuracies}",
            f"{loop:,.0f}",
            f"torchvision and DataLoader: {script:,.0f}",
            f"{times:.1f}×",
            "≥ 3×" if small else "none",
            not small or times >= 3,
        ),
    ]


def rows_of_mlflow(repeats: int) -> list[Row]:
    """Measure what recording costs."""
    import recorded

    config = settings("compact_cnn", 128, epochs=20)
    data = load_data(config.data)
    with recorded.mlflow() as server:
        seconds = recorded.start_and_end(server, config, data, repeats)
        share, ratio = recorded.share_of_loop(server, config, data, repeats)
    return [
        Row(
            "time that the loop waits for MLflow, compact_cnn on digits",
            f"{share:.2%}",
            f"no tracking (wall time with it, server on the same cores: {ratio:.2f}×)",
            f"{share:.2%}",
            "≤ 1 %",
            share <= 0.01,
        ),
        Row(
            "requests of start, parameters, tags, data and end of a run",
            f"{seconds:.3f} s",
            "no tracking",
            "none",
            "≤ 0.3 s",
            seconds <= 0.3,
        ),
    ]


def settings(name: ModelName, batch_size: int, epochs: int) -> TrainConfig:
    """Give the training that is measured."""
    shared = {"batch_size": batch_size, "device": "cpu", "precision": "fp32", "optimizer": {"lr": 0.01}}
    return parse_config({**shared, "model": {"name": name}, "epochs": epochs, "data": {"augment": {"translate": 1}}})


def main() -> None:
    """Measure and write."""
    # Ended from outside it still takes MLflow down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--networks", nargs="*", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--no-mlflow", action="store_true")
    options = parser.parse_args()
    rows = [row for name in options.networks for row in rows_of(name, options.repeats, options.batch_size)]
    if not options.no_mlflow:
        rows += rows_of_mlflow(options.repeats)
    report = {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "images": "digits, 8x8",
        "rows": [row._asdict() for row in rows],
    }
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    if options.json:
        options.json.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
