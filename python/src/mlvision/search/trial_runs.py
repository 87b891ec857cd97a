"""The trials in MLflow: a run each, nested in the sweep's own, written by the driver alone.

A thread sends what has changed since it last looked, a trial at a time, so that nobody waits for the
server and one that is slow is asked less often. The book is the truth: a run is found again by its
trial's number, and whatever it lacks is sent, with its first timestamps.
"""

from __future__ import annotations

import json
import math
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from mlvision.search.records import TrialRecord, now_ms
from mlvision.tracking_client import JSON, REASON, Entry, Point, TrackingClient, batch
from mlvision.tracking_http import TrackingRefused, TrackingUnavailable

NUMBER, STATE = "mlv.trial.number", "mlv.trial.state"
_STATUS = {"finished": "FINISHED", "stopped_early": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_HALF_SET = ""  # the tag and the status of a run do not say the same
_MOST = 900  # metrics in a request; MLflow takes 1000 things in all
_PAUSE = 1.0  # seconds in which what a running trial reports is gathered


@dataclass
class _Known:
    """What the run of a trial has."""

    run_id: str
    last_epoch: int
    has_params: bool
    state: str | None


class TrialRuns:
    """The runs below one parent."""

    def __init__(self, client: TrackingClient, parent: str, experiment_id: str, say: Callable[[str], None]) -> None:
        self._client, self._parent, self._experiment, self._say = client, parent, experiment_id, say
        self._known: dict[int, _Known] | None = None
        self._waiting: dict[int, TrialRecord] = {}
        self._changed = threading.Condition()
        self._hurry = self._closing = False
        self._is_down = False
        self._refused = 0
        self._thread = threading.Thread(target=self._work, name="trial-runs", daemon=True)
        self._thread.start()

    def changed(self, record: TrialRecord) -> None:
        """Have a trial written; returns at once."""
        with self._changed:
            self._waiting[record.number] = record
            self._changed.notify_all()

    def run_id(self, number: int) -> str | None:
        """Give the run of a trial, where it has been made."""
        known = (self._known or {}).get(number)
        return known.run_id if known else None

    def close(self, deadline: float) -> int:
        """Wait until all is written, at most so many seconds; give how many trials are not."""
        until = time.monotonic() + deadline
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            while self._waiting and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            self._closing = True
            self._changed.notify_all()
            return len(self._waiting) + self._refused

    def _work(self) -> None:
        pause = 0.25
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._hurry and not any(record.is_ended for record in self._waiting.values()):
                    self._changed.wait_for(lambda: self._hurry or self._closing, _PAUSE)
                if self._closing:
                    return
                # The oldest waits longest.
                number, record = next(iter(self._waiting.items()))
                version = _version(record)
            try:
                self._send(record)
            except TrackingUnavailable as error:
                self._known = None  # a request whose answer was lost may have been heard: look again
                if not self._is_down:
                    self._say(f"MLflow does not answer ({error}); the trials go on and are written later.")
                self._is_down = True
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, pause)
                pause = min(2 * pause, 10.0)
                continue
            except TrackingRefused as error:
                self._refused += 1
                self._say(f"MLflow refused trial {number}: {error}")
            if self._is_down:
                self._say("MLflow answers again.")
            self._is_down, pause = False, 0.25
            with self._changed:
                if _version(record) == version:
                    self._waiting.pop(number, None)
                self._changed.notify_all()

    def _send(self, record: TrialRecord) -> None:
        if self._known is None:
            self._known = self._look()
        known = self._known.get(record.number)
        if known is None:
            known = self._known[record.number] = _Known(self._create(record), 0, has_params=False, state=None)
        state, reason, last = record.state, record.reason, record.last_epoch
        points = [
            Point(key, float(value), one.time, one.epoch)
            for one in list(record.epochs)
            if known.last_epoch < one.epoch <= last
            for key, value in {**one.metrics, "epoch_seconds": one.seconds}.items()
        ]
        params = {} if known.has_params else {name: _text(value) for name, value in record.params.items()}
        tags: dict[str, str] = {}
        if state != known.state:
            tags = {STATE: state, REASON: reason or ""}
        for first in range(0, max(len(points), 1), _MOST):
            part = points[first : first + _MOST]
            if part or params or tags:
                self._client.post(batch(known.run_id, metrics=part, params=params, tags=tags))
            params, tags = {}, {}
        known.has_params, known.last_epoch = True, last
        if state != known.state:
            self._set_status(known, record, state)
            known.state = state

    def _set_status(self, known: _Known, record: TrialRecord, state: str) -> None:
        status = _STATUS.get(state)
        if status is not None:
            body: JSON = {"run_id": known.run_id, "status": status, "end_time": record.ended or now_ms()}
            self._client.post(Entry("runs/update", body))
        elif known.state is not None:
            self._client.post(Entry("runs/update", {"run_id": known.run_id, "status": "RUNNING"}))

    def _create(self, record: TrialRecord) -> str:
        tags = {"mlflow.parentRunId": self._parent, NUMBER: str(record.number)}
        body: JSON = {
            "experiment_id": self._experiment,
            "run_name": f"trial-{record.number:03d}",
            "start_time": record.started or now_ms(),
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        answer = self._ask("runs/create", body)
        return str(cast("Mapping[str, Mapping[str, object]]", answer["run"])["info"]["run_id"])

    def _look(self) -> dict[int, _Known]:
        """Find the runs that the trials have already, of this session or an earlier one."""
        found: dict[int, _Known] = {}
        page = ""
        while True:
            body: JSON = {
                "experiment_ids": [self._experiment],
                "filter": f"tags.`mlflow.parentRunId` = '{self._parent}'",
                "max_results": 1000,
                "order_by": ["attributes.start_time ASC"],
            }
            answer = self._ask("runs/search", body | ({"page_token": page} if page else {}))
            for run in cast("list[dict[str, JSON]]", answer.get("runs", [])):
                number, known = _known(run)
                if number is not None:
                    found.setdefault(number, known)
            page = str(answer.get("next_page_token") or "")
            if not page:
                return found

    def _ask(self, path: str, body: JSON) -> JSON:
        answer = self._client.connection.request("POST", f"api/2.0/mlflow/{path}", json.dumps(body).encode())
        return cast("JSON", json.loads(answer))


def link(uri: str, experiment_id: str, run_id: str) -> str:
    """Give the page of a run."""
    return f"{uri.rstrip('/')}/#/experiments/{urllib.parse.quote(experiment_id)}/runs/{run_id}"


def _known(run: Mapping[str, JSON]) -> tuple[int | None, _Known]:
    info, data = run["info"], run.get("data", {})
    tags = {str(tag["key"]): str(tag.get("value", "")) for tag in cast("list[JSON]", data.get("tags", []))}
    metrics = cast("list[dict[str, int | str]]", data.get("metrics", []))
    # An epoch's metrics come in one request, so that a run has all of them or none.
    last = max((int(metric.get("step", 0)) for metric in metrics if metric["key"] == "epoch_seconds"), default=0)
    number = int(tags[NUMBER]) if tags.get(NUMBER, "").isdigit() else None
    state = tags.get(STATE)
    if state is not None and info["status"] != _STATUS.get(state, "RUNNING"):
        state = _HALF_SET  # the driver was killed between the two requests
    return number, _Known(str(info["run_id"]), last, bool(data.get("params")), state)


def _version(record: TrialRecord) -> tuple[str, int]:
    return record.state, record.last_epoch


def _text(value: object) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return value if isinstance(value, str) else json.dumps(value)
