"""What a training run is told: one nested, strict configuration with a default for everything."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlvision.errors import ConfigError

DataName = Literal["digits", "cifar10", "cifar100", "fashion_mnist"]
ModelName = Literal["compact_cnn", "mobilenet_v3_small", "mobilenet_v3_large", "resnet18"]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class AugmentConfig(_Section):
    """How training images are varied, a whole batch at a time. Null takes what suits the data set."""

    enabled: bool = True
    """Whether training images are varied at all."""
    flip: bool | None = None
    """Mirror half of the images left to right."""
    translate: int | None = Field(default=None, ge=0, le=16)
    """The largest shift in each direction, in pixels."""
    cutout: int | None = Field(default=None, ge=0, le=32)
    """The side of a square that is blanked at a random place, in pixels; 0 blanks nothing."""


class DataConfig(_Section):
    """Which images, and how they are divided."""

    name: DataName = "digits"
    """The data set. digits comes with scikit-learn; the others are read from a folder or downloaded."""
    root: Path | None = None
    """The folder of data sets. Null: $MLV_DATA_DIR, or mlv/data in the user's cache folder."""
    download: bool = True
    """Whether a data set that is not in the folder may be downloaded."""
    verify: bool = True
    """Whether the files must be the published ones, by their MD5."""
    val_fraction: float = Field(default=0.1, gt=0, le=0.5)
    """The part of the training images that is kept to choose the best epoch by, of each class."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Decides which images are kept for validation. The test images never depend on it."""
    augment: AugmentConfig = AugmentConfig()
    """How training images are varied."""


class ModelConfig(_Section):
    """Which network."""

    name: ModelName = "compact_cnn"
    """The network. compact_cnn is made for CPUs; the others are torchvision's, adapted to small images."""
    norm: Literal["batch", "group"] = "batch"
    """What normalises the features. batch looks at the images of one process in one part of a step, group at
    each image alone: with group it makes no difference how a step is divided."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """The part of the features that is dropped before the last layer while training."""


class OptimizerConfig(_Section):
    """How the weights are changed."""

    name: Literal["adamw", "sgd"] = "adamw"
    """The method; sgd has Nesterov's momentum."""
    lr: float = Field(default=0.005, gt=0, le=100)
    """The highest learning rate."""
    weight_decay: float = Field(default=0.02, ge=0, le=10)
    """How strongly weights are drawn to zero. Biases and normalisation are left alone."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """The momentum of sgd, the first beta of adamw."""
    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    """The part of the training target that is spread over all classes."""


class ScheduleConfig(_Section):
    """How the learning rate goes, step by step."""

    name: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    """one_cycle and cosine end at zero; one_cycle starts at a 25th of the highest rate, cosine at zero."""
    warmup_fraction: float = Field(default=0.2, ge=0, lt=1)
    """The part of all steps in which the rate rises to its highest."""


class EarlyStopConfig(_Section):
    """When to end before the last epoch, and by what the best epoch is chosen."""

    metric: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    """What is watched. Of two epochs with the same accuracy the one with the lower val_loss is better."""
    patience: int | None = Field(default=None, ge=1)
    """The number of epochs without a better value after which training ends. Null: never."""
    min_delta: float = Field(default=0.0, ge=0)
    """How much better a value must be to count against the patience."""


class CheckpointConfig(_Section):
    """How often the state is written, where a folder for it is given."""

    every: int = Field(default=1, ge=1)
    """A checkpoint is written after so many epochs, after the last one, and when the run is stopped."""
    keep: int = Field(default=2, ge=1, le=1000)
    """How many of the newest checkpoints stay. With 2, a damaged one costs no more than one interval."""


class TrainConfig(_Section):
    """One training run."""

    data: DataConfig = DataConfig()
    """Which images, and how they are divided."""
    model: ModelConfig = ModelConfig()
    """Which network."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """How the weights are changed."""
    schedule: ScheduleConfig = ScheduleConfig()
    """How the learning rate goes."""
    early_stop: EarlyStopConfig = EarlyStopConfig()
    """When to end before the last epoch."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """How often the state is written."""
    epochs: int = Field(default=20, ge=1, le=100_000)
    """How often each image is seen."""
    batch_size: int = Field(default=64, ge=2, le=65_536)
    """The number of images in a step, of all processes together."""
    accumulate: int = Field(default=1, ge=1, le=1024)
    """In how many parts each process computes its share of a step: more need less memory, and give the same step."""
    sync_batch_norm: bool = False
    """Whether batch normalisation looks at the images of all processes. It needs CUDA devices."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """The precision of the heavy operations. auto: bf16 or fp16 on a CUDA device, fp32 elsewhere."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute. auto: CUDA, else MPS, else the CPU."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Decides the first weights, the order of the images and how they are varied."""


def parse_config(source: str | bytes | Mapping[str, Any]) -> TrainConfig:
    """Read a configuration from JSON or a mapping.

    :raises ConfigError: naming each wrong setting by its dotted path, and the nearest right name.
    """
    text = source if isinstance(source, (str, bytes)) else json.dumps(source, default=str)
    try:
        return TrainConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(" ".join(_sentence(dict(detail)) for detail in error.errors())) from None


def _sentence(detail: dict[str, Any]) -> str:
    path = tuple(str(part) for part in detail["loc"])
    name = ".".join(path) or "the configuration"
    if detail["type"] == "extra_forbidden":
        siblings = [*_section_at(path[:-1]).model_fields]
        near = difflib.get_close_matches(path[-1], siblings, n=1, cutoff=0.5)
        found = ".".join([*path[:-1], near[0]]) if near else None
        hint = f"did you mean {found}?" if found else f"there are {', '.join(siblings)}."
        return f"{name} is not a setting; {hint}"
    value = detail["input"]
    if detail["type"] == "json_invalid":
        return f"the configuration is not JSON: {detail['ctx']['error']}."
    if detail["type"] == "model_type":
        return f"{name} is {json.dumps(value)}; it must be an object."
    shown = json.dumps(value, default=str)
    if detail["type"] == "literal_error" and isinstance(value, str):
        choices = [choice.strip("'") for choice in _choices(detail)]
        near = difflib.get_close_matches(value, choices, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{name} is {shown}; {hint}It must be one of {', '.join(choices)}."
    message = str(detail["msg"])
    return f"{name} is {shown}; {message[0].lower()}{message[1:]}."


def _choices(detail: dict[str, Any]) -> list[str]:
    return str(detail["ctx"]["expected"]).replace(" or ", ", ").split(", ")


def _section_at(path: tuple[str, ...]) -> type[_Section]:
    """Find the section with this dotted path; a section's type is a class of the field."""
    section: type[_Section] = TrainConfig
    for part in path:
        section = cast("type[_Section]", section.model_fields[part].annotation)
    return section
