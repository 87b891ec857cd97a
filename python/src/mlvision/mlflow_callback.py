"""Records a run in MLflow: parameters, data, metrics, pictures, the model, and how it ended."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlvision import tracking_lineage as lineage
from mlvision.callbacks import Callback, EpochEnded, Failed, Finished, Resumed, Started, StoppedRun
from mlvision.errors import TrainingError
from mlvision.storage import Place
from mlvision.system_metrics import SystemMetrics
from mlvision.tracking_client import REASON, Entry, Point, Run, TrackingClient, batch, inputs, now_ms
from mlvision.tracking_http import TrackingRefused, TrackingUnavailable, insist
from mlvision.tracking_reason import describe, locate
from mlvision.tracking_sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlvision.registry import Registration, SavedModel


class TrackingLost(TrainingError):
    """MLflow could not be reached, or refused, when the result had to be written."""


class MlflowCallback(Callback):
    """Continues the run ``run_id``.

    During training nothing waits for the server: see ``tracking_sender``. ``folder`` is where entries
    are kept that it did not take, ``patience`` how many seconds a good end waits for it. A server that
    does not answer at the start is waited for as well, one that says no ends the run at once: hours of
    training without a record help nobody.
    """

    def __init__(
        self,
        client: TrackingClient,
        run_id: str,
        say: Callable[[str], None],
        *,
        folder: Place | None = None,
        registration: Registration | None = None,
        patience: float = 60.0,
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._say = say
        self._registration = registration
        self._patience = patience
        self._folder = folder or tempfile.mkdtemp(prefix="mlvision-")
        self.model: SavedModel | None = None
        """The model in MLflow, once the run has ended well."""
        run = self._look()
        self._known_params = run.params if run else {}
        self._started_at = run.start_time if run else now_ms()
        self._sender = Sender(client, self._folder, say)
        # An attempt before this one left points: this one must not write them again.
        self._is_repeated = run is None or bool(run.latest)
        if self._is_repeated:
            self._sender.leave_out_known_steps()
        if run is None or run.status != "RUNNING":
            self._sender.put(self._status("RUNNING"))
        self._take_back_reason(run)
        self._system: SystemMetrics | None = None
        self._started: Started | None = None

    def on_start(self, event: Started) -> None:
        """Record what is trained, on which data, with what."""
        self._started = event
        params = lineage.parameters(event.config)
        fresh = {key: value for key, value in params.items() if key not in self._known_params}
        tags = lineage.environment(event.device, event.precision, event.parameters)
        items = list(fresh.items())
        for first in range(0, max(len(items), 1), 100):
            part = dict(items[first : first + 100])
            self._sender.put(batch(self._run_id, params=part, tags=tags if first == 0 else None), hurry=False)
        self._sender.put(inputs(self._run_id, lineage.datasets(event.data, event.config)))
        self._system = SystemMetrics(self._take_system)

    def on_resumed(self, event: Resumed) -> None:  # noqa: ARG002
        """Leave out from now on what the run already has."""
        self._is_repeated = True
        self._sender.leave_out_known_steps()

    def on_epoch(self, event: EpochEnded) -> None:
        """Record the epoch's metrics: one request, which nobody waits for."""
        self._put_metrics(_epoch_metrics(event), event.epoch)

    def on_end(self, event: Finished) -> None:
        """Record result, pictures and model; only now is mlflow itself imported."""
        self._stop_system()
        if self._is_repeated:
            # What an attempt that was killed did not get to send. Known steps are left out.
            for epoch in event.history:
                self._put_metrics(_epoch_metrics(epoch), epoch.epoch)
        best = {"best_epoch": float(event.best.epoch), **event.metrics}
        self._put_metrics(best, event.epochs_run)

        from mlvision.report import pictures

        drawn = pictures(event)
        if not self._sender.flush(self._patience):
            raise self._lost("the metrics")
        try:
            run = insist(lambda: self._client.run(self._run_id), self._patience)
            for name, picture in drawn.items():
                self._upload(run, name, picture)
        except (TrackingUnavailable, TrackingRefused) as error:
            raise self._lost("the pictures", error) from error
        self.model = self._save_model(event, run)
        self._take_back_reason(run)
        self._sender.put(self._status("FINISHED"))
        if self._sender.close(self._patience):
            raise self._lost("the end")

    def on_stopped(self, event: StoppedRun) -> None:
        """End the run as KILLED."""
        self._end("KILLED", event.reason, deadline=4.0)

    def on_failure(self, event: Failed) -> None:
        """End the run as FAILED, with the reason."""
        where = locate(event.error)
        reason = describe(event.error) + (f" ({where})" if where else "")
        self._end("FAILED", reason, deadline=0.0 if isinstance(event.error, TrackingLost) else 15.0)

    def _end(self, status: str, reason: str, *, deadline: float) -> None:
        self._stop_system()
        self._sender.put(batch(self._run_id, tags={REASON: reason}), hurry=False)
        self._sender.put(self._status(status))
        self._sender.close(deadline)

    def _look(self) -> Run | None:
        """Read the run; ``None`` when the server does not answer."""
        try:
            return self._client.run(self._run_id)
        except TrackingUnavailable:
            return None
        except TrackingRefused as refusal:
            raise TrackingLost(f"MLflow refuses the run {self._run_id}: {refusal}") from None

    def _take_back_reason(self, run: Run | None) -> None:
        """Remove why an earlier attempt ended; one that met no server could not see it at its start."""
        if run is not None and REASON in run.tags:
            self._sender.put(Entry("runs/delete-tag", {"run_id": self._run_id, "key": REASON}))

    def _status(self, status: str) -> Entry:
        body: dict[str, object] = {"run_id": self._run_id, "status": status}
        return Entry("runs/update", body if status == "RUNNING" else body | {"end_time": now_ms()})

    def _put_metrics(self, metrics: Mapping[str, float], step: int, *, hurry: bool = True) -> None:
        time = now_ms()
        points = [Point(key, float(value), time, step) for key, value in metrics.items()]
        self._sender.put(batch(self._run_id, metrics=points), hurry=hurry)

    def _take_system(self, sample: Mapping[str, float]) -> None:
        # Seconds since the run began: never twice the same, over all attempts.
        self._put_metrics(sample, (now_ms() - self._started_at) // 1000, hurry=False)

    def _stop_system(self) -> None:
        if self._system is not None:
            self._system.stop()
            self._system = None

    def _upload(self, run: Run, name: str, picture: bytes) -> None:
        insist(lambda: self._client.upload(run, name, picture, "image/png"), self._patience)

    def _save_model(self, event: Finished, run: Run) -> SavedModel:
        assert self._started is not None
        from mlvision.registry import save_model

        return save_model(event, self._started.config, run, self._registration)

    def _lost(self, what: str, error: Exception | None = None) -> TrackingLost:
        cause = f" ({error})" if error else f" within {self._patience:.0f} s"
        return TrackingLost(f"MLflow did not take {what}{cause}; what is missing is kept in {self._folder}.")


def _epoch_metrics(event: EpochEnded) -> dict[str, float]:
    return {
        **event.metrics,
        "epoch_seconds": event.seconds,
        "images_per_second": event.images_per_second,
    }
