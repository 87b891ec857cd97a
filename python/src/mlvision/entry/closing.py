"""What is written to the MLflow run when the work is over: how it ended, and what it printed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from mlvision.entry.spec import JobSpec, sign_in
from mlvision.storage import StorageFailed, open_storage
from mlvision.tracking_client import REASON, TrackingClient
from mlvision.tracking_http import Answer, TrackingRefused, TrackingUnavailable, insist

LOG = "job/log.txt"
EXIT_CODE = "mlv.job.exit_code"


@dataclass(frozen=True)
class Ending:
    """How a job ended; ``reason`` is one line, ``None`` when it went well."""

    code: int
    status: str
    reason: str | None


def close_run(spec: JobSpec, ending: Ending, log: bytes, *, deadline: float) -> str | None:
    """Write the end of a job to its run within ``deadline`` seconds; say what could not be written.

    A run that the work has ended itself keeps its status, unless the job failed and the run says otherwise;
    one that is still RUNNING belongs to work that does not end runs, or had no time to.
    """
    until = time.monotonic() + deadline

    def ask(call: Callable[[], Answer]) -> Answer:
        return insist(call, until - time.monotonic())

    try:
        client = TrackingClient.sign_in(spec.tracking.uri, sign_in(spec), timeout=max(2.0, deadline / 2))
        run_id = spec.tracking.run_id
        run = ask(lambda: client.run(run_id))
        tags = {EXIT_CODE: str(ending.code)}
        if ending.reason and REASON not in run.tags:  # the work knows better than its exit code why
            tags[REASON] = ending.reason
        ask(lambda: client.set_tags(run_id, tags))
        if run.status == "RUNNING" or (ending.code != 0 and run.status != ending.status):
            ask(lambda: client.update_run(run_id, ending.status))
        ask(lambda: client.upload(run, LOG, log, "text/plain"))
    except (TrackingUnavailable, TrackingRefused, OSError, ValueError, KeyError) as error:
        return f"The run in MLflow could not be completed ({error}).{_keep(spec, log)}"
    return None


def _keep(spec: JobSpec, log: bytes) -> str:
    """Put the log beside the checkpoints."""
    try:
        storage = open_storage(spec.storage)
        storage.write("log.txt", log)
    except (OSError, StorageFailed):
        return ""
    return f" The log is kept in {storage.where('log.txt')}."
