"""The entrypoint of a Ray job: finds the machine for the work, passes on what it says and how it ends.

The driver does no work itself: on a cluster it runs on the head. Its first line leaves before anything
heavy is imported; it ends with the work's exit code.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback

from mlvision.entry.closing import Ending, close_run
from mlvision.entry.output import Output
from mlvision.entry.stopping import GRACE, Stopping
from mlvision.events import EventWriter


def main() -> int:
    """Run the job of ``MLV_JOB_SPEC``; give its exit code."""
    output = Output()
    events = EventWriter(output)
    events.emit("state", state="provisioning", message="Asking Ray for a machine.")
    stopping = Stopping()

    from pydantic import ValidationError

    from mlvision.entry import spec as specs

    try:
        spec = specs.from_environment()
    except (KeyError, ValidationError) as error:
        events.emit("failed", error=f"The job spec in {specs.VARIABLE} is not valid: {error}", where=None)
        return 2

    from mlvision.entry.cluster import CannotRun, Died, run_work

    work = run_work
    if spec.work.type == "tune":
        from mlvision.entry.tune import run_sweep as work
    elif spec.work.type == "ddp":
        from mlvision.entry.ddp_driver import run_group as work

    try:
        code = work(spec, output, events, stopping)
    except (CannotRun, Died) as error:
        ending = Ending(1, "FAILED", str(error))
        events.emit("failed", error=str(error), where=None)
    except Exception as error:
        output.write(traceback.format_exc())
        ending = Ending(1, "FAILED", f"{type(error).__name__}: {error}")
        events.emit("failed", error=ending.reason, where=None)
    else:
        ending = _ending(code, stopped=stopping.requested.is_set())
        if spec.work.type == "command":
            _say_end(events, ending)
    problem = close_run(spec, ending, output.content(), deadline=GRACE / 4 if stopping.requested.is_set() else 30.0)
    if problem:
        output.write(f"mlv: {problem}\n")
    return ending.code


def _ending(code: int, *, stopped: bool) -> Ending:
    if stopped:
        return Ending(128 + signal.SIGTERM, "KILLED", "SIGTERM")
    if code == 0:
        return Ending(0, "FINISHED", None)
    if code < 0:
        return Ending(128 - code, "FAILED", f"It was killed by {signal.Signals(-code).name}.")
    return Ending(code, "FAILED", f"It ended with exit code {code}.")


def _say_end(events: EventWriter, ending: Ending) -> None:
    if ending.status == "KILLED":
        events.emit("stopped", reason="SIGTERM", epoch=None)
    elif ending.reason:
        events.emit("failed", error=ending.reason, where=None)


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # A tidy ray.shutdown() takes 0.9 s (Ray 2.60, 2 cores, n=4) and tidies nothing that the raylet does
    # not: it ends a driver's workers when the driver is gone.
    os._exit(exit_code)
