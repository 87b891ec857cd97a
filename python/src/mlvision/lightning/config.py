"""What a training of a ``LightningModule`` is told."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlvision.errors import ConfigError, TrainingError

_PACKAGES = ("lightning", "pytorch_lightning")
_CLASS = r"^[\w.]+:\w+$"


class LightningMissing(TrainingError):
    """The environment has no Lightning."""


class LightningConfig(BaseModel):
    """One training; what the classes are called with is theirs to judge."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    module: str = Field(pattern=_CLASS)
    """The LightningModule: ``file:Class``."""
    datamodule: str | None = Field(default=None, pattern=_CLASS)
    """The LightningDataModule; null where the module has dataloaders of its own."""
    model: dict[str, Any] = Field(default_factory=dict)
    """What the module is called with."""
    data: dict[str, Any] = Field(default_factory=dict)
    """What the data module is called with."""
    trainer: dict[str, Any] = Field(default_factory=dict)
    """What Lightning's Trainer is called with, beside what mlv decides."""
    epochs: int = Field(default=20, ge=1, le=100_000)
    batch_size: int | None = Field(default=None, ge=1)
    """Given to the data module, else to the module, as ``batch_size``."""
    metric: str = "val_loss"
    """By what the best epoch is chosen."""
    mode: Literal["max", "min"] = "min"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**32)


def parse_lightning(source: Mapping[str, Any]) -> LightningConfig:
    """Read a configuration, and see that Lightning is there.

    :raises ConfigError: naming each wrong setting.
    :raises LightningMissing: with what to do.
    """
    try:
        config = LightningConfig.model_validate_json(json.dumps(source))
    except ValidationError as error:
        parts = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
        raise ConfigError(f"the training of a LightningModule is not set right: {'; '.join(parts)}.") from None
    if not any(importlib.util.find_spec(name) for name in _PACKAGES):
        raise LightningMissing(
            "the Python environment has no lightning. Write `lightning` into a file requirements.txt, name the file in "
            "mlv.yaml (python: {requirements: requirements.txt}), and run `mlv setup`."
        )
    return config
