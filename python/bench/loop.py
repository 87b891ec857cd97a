"""Images a second of the loop against its limit, and against the usual DataLoader script.

Usage: ``python bench/loop.py [--repeats 5] [--networks compact_cnn ...]``. Prints one JSON object. Each
repeat runs the rivals one after the other in one process, with the same threads; medians count.

- ``limit``: forward, backward and step of the same network on one resident batch that is normalised
  already: no loop can be quicker.
- ``usual``: what a tutorial would write: PIL images, torchvision transforms a picture at a time, a
  DataLoader, fp32, the same network, optimizer, rates and epochs. The quicker of 0 and 2 workers counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from mlvision.config import TrainConfig, parse_config
from mlvision.data.dataset import ImageData, Split
from mlvision.data.load import load_data
from mlvision.device import choose_compute
from mlvision.evaluate import evaluate
from mlvision.models.build import build_model
from mlvision.schedule import build_optimizer, learning_rate, set_learning_rate
from mlvision.training import train


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
    images = ((data.train.images[: config.batch_size] - model.mean) * model.scale).contiguous(
        memory_format=torch.channels_last
    )
    labels = data.train.labels[: config.batch_size]

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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    networks = ["compact_cnn", "mobilenet_v3_small", "mobilenet_v3_large", "resnet18"]
    parser.add_argument("--networks", nargs="+", default=networks, choices=networks)
    options = parser.parse_args()
    report: dict[str, object] = {"threads": torch.get_num_threads(), "torch": torch.__version__, "images": "digits 8x8"}
    for name in options.networks:
        small = name == "compact_cnn"
        settings = {"model": {"name": name}, "batch_size": options.batch_size, "device": "cpu", "precision": "fp32"}
        config = parse_config(
            {**settings, "epochs": 20 if small else 3, "data": {"augment": {"translate": 1}}, "optimizer": {"lr": 0.01}}
        )
        data = load_data(config.data) if small else shortened(load_data(config.data), 3 * options.batch_size)
        rows = []
        for _ in range(options.repeats):
            bare = limit(config, data, 30 if small else 4)
            loop, accuracy = ours(config, data)
            runs = [usual(config, data, workers) for workers in (0, 2)]
            rows.append((loop, bare, max(run[0] for run in runs), accuracy, statistics.mean(run[1] for run in runs)))
        loop, bare, script, accuracy, script_accuracy = (
            statistics.median(column) for column in zip(*rows, strict=True)
        )
        report[name] = {
            "loop_images_per_second": round(loop, 1),
            "limit_images_per_second": round(bare, 1),
            "usual_images_per_second": round(script, 1),
            "of_limit": round(statistics.median(row[0] / row[1] for row in rows), 3),
            "times_usual": round(statistics.median(row[0] / row[2] for row in rows), 2),
            "test_accuracy": round(accuracy, 4),
            "usual_test_accuracy": round(script_accuracy, 4),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
