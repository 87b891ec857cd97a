"""A ddp job on a real Ray: the same training as under torchrun, whatever became of its checkpoints or its loss."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from jobs import Job
from mlvision.events import PREFIX
from services import PYTHON, MlflowServer, RayHead
from two_processes import CONFIG, torchrun


def ddp(server: MlflowServer, folder: Path, config: dict[str, Any]) -> Job:
    work = {"type": "ddp", "training": {"type": "mlvision", "config": config}, "nodes": 1, "processes": 2}
    options = {"elastic": False, "preflight": False, "scaling": None, "hourly_price": None}
    job = Job(server, folder, work=work | options, resources={"cpus": 0.5, "gpus": 0})
    job.spec["job"]["kind"] = "ddp"
    return job


def run(job: Job, environment: dict[str, str]) -> int:
    with job.driver(environment) as process:
        return process.wait()


def learnt(events: list[dict[str, Any]]) -> list[Any]:
    """Give what each epoch came to, and the test images."""
    return [event["metrics"] for event in events if event["event"] in ("epoch", "result")]


@pytest.mark.timeout(600)
def test_the_same_entry_under_torchrun_and_on_ray_learns_the_same_and_a_damaged_checkpoint_is_passed_over(
    mlflow_server: MlflowServer, ray_head: RayHead, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    program = ["-m", "mlvision.entry.ddp", "--config", str(tmp_path / "config.json")]
    alone = torchrun(*program, "--folder", str(tmp_path / "alone"))
    assert alone.returncode == 0, alone.stdout + alone.stderr
    lines = [line for line in alone.stdout.splitlines() if line.startswith(PREFIX)]
    by_torchrun = learnt([json.loads(line.removeprefix(PREFIX)) for line in lines])
    assert len(by_torchrun) == CONFIG["epochs"] + 1

    job = ddp(mlflow_server, tmp_path / "job", CONFIG)
    assert run(job, ray_head.environment) == 0, job.output.read_text()
    assert learnt(job.events()) == by_torchrun

    newest = max(job.storage.glob("checkpoint-*"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"!")
    job.output.unlink()
    assert run(job, ray_head.environment) == 0, job.output.read_text()
    (said,) = [event["message"] for event in job.events("state") if "could not be read" in event["message"]]
    assert newest.name in said
    assert "the one before, of epoch 1, is taken" in said
    assert learnt(job.events()) == by_torchrun[1:]


@pytest.mark.timeout(600)
def test_a_loss_that_is_no_number_is_the_reason_of_the_run_and_mlvision_may_come_with_the_job(
    mlflow_server: MlflowServer, ray_head: RayHead, tmp_path: Path
) -> None:
    hopeless = {"optimizer": {"name": "sgd", "lr": 100, "weight_decay": 10}, "data": {"augment": {"enabled": False}}}
    job = ddp(mlflow_server, tmp_path / "hopeless", CONFIG | hopeless)
    environment = {
        "env_vars": {"PYTHONPATH": str(tmp_path / "nothing")},
        "py_modules": [f"gcs://{upload_mlvision(ray_head)}"],
    }
    config = {"RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps({"runtime_env": environment})}
    assert run(job, ray_head.environment | config) == 1
    kept = job.run()
    assert kept.status == "FAILED"
    assert kept.tags["mlv.job.reason"].startswith("LossNotFinite: the loss became"), job.output.read_text()
    assert "in epoch 1" in kept.tags["mlv.job.reason"]
    assert list(job.storage.glob("checkpoint-*")) == []


def upload_mlvision(head: RayHead) -> str:
    """Give Ray the package, as it is sent to a cluster whose image has none."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted((PYTHON / "src").rglob("*.py")):
            archive.write(file, file.relative_to(PYTHON / "src"))
    name = "_ray_pkg_0123456789abcdef.zip"
    address, headers = head.dashboard
    request = urllib.request.Request(f"{address}/api/packages/gcs/{name}", packed.getvalue(), headers, method="PUT")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
    return name
