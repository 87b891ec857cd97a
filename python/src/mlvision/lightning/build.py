"""Finds the user's classes and the Trainer that belongs to them: Lightning's two packages do not mix."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from typing import Any

from mlvision.errors import ConfigError
from mlvision.lightning.config import LightningConfig

_ACCELERATORS = {"auto": "auto", "cpu": "cpu", "cuda": "gpu", "mps": "mps"}
_OURS = {"max_epochs", "logger", "callbacks", "devices", "num_nodes", "strategy", "accelerator"}


def build(config: LightningConfig) -> tuple[Any, Any, Any]:
    """Give the module, the data module or ``None``, and the package that the module's class comes from."""
    kind = _find(config.module)
    package = _package(kind)
    data_kind = _find(config.datamodule) if config.datamodule else None
    model, data = dict(config.model), dict(config.data)
    if config.batch_size is not None:
        (model if data_kind is None else data)["batch_size"] = config.batch_size
    package.seed_everything(config.seed, verbose=False)
    return _call(kind, model, "model"), data_kind and _call(data_kind, data, "data"), package


def build_trainer(config: LightningConfig, package: Any, watcher: Any, folder: str) -> Any:
    """Give a Trainer that writes nothing by itself: metrics and checkpoints go through ``watcher``."""
    if taken := sorted(_OURS & set(config.trainer)):
        raise ConfigError(f"trainer.{taken[0]} is mlv's own affair; epochs, device and the job's resources decide it.")
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    wanted = quiet | config.trainer
    accelerator = _ACCELERATORS[config.device]
    return package.Trainer(
        max_epochs=config.epochs,
        logger=False,
        callbacks=[watcher],
        devices=1,
        accelerator=accelerator,
        default_root_dir=folder,
        **wanted,
    )


def _find(name: str) -> Any:
    module, _, attribute = name.partition(":")
    # Where the job's files lie, as Python's own `python file.py` would find them.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name and module.startswith(error.name):
            raise ConfigError(f"there is no file {module.replace('.', '/')}.py among the job's files.") from error
        raise
    except AttributeError:
        raise ConfigError(f"{module} has no class {attribute}.") from None


def _package(kind: Any) -> Any:
    for base in inspect.getmro(kind) if inspect.isclass(kind) else ():
        if base.__name__ == "LightningModule":
            name = "lightning.pytorch" if base.__module__.startswith("lightning.") else "pytorch_lightning"
            return importlib.import_module(name)
    raise ConfigError(f"{getattr(kind, '__name__', kind)} is no LightningModule.")


def _call(kind: Any, arguments: dict[str, Any], section: str) -> Any:
    try:
        inspect.signature(kind).bind(**arguments)
    except TypeError as error:
        raise ConfigError(f"{kind.__name__} does not take {section}: {error}.") from None
    return kind(**arguments)
