"""Jobs as `mlv train` hands them over: a run in MLflow, a spec in a variable, the sign-in in a file."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema

from counting_proxy import CountingProxy
from mlvision.config import parse_config
from mlvision.data.load import load_data
from mlvision.events import PREFIX
from mlvision.tracking_client import Run, TrackingClient
from services import PYTHON, MlflowServer, wait_until

EPOCHS = 3
SETTINGS = {"epochs": EPOCHS, "batch_size": 128, "device": "cpu", "seed": 3}


def event_validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((PYTHON.parent / "schemas/event.schema.json").read_text()))


class Job:
    """One job; ``uri`` is where it finds MLflow, a proxy say."""

    def __init__(self, server: MlflowServer, folder: Path, *, uri: str | None = None, **changes: Any) -> None:
        self.server = server
        self.storage = folder / "checkpoints"
        self.output = folder / "output.txt"
        folder.mkdir(exist_ok=True)
        username, password = server.jobs
        self.client = TrackingClient.sign_in(
            server.uri, {"MLFLOW_TRACKING_USERNAME": username, "MLFLOW_TRACKING_PASSWORD": password}
        )
        self.run_id = self.client.create_run("jobs", folder.name, {"mlv.job.name": folder.name}).run_id
        credentials = folder / "credentials.json"
        credentials.write_text(json.dumps({"username": username, "password": password}))
        credentials.chmod(0o600)
        self.spec: dict[str, Any] = {
            "schema": "mlv.job/1",
            "job": {
                "name": folder.name,
                "submission_id": folder.name,
                "kind": "train",
                "user": "ada",
                "template": "digits",
            },
            "resources": {"cpus": 1, "gpus": 0},
            "retries": 0,
            "tracking": {
                "uri": uri or server.uri,
                "experiment_id": server.experiment,
                "experiment_name": "jobs",
                "run_id": self.run_id,
            },
            "credentials_file": str(credentials),
            "storage": str(self.storage),
            "work": {"type": "mlvision", "config": SETTINGS},
            "register": None,
            **changes,
        }
        self._variables = {
            "MLFLOW_TRACKING_URI": uri or server.uri,
            "MLFLOW_RUN_ID": self.run_id,
            "MLFLOW_TRACKING_USERNAME": username,
            "MLFLOW_TRACKING_PASSWORD": password,
        }

    @contextlib.contextmanager
    def training(self) -> Iterator[subprocess.Popen[bytes]]:
        """Train in a process of its own, as the worker on Ray starts it."""
        with self._process("mlvision.entry.train", self._variables, "--job") as process:
            yield process

    @contextlib.contextmanager
    def driver(self, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """Run the whole job, as Ray's Jobs API does."""
        with self._process("mlvision.entry.driver", environment) as process:
            yield process

    def train(self) -> int:
        """Train to the end; give the exit code."""
        with self.training() as process:
            return process.wait()

    def run(self) -> Run:
        return self.client.run(self.run_id)

    def points(self, key: str) -> list[tuple[int, float]]:
        """Give step and value of each point of a metric, in the order of steps."""
        query = f"metrics/get-history?run_id={self.run_id}&metric_key={key}"
        return sorted((int(m.get("step", 0)), m["value"]) for m in self.server.api("GET", query).get("metrics", []))

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        lines = [line for line in self.output.read_text().splitlines() if line.startswith(PREFIX)]
        events = [json.loads(line[len(PREFIX) :]) for line in lines]
        return [event for event in events if name in (None, event["event"])]

    def wait_for(self, name: str, count: int = 1) -> None:
        wait_until(lambda: len(self.events(name)) >= count, f"the job has said {name} {count} times", 90)

    @contextlib.contextmanager
    def _process(self, module: str, more: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        environment = {**os.environ, **more, "MLV_JOB_SPEC": json.dumps(self.spec), "PYTHONPATH": str(PYTHON / "src")}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with self.output.open("ab") as output:
            argv = [sys.executable, "-m", module, *arguments]
            process = subprocess.Popen(argv, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


class Tracked:
    """A job that has ended well, what it asked MLflow for, and the data that it read."""

    def __init__(self, job: Job, proxy: CountingProxy) -> None:
        self.job, self.proxy = job, proxy
        assert job.train() == 0, job.output.read_text()
        self.run = job.run()
        self.outputs = job.server.api("GET", f"runs/get?run_id={job.run_id}")["run"]
        self.data = load_data(parse_config(SETTINGS).data)

    def of_batch(self, part: str) -> list[dict[str, Any]]:
        return [request.json() for request in self.proxy.of("runs/log-batch") if part in request.json()]

    def artifact(self, path: str) -> bytes:
        return self.job.server.get(f"get-artifact?run_uuid={self.job.run_id}&path={path}")
