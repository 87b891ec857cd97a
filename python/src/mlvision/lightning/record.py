"""Records the training of a LightningModule in its run: parameters, metrics, the model, and how it ended."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import logging
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlvision.errors import TrainingError
from mlvision.storage import Place
from mlvision.tracking_client import REASON, Entry, Point, TrackingClient, batch, now_ms
from mlvision.tracking_http import insist
from mlvision.tracking_sender import Sender

if TYPE_CHECKING:
    from mlvision.entry.spec import Register
    from mlvision.lightning.config import LightningConfig
    from mlvision.lightning.fit import LightningEpoch, LightningFit

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
_PATIENCE = 60.0


class TrackingLost(TrainingError):
    """MLflow did not take the result."""


class LightningRecord:
    """Continues the run ``run_id``; nothing of it waits for the server while a model is trained."""

    def __init__(self, run_id: str, folder: Place, register: Register | None) -> None:
        self._run_id, self._register = run_id, register
        self._client = TrackingClient.sign_in(os.environ["MLFLOW_TRACKING_URI"], os.environ)
        self._sender = Sender(self._client, folder, lambda text: print(text, flush=True))

    def start(self, config: LightningConfig) -> None:
        """Write down what is trained; an earlier attempt's points are not written twice."""
        run = insist(lambda: self._client.run(self._run_id), _PATIENCE)
        if run.latest:
            self._sender.leave_out_known_steps()
        if run.status != "RUNNING":
            self._sender.put(Entry("runs/update", {"run_id": self._run_id, "status": "RUNNING"}))
        if REASON in run.tags:
            self._sender.put(Entry("runs/delete-tag", {"run_id": self._run_id, "key": REASON}))
        params = {key: value for key, value in _flat(config.model_dump(mode="json")) if key not in run.params}
        self._sender.put(batch(self._run_id, params=params), hurry=False)

    def epoch(self, one: LightningEpoch) -> None:
        """Record an epoch."""
        self._put(one.metrics | {"epoch_seconds": one.seconds}, one.epoch)

    def finish(self, fit: LightningFit) -> dict[str, Any]:
        """Save the best model and end the run; give where the model is."""
        for one in fit.history:  # what an attempt that was killed did not get to send
            self._put(one.metrics, one.epoch)
        assert fit.best is not None
        best = {"best_epoch": float(fit.best.epoch)} | {f"best_{k}": v for k, v in fit.best.metrics.items()}
        self._put(best, len(fit.history))
        if not self._sender.flush(_PATIENCE):
            raise TrackingLost("MLflow did not take the metrics.")
        model = self._save(fit)
        self.end("FINISHED", None, deadline=_PATIENCE)
        return model

    def end(self, status: str, reason: str | None, *, deadline: float) -> None:
        """End the run."""
        if reason is not None:
            self._sender.put(batch(self._run_id, tags={REASON: reason}), hurry=False)
        self._sender.put(Entry("runs/update", {"run_id": self._run_id, "status": status, "end_time": now_ms()}))
        self._sender.close(deadline)

    def _put(self, metrics: Mapping[str, float], step: int) -> None:
        time = now_ms()
        self._sender.put(batch(self._run_id, metrics=[Point(key, value, time, step) for key, value in metrics.items()]))

    def _save(self, fit: LightningFit) -> dict[str, Any]:
        """Save the module with its source file, as Lightning's users load it: ``mlflow.pytorch.load_model``."""
        import mlflow
        import torch
        from mlflow.pytorch import log_model

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        package = fit.package.__name__.partition(".")[0]
        run = self._client.run(self._run_id)
        logged = mlflow.initialize_logged_model(
            name="model", source_run_id=run.run_id, experiment_id=run.experiment_id, model_type="lightning"
        )
        info = log_model(
            fit.restore_best(),
            name="model",
            model_id=logged.model_id,
            serialization_format="pickle",
            code_paths=[inspect.getfile(type(fit.module))],
            # Said by us, else mlflow finds them out by loading the model in another process.
            pip_requirements=[
                f"mlflow=={mlflow.__version__}",
                f"torch=={torch.__version__.partition('+')[0]}",
                f"{package}=={fit.package.__version__}",
            ],
        )
        wanted = self._register
        if wanted is None:
            return {"uri": info.model_uri, "name": None, "version": None, "alias": None}
        # It prints what it does, also that a model which has to exist already exists.
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            version = self._version(info.model_uri, wanted)
        return {"uri": info.model_uri, "name": wanted.model, "version": version, "alias": wanted.alias}

    @staticmethod
    def _version(uri: str, wanted: Register) -> str:
        import mlflow

        version = str(mlflow.register_model(uri, wanted.model, await_registration_for=30).version)
        mlflow.MlflowClient().set_registered_model_alias(wanted.model, wanted.alias, version)
        return version


def _flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)
