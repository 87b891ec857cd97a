"""The driver of a job on a real Ray head: what the work says and how it ends passes through, whatever happens."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import psutil
import pytest

from jobs import SETTINGS, Job, event_validator
from services import MlflowServer, RayHead, wait_until

SPEAK = "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr); sys.exit(7)"
# Says that it is there, ends well on SIGTERM only after a last word, and has a child that must not outlive it.
OBEY = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
def end(*_):
    print('a last word', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('child', child.pid, flush=True)
time.sleep(600)
"""


def command(server: MlflowServer, folder: Path, source: str) -> Job:
    return Job(server, folder, work={"type": "command", "argv": [sys.executable, "-c", source]})


def text(job: Job) -> str:
    return job.output.read_text()


def log(job: Job) -> str:
    return job.server.get(f"get-artifact?run_uuid={job.run_id}&path=job/log.txt").decode()


def check_events(job: Job) -> list[str]:
    for event in job.events():
        event_validator().validate(event)
    return [event["event"] for event in job.events()]


def test_a_command_passes_on_its_output_and_its_exit_code(
    mlflow_server: MlflowServer, ray_head: RayHead, tmp_path: Path
) -> None:
    job = command(mlflow_server, tmp_path / "speak", SPEAK)
    with job.driver(ray_head.environment) as process:
        assert process.wait() == 7
    assert re.search(r"^out\nerr\n", text(job), re.MULTILINE)
    assert check_events(job)[-1] == "failed"
    run = job.run()
    assert (run.status, run.tags["mlv.job.exit_code"]) == ("FAILED", "7")
    assert run.tags["mlv.job.reason"] == "It ended with exit code 7."
    assert "out\nerr\n" in log(job)


def test_sigterm_reaches_a_command_which_has_the_last_word_and_leaves_no_child(
    mlflow_server: MlflowServer, ray_head: RayHead, tmp_path: Path
) -> None:
    job = command(mlflow_server, tmp_path / "obey", OBEY)
    with job.driver({**ray_head.environment, "RAY_JOB_STOP_WAIT_TIME_S": "30"}) as process:
        wait_until(lambda: re.search(r"^child \d+$", text(job), re.MULTILINE), "the command speaks")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    assert "a last word" in text(job)
    assert check_events(job)[-1] == "stopped"
    assert job.run().status == "KILLED"
    child = int(re.findall(r"^child (\d+)$", text(job), re.MULTILINE)[0])
    wait_until(lambda: not psutil.pid_exists(child), "its child is gone", 10)


def test_a_training_that_something_kills_goes_on_from_its_checkpoint(
    mlflow_server: MlflowServer, ray_head: RayHead, tmp_path: Path
) -> None:
    work = {"type": "mlvision", "config": {**SETTINGS, "epochs": 30}}
    job = Job(mlflow_server, tmp_path / "killed", work=work, retries=1)
    with job.driver(ray_head.environment) as process:
        job.wait_for("epoch", 2)
        os.kill(_training(job), signal.SIGKILL)
        assert process.wait() == 0, text(job)
    names = check_events(job)
    assert (names.count("resumed"), names.count("result")) == (1, 1)
    (recovering,) = [event for event in job.events("state") if event["state"] == "recovering"]
    assert "killed by SIGKILL" in recovering["message"]
    assert "Attempt 2 of 2" in recovering["message"]
    assert job.run().status == "FINISHED"
    assert [step for step, _ in job.points("train_loss")] == list(range(1, 31))


def test_a_job_that_no_machine_can_run_says_what_the_largest_has(
    mlflow_server: MlflowServer, ray_head: RayHead, tmp_path: Path
) -> None:
    job = Job(mlflow_server, tmp_path / "large", resources={"cpus": 64, "gpus": 0})
    with job.driver(ray_head.environment) as process:
        assert process.wait() == 1
    assert "asks for 64 CPUs" in (reason := job.run().tags["mlv.job.reason"])
    assert "2 CPUs" in reason
    assert job.run().status == "FAILED"
    assert job.events("failed")[0]["error"] == reason


def test_a_wrong_setting_passes_through_as_2_and_its_own_reason_stays(
    mlflow_server: MlflowServer, ray_head: RayHead, tmp_path: Path
) -> None:
    job = Job(mlflow_server, tmp_path / "wrong", work={"type": "mlvision", "config": {"epoch": 1}})
    with job.driver(ray_head.environment) as process:
        assert process.wait() == 2
    assert "did you mean epochs?" in job.run().tags["mlv.job.reason"]
    assert job.run().status == "FAILED"


def _training(job: Job) -> int:
    """Find the process that trains for this job."""
    for process in psutil.process_iter(["cmdline"]):
        if "mlvision.entry.train" in (process.info["cmdline"] or []):
            with_ = process.environ()
            if with_.get("MLFLOW_RUN_ID") == job.run_id:
                return int(process.pid)
    pytest.fail("nothing trains")
