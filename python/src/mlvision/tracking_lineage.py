"""What a run was trained on and with, as MLflow records it: parameters, environment, data sets."""

from __future__ import annotations

import json
import platform
import socket
from collections.abc import Iterator, Mapping
from typing import cast

import torch

from mlvision.config import TrainConfig
from mlvision.data.dataset import ImageData, Split
from mlvision.tracking_client import JSON

_LONGEST_PARAMETER = 6000  # characters, MLflow's limit


def parameters(config: TrainConfig) -> dict[str, str]:
    """Flatten the configuration to dotted names, as `mlv train --set` takes them."""
    return {key: value[:_LONGEST_PARAMETER] for key, value in _flatten(config.model_dump(mode="json"))}


def _flatten(section: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flatten(cast("dict[str, object]", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def environment(device: str, precision: str, parameter_count: int) -> dict[str, str]:
    """Describe what only the machine that trains knows."""
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.processor()
    return {
        "mlv.env.python": platform.python_version(),
        "mlv.env.torch": torch.__version__,
        "mlv.env.host": socket.gethostname(),
        "mlv.env.device": f"{device} {name}".strip(),
        "mlv.env.precision": precision,
        "mlv.env.threads": str(torch.get_num_threads()),
        "mlv.model.parameters": str(parameter_count),
    }


def datasets(data: ImageData, config: TrainConfig) -> list[JSON]:
    """Describe the three splits, each with its own digest, the form being that of ``mlflow.data``.

    ``mlflow.data.from_numpy`` writes the same fields; it would import mlflow while the GPU waits, and
    hash only a part of a large array.
    """
    splits = {"train": data.train, "validation": data.val, "test": data.test}
    return [
        {
            "tags": [{"key": "mlflow.data.context", "value": context}],
            "dataset": _dataset(data, split, config),
        }
        for context, split in splits.items()
    ]


def _dataset(data: ImageData, split: Split, config: TrainConfig) -> JSON:
    counts = torch.bincount(split.labels, minlength=len(data.class_names)).tolist()
    profile = {
        "features_shape": list(split.images.shape),
        "features_size": split.images.numel(),
        "features_nbytes": split.images.nbytes,
        "targets_shape": list(split.labels.shape),
        "class_counts": dict(zip(data.class_names, counts, strict=True)),
        "split_seed": config.data.seed,
        "sha256": split.digest,
    }
    return {
        "name": f"{data.name}-{split.name}",
        "digest": split.digest[:32],  # MLflow holds 36 characters
        "source_type": "local",
        "source": json.dumps({"uri": data.source}),
        "schema": json.dumps({"mlflow_tensorspec": _schema(split)}),
        "profile": json.dumps(profile),
    }


def _schema(split: Split) -> dict[str, str]:
    images = {"dtype": "uint8", "shape": [-1, *split.images.shape[1:]]}
    labels = {"dtype": "int64", "shape": [-1]}
    return {
        "features": json.dumps([{"type": "tensor", "tensor-spec": images}]),
        "targets": json.dumps([{"type": "tensor", "tensor-spec": labels}]),
    }
