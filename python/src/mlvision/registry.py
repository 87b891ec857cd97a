"""The trained model in MLflow: saved so that anyone can load it, registered so that it can be found.

mlflow itself (3.3 s of CPU to import) is used here and only here, when training is over.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlvision.errors import TrainingError

if TYPE_CHECKING:
    from mlvision.callbacks import Finished
    from mlvision.config import TrainConfig
    from mlvision.tracking_client import Run

# Said before mlflow is imported, which reads it then: a training job reports to nobody.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

_EXAMPLES = 4
"""Images in the input example. Above one, or the export would freeze the batch size at one."""


class RegistrationRefused(TrainingError):
    """The model is in MLflow, but the registry did not take it."""


@dataclass(frozen=True)
class Registration:
    """Where a model goes in the registry: the name, the alias that is set to the new version.

    ``command`` is how the model can be made again, for its card.
    """

    name: str
    alias: str
    command: str


@dataclass(frozen=True)
class SavedModel:
    """A model in MLflow; ``name``, ``version`` and ``alias`` are set when it was registered."""

    uri: str
    name: str | None = None
    version: str | None = None
    alias: str | None = None


def save_model(
    event: Finished,
    config: TrainConfig,
    run: Run,
    registration: Registration | None,
) -> SavedModel:
    """Save the model of a run that has the metrics already; register it when that was asked for."""
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    uri, model_id = _log(event, config, run)
    _link(event, run, model_id)
    if registration is None:
        return SavedModel(uri)
    return _register(event, config, run.run_id, uri, registration)


def _log(event: Finished, config: TrainConfig, run: Run) -> tuple[str, str]:
    """Write the model's files; give its address and id.

    The model takes raw images, uint8 [N, C, H, W] in 0-255, and gives scores, float32 [N, classes]; the
    normalisation is inside. It is a graph (torch.export), no pickle: loading it runs nobody's code.
    """
    import mlflow
    import numpy as np
    import torch
    import torchvision
    from mlflow.models import ModelSignature
    from mlflow.pytorch import log_model
    from mlflow.types import Schema, TensorSpec

    images = event.data.test.images[:_EXAMPLES].numpy()
    classes = len(event.data.class_names)
    # Tensors without a name: of a named one MLflow makes a dictionary, which its own PyTorch flavour refuses.
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, *event.data.image_shape))]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, classes))]),
    )
    logged = mlflow.initialize_logged_model(
        name="model",
        source_run_id=run.run_id,
        # Else it is that of a variable, or the default one, whatever experiment the run is in.
        experiment_id=run.experiment_id,
        model_type="image-classifier",
        params={"model.name": config.model.name, "data.name": config.data.name},
    )
    # Of how torch writes its archive, which nobody who trains a model can change.
    warnings.filterwarnings("ignore", module=r"torch\.export\..*")
    # Without an active run: with one, log_model reads the history of each metric, a request each.
    info = log_model(
        event.model,
        name="model",
        model_id=logged.model_id,
        serialization_format="pt2",
        signature=signature,
        input_example=images,
        metadata={
            "class_names": list(event.data.class_names),
            "data": {"name": event.data.name, "sha256": event.data.digest},
            "input": "raw images, 0-255, N x C x H x W",
            "run_id": run.run_id,
        },
        # Said by us, else mlflow finds them out by loading the model in another process (10 s).
        pip_requirements=[
            f"mlflow=={mlflow.__version__}",
            f"numpy=={np.__version__}",
            f"torch=={torch.__version__.partition('+')[0]}",
            f"torchvision=={torchvision.__version__.partition('+')[0]}",
        ],
    )
    return info.model_uri, logged.model_id


def _link(event: Finished, run: Run, model_id: str) -> None:
    """Tell MLflow that the run made the model, and how good the model is."""
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric

    client = MlflowClient()
    client.log_outputs(run.run_id, [LoggedModelOutput(model_id, step=event.epochs_run)])
    # The run's own points, timestamps included: so they are stored for the model, not twice for the run.
    points = [run.latest[key] for key in event.metrics if key in run.latest]
    metrics = [Metric(p.key, p.value, p.timestamp, p.step, model_id, run_id=run.run_id) for p in points]
    client.log_batch(run.run_id, metrics=metrics)
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)


def _register(event: Finished, config: TrainConfig, run_id: str, uri: str, registration: Registration) -> SavedModel:
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    name, alias = registration.name, registration.alias
    client = MlflowClient()
    try:
        # It prints what it does, also that a model which has to exist already exists.
        with contextlib.redirect_stderr(io.StringIO()):
            version = str(mlflow.register_model(uri, name, await_registration_for=30).version)
        client.update_model_version(name, version, model_card(event, config, run_id, registration))
        client.set_registered_model_alias(name, alias, version)
    except MlflowException as error:
        raise RegistrationRefused(
            f"the model is saved as {uri}, but it could not be registered as {name!r}: {error.message}"
        ) from error
    return SavedModel(uri, name, version, alias)


def model_card(event: Finished, config: TrainConfig, run_id: str, registration: Registration) -> str:
    """Write the description of a model version, in Markdown."""
    data = event.data
    shape = " x ".join(str(size) for size in data.image_shape)
    rows = "\n".join(f"| {key} | {value:.4f} |" for key, value in event.metrics.items())
    return f"""\
# {config.model.name} on {data.name}

Says which of {len(data.class_names)} classes an image shows: {", ".join(data.class_names[:100])}.

| metric | value |
|---|---|
{rows}

- **Input**: raw images, `uint8` N x {shape}, 0-255; the normalisation is inside. Any batch size.
- **Output**: a score for each class, `float32` N x {len(data.class_names)}; softmax makes probabilities.
- **Trained on** {len(data.train)} images of {data.name}, chosen by {len(data.val)} others, tested on {len(data.test)};
  SHA-256 of all: `{data.digest}`
- **Best epoch**: {event.best.epoch} of {event.epochs_run}
- **Run**: `{run_id}`
- **Made by**: `{registration.command}`

The figures hold for images like those it was tested on. How it fares on others nobody measured.
"""
