"""MLflow's REST interface, as much of it as a running job needs.

Importing ``mlflow`` costs 3.3 s of CPU (mlflow 3.17.2, Python 3.11, 2 cores, n=2); this module costs
0.04 s. So ``mlflow`` is imported once, after the training, to save the model; everything during the
run goes this way, with retries that we control.
"""

from __future__ import annotations

import json
import math
import os
import time
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from mlvision.tracking_http import Connection, TrackingRefused

JSON = dict[str, object]
_API = "api/2.0/mlflow"
REASON = "mlv.job.reason"
"""The tag that says in one line why a run failed or was stopped."""
_ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"


class Point(NamedTuple):
    """One value of a metric; ``timestamp`` in milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


class Entry(NamedTuple):
    """Something to write: data, so that it can wait in memory or in a file until the server is back."""

    path: str
    body: JSON


def batch(
    run_id: str,
    *,
    metrics: Iterable[Point] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Entry:
    """Make the entry for metrics, parameters and tags (at most 1000 in all, 100 of them parameters).

    The same points written twice, timestamps included, are stored once.
    """
    body: JSON = {"run_id": run_id}
    points = [point._asdict() | {"value": _number(point.value)} for point in metrics]
    if points:
        body["metrics"] = points
    if params:
        body["params"] = _pairs(params)
    if tags:
        body["tags"] = _pairs(tags)
    return Entry("runs/log-batch", body)


def inputs(run_id: str, datasets: Sequence[JSON]) -> Entry:
    """Make the entry that tells which data sets the run read."""
    return Entry("runs/log-inputs", {"run_id": run_id, "datasets": list(datasets)})


@dataclass(frozen=True)
class Run:
    """What the server knows of a run: ``start_time`` in ms since 1970, the ``latest`` point of each metric."""

    run_id: str
    experiment_id: str
    status: str
    artifact_uri: str
    start_time: int
    latest: Mapping[str, Point] = field(default_factory=dict[str, Point])
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


def now_ms() -> int:
    """Give the time in milliseconds since 1970, MLflow's unit."""
    return time.time_ns() // 1_000_000


class TrackingClient:
    """The requests of one process to one MLflow server."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    def sign_in(cls, uri: str, environment: Mapping[str, str] = os.environ, *, timeout: float = 20.0) -> TrackingClient:
        """Take the sign-in from the variables that MLflow itself reads."""
        return cls(
            Connection(
                uri,
                username=environment.get("MLFLOW_TRACKING_USERNAME"),
                password=environment.get("MLFLOW_TRACKING_PASSWORD"),
                token=environment.get("MLFLOW_TRACKING_TOKEN"),
                timeout=timeout,
            )
        )

    def run(self, run_id: str) -> Run:
        """Read a run."""
        return _run(self._call("GET", f"runs/get?{urllib.parse.urlencode({'run_id': run_id})}"))

    def create_run(self, experiment: str, name: str, tags: Mapping[str, str]) -> Run:
        """Make a run in the experiment of that name, which is made too when it is missing."""
        body: JSON = {
            "experiment_id": self._experiment(experiment),
            "run_name": name,
            "start_time": now_ms(),
            "tags": _pairs(tags),
        }
        return _run(self._call("POST", "runs/create", body))

    def update_run(self, run_id: str, status: str) -> None:
        """Set the status; with any but RUNNING the run ends now."""
        body: JSON = {"run_id": run_id, "status": status}
        if status != "RUNNING":
            body["end_time"] = now_ms()
        self._call("POST", "runs/update", body)

    def post(self, entry: Entry) -> None:
        """Write one entry."""
        self._call("POST", entry.path, entry.body)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        self.post(batch(run_id, tags=tags))

    def metric_steps(self, run_id: str, key: str) -> set[int]:
        """Give the steps at which the run has a value of this metric."""
        steps: set[int] = set()
        page = ""
        while True:
            query = {"run_id": run_id, "metric_key": key, "max_results": "25000"}
            query |= {"page_token": page} if page else {}
            answer = self._call("GET", f"metrics/get-history?{urllib.parse.urlencode(query)}")
            for metric in cast("list[JSON]", answer.get("metrics", [])):
                steps.add(int(cast("str | int", metric.get("step", 0))))
            page = str(answer.get("next_page_token") or "")
            if not page:
                return steps

    def upload(self, run: Run, path: str, content: bytes, kind: str) -> None:
        """Store an artifact of the run; refused when the server does not itself take artifacts."""
        root = urllib.parse.urlsplit(run.artifact_uri)
        if root.scheme != "mlflow-artifacts":
            raise TrackingRefused(501, f"the server does not take files for {run.artifact_uri}.")
        where = urllib.parse.quote(f"{root.path.strip('/')}/{path}")
        self.connection.request("PUT", f"{_ARTIFACTS}/{where}", content, kind)

    def _experiment(self, name: str) -> str:
        query = urllib.parse.urlencode({"experiment_name": name})
        try:
            found = self._call("GET", f"experiments/get-by-name?{query}")
            return str(cast("JSON", found["experiment"])["experiment_id"])
        except TrackingRefused as refusal:
            if refusal.status != 404:
                raise
        return str(self._call("POST", "experiments/create", {"name": name})["experiment_id"])

    def _call(self, method: str, path: str, body: JSON | None = None) -> JSON:
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        answer = self.connection.request(method, f"{_API}/{path}", content)
        return cast("JSON", json.loads(answer)) if answer else {}


def _number(value: float) -> float | str:
    """Give a value as protobuf's JSON writes it, which has words for what JSON cannot say."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _pairs(values: Mapping[str, str]) -> list[JSON]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _run(answer: JSON) -> Run:
    run = cast("JSON", answer["run"])
    info = cast("JSON", run["info"])
    data = cast("JSON", run.get("data", {}))

    def pairs(name: str) -> dict[str, str]:
        entries = cast("list[JSON]", data.get(name, []))
        return {str(entry["key"]): str(entry.get("value", "")) for entry in entries}

    return Run(
        run_id=str(info["run_id"]),
        experiment_id=str(info["experiment_id"]),
        status=str(info.get("status", "RUNNING")),
        artifact_uri=str(info.get("artifact_uri", "")),
        start_time=int(cast("str | int", info.get("start_time", 0))),
        latest={str(metric["key"]): _point(metric) for metric in cast("list[JSON]", data.get("metrics", []))},
        params=pairs("params"),
        tags=pairs("tags"),
    )


def _point(metric: JSON) -> Point:
    values = [cast("str | float", metric.get(name, 0)) for name in ("value", "timestamp", "step")]
    return Point(str(metric["key"]), float(values[0]), int(values[1]), int(values[2]))
