"""The services that jobs talk to, started as the product starts them: MLflow with sign-in, a Ray head."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

PYTHON = Path(__file__).parents[1]
_DEADLINE = 100.0  # seconds; a cold start on two busy cores takes 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], object], what: str, deadline: float = _DEADLINE) -> None:
    until = time.monotonic() + deadline
    while not is_so():
        assert time.monotonic() < until, f"waited {deadline:.0f} s in vain until {what}"
        time.sleep(0.05)


class Service:
    """A program in a session of its own, started by the product's launcher."""

    def __init__(self, folder: Path, name: str, argv: list[str], environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._name = name
        self._argv = argv
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "RAY_"))}
        self._environment |= environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        launcher = [sys.executable, str(PYTHON / "launcher.py"), str(self._folder / f"{self._name}.json")]
        argv = [*launcher, str(self.log), sys.executable, *self._argv]
        self._process = subprocess.Popen(argv, env=self._environment, cwd=self._folder)

        def is_up() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            return self.answers()

        wait_until(is_up, f"{self._name} answers")

    def answers(self) -> bool:
        raise NotImplementedError

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it with all its workers, and wait until they are gone."""
        process, self._process = self._process, None
        if process is None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if _is_group_there(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
            wait_until(lambda: not _is_group_there(process.pid), f"{self._name} is gone")

    @property
    def log(self) -> Path:
        return self._folder / f"{self._name}.log"


def _is_group_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class MlflowServer(Service):
    """MLflow with sign-in, and ``mlv-jobs``: a user who may write to the experiment ``jobs`` and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.admin = ("admin", secrets.token_urlsafe(18))
        self.jobs = ("mlv-jobs", secrets.token_urlsafe(18))
        self.experiment = ""
        for name in ("mlflow.db", "auth.db"):
            connection = sqlite3.connect(folder / name)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.close()
        config = folder / "mlflow-auth.ini"
        config.write_text(
            f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{folder}/auth.db\n"
            "admin_username = admin\nauth_cache_ttl_seconds = 30\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        argv = ["-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1", "--port", str(self.port)]
        argv += ["--workers", "2", "--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
        # The tests come through a proxy at any port.
        argv += ["--allowed-hosts", "localhost:*,127.0.0.1:*"]
        environment = {
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.admin[1],
            "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
            "MLFLOW_AUTH_CONFIG_PATH": str(config),
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(18),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        super().__init__(folder, "mlflow", argv, environment)

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path) -> Iterator[MlflowServer]:
        """Give a server that is ready for jobs, and end it."""
        server = cls(folder)
        try:
            server.start()
            server.prepare()
            yield server
        finally:
            server.end()

    def prepare(self) -> None:
        """Make the user and the experiment."""
        name, password = self.jobs
        self.api("POST", "users/create", {"username": name, "password": password})
        self.experiment = self.api("POST", "experiments/create", {"name": "jobs"})["experiment_id"]
        grant = {"resource_type": "experiment", "resource_id": self.experiment, "username": name, "permission": "EDIT"}
        self.api("POST", "users/permissions/grant", grant, version="3.0")

    def api(self, method: str, path: str, body: object = None, *, version: str = "2.0") -> Any:
        """Ask as the admin."""
        content = None if body is None else json.dumps(body).encode()
        return json.loads(self.get(f"api/{version}/mlflow/{path}", method, content))

    def get(self, path: str, method: str = "GET", content: bytes | None = None) -> bytes:
        sign_in = base64.b64encode(":".join(self.admin).encode()).decode()
        headers = {"Authorization": f"Basic {sign_in}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.uri}/{path}", content, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    def answers(self) -> bool:
        return _is_ok(f"{self.uri}/health", {})


class RayHead(Service):
    """A Ray head with token sign-in, on loopback, with two processors to give away."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        dashboard, gcs = free_port(), free_port()
        token = folder / "ray-token"
        token.write_text(secrets.token_urlsafe(32))
        token.chmod(0o600)
        self.environment = {
            "RAY_ADDRESS": f"127.0.0.1:{gcs}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            # Else Ray takes the machine's outer address for its own.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.dashboard = (f"http://127.0.0.1:{dashboard}", {"Authorization": f"Bearer {token.read_text()}"})
        argv = [str(PYTHON / "ray_head.py"), "start", "--head", "--block", "--node-ip-address=127.0.0.1"]
        argv += [f"--port={gcs}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
        argv += ["--include-dashboard=true", "--dashboard-agent-listen-port=0", "--object-store-memory=100000000"]
        argv += [f"--temp-dir={temporary}", "--disable-usage-stats", "--num-cpus=2"]
        environment = {key: value for key, value in self.environment.items() if key != "RAY_ADDRESS"}
        super().__init__(
            folder,
            "ray",
            argv,
            environment | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"},
        )

    def answers(self) -> bool:
        address, headers = self.dashboard
        return _is_ok(f"{address}/api/jobs/", headers)


def _is_ok(url: str, headers: Mapping[str, str]) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
