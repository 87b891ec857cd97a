"""One thread for every test: networks this small wait longer for each other's threads than they compute.

The services are started by the first test that asks for them, once a session.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from counting_proxy import CountingProxy
from jobs import Job, Tracked
from services import MlflowServer, RayHead

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with MlflowServer.running(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture
def proxy(mlflow_server: MlflowServer) -> Iterator[CountingProxy]:
    counting = CountingProxy(mlflow_server.port)
    yield counting
    counting.close()


@pytest.fixture(scope="session")
def tracked(mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracked]:
    """A job that has ended well, and registered its model as ``digit-reader``."""
    proxy = CountingProxy(mlflow_server.port)
    register = {"model": "digit-reader", "alias": "candidate"}
    yield Tracked(Job(mlflow_server, tmp_path_factory.mktemp("tracked"), uri=proxy.uri, register=register), proxy)
    proxy.close()


@pytest.fixture(scope="session")
def ray_head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    # Sockets lie in it, whose paths may have a hundred characters.
    temporary = Path(tempfile.mkdtemp(prefix="mlv-ray-"))
    head = RayHead(tmp_path_factory.mktemp("ray"), temporary / "r")
    try:
        head.start()
        yield head
    finally:
        head.end()
        shutil.rmtree(temporary, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def _environment() -> Iterator[None]:
    """No variable of whoever starts the tests reaches a job."""
    kept = dict(os.environ)
    for key in kept:
        if key.startswith(("MLFLOW_", "MLV_", "RAY_")):
            del os.environ[key]
    yield
    os.environ.clear()
    os.environ.update(kept)
