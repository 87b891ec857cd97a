"""The driver's part of a training on several processes: is there room, and what to do when one of them is lost."""

from __future__ import annotations

import math
import signal
from dataclasses import asdict
from typing import Any, cast

import ray

from mlvision.entry.cluster import CannotRun, Died, brings, connect, machines
from mlvision.entry.ddp import PREFLIGHT
from mlvision.entry.ddp_group import Ended, Group, Work
from mlvision.entry.output import Output
from mlvision.entry.spec import VARIABLE, DdpWork, JobSpec, work_environment
from mlvision.entry.stopping import Stopping
from mlvision.events import EventWriter

_MOST_PREEMPTIONS = 100  # after that somebody has to look


def run_group(spec: JobSpec, output: Output, events: EventWriter, stopping: Stopping) -> int:
    """Train to the end and give the exit code, or -signal; raise when it cannot run or one died."""
    environment = connect()
    stopping.take_signals()
    wanted = cast("DdpWork", spec.work)
    world = wanted.nodes * wanted.processes
    place = _check_room(spec, wanted, events)
    if wanted.scaling:
        return _run_scaling(spec, wanted, environment, place, output, events, stopping)
    preemptions = 0
    while True:
        _say_wait(spec, world, events)
        work = _work(spec, wanted, environment, place, is_checked=wanted.preflight and preemptions == 0)
        ended = Group(work, world, output, events).run(stopping)
        if stopping.requested.is_set():
            return -signal.SIGTERM
        if ended.preempted and preemptions < _MOST_PREEMPTIONS:
            preemptions += 1
            world = min(world, room(spec)) if wanted.elastic else world
            _say_preempted(ended, world, events)
        elif ended.blame and ended.code < 0 and wanted.elastic and world > ended.lost:
            world -= ended.lost
            number = f"{world} process{'es' if world > 1 else ''}"
            message = f"{ended.blame} Going on with {number} from the last checkpoint (--elastic)."
            events.emit("state", state="recovering", message=message)
        elif ended.blame and ended.code < 0:
            raise Died(ended.blame)
        else:
            if ended.blame:
                output.write(f"mlv: {ended.blame}\n")
            return ended.code


def _run_scaling(
    spec: JobSpec,
    wanted: DdpWork,
    environment: dict[str, Any],
    place: str,
    output: Output,
    events: EventWriter,
    stopping: Stopping,
) -> int:
    """Train the same at each size in turn, and record how fast each was."""
    from mlvision.config import parse_config
    from mlvision.entry.ddp_scaling import Size, measure, record

    sizes: list[Size] = []
    for processes in wanted.scaling or []:
        _say_wait(spec, processes, events)
        # A place of its own for each, so that none goes on from another's checkpoint.
        part = spec.model_copy(update={"storage": f"{spec.storage}/scaling-{processes}"})
        work = _work(part, wanted, environment, place, is_checked=wanted.preflight and not sizes)
        del work.variables["MLFLOW_RUN_ID"]  # the run belongs to the comparison, not to one of the sizes
        group = Group(work, processes, output, events, is_measured=True)
        ended = group.run(stopping)
        if stopping.requested.is_set():
            return -signal.SIGTERM
        if ended.code != 0 or not group.epochs:
            raise Died(ended.blame or f"The training on {processes} processes ended before it could be measured.")
        sizes.append(measure(processes, group.epochs, wanted.hourly_price, sizes[0] if sizes else None))
        speed = f"{sizes[-1].images_per_second:.0f} images/s"
        events.emit("state", state="running", message=f"Measured with {processes}: {speed}.")
    images = parse_config(wanted.training.config).batch_size
    record(spec, sizes, images)
    events.emit("scaling", batch_size=images, sizes=[asdict(size) for size in sizes])
    return 0


def room(spec: JobSpec) -> int:
    """Say how many processes all machines together have room for."""
    return sum(_room_on(machine, spec) for machine in machines())


def _room_on(machine: dict[str, float], spec: JobSpec) -> int:
    cpus, gpus = spec.resources.cpus, spec.resources.gpus
    by_gpu = math.floor(machine.get("GPU", 0) / gpus + 1e-9) if gpus else math.inf
    return int(min(math.floor(machine.get("CPU", 0) / cpus + 1e-9), by_gpu))


def _check_room(spec: JobSpec, wanted: DdpWork, events: EventWriter) -> str:
    """Refuse what can never run; give Ray's name for how the processes are placed."""
    rooms = [_room_on(machine, spec) for machine in machines()]
    world = wanted.nodes * wanted.processes
    if sum(rooms) < world:
        raise CannotRun(f"The job asks for {world} processes; there is room for {sum(rooms)}.")
    if sum(number >= wanted.processes for number in rooms) >= wanted.nodes:
        return "SPREAD" if wanted.nodes > 1 else "STRICT_PACK"
    message = f"There are not {wanted.nodes} machines for {wanted.processes} processes each: "
    message += "all are processes of one machine." if len(rooms) == 1 else f"{len(rooms)} machines share them."
    events.emit("state", state="provisioning", message=message)
    return "PACK"


def _say_wait(spec: JobSpec, world: int, events: EventWriter) -> None:
    free = cast("dict[str, float]", ray.available_resources())
    need = {"CPU": spec.resources.cpus * world, "GPU": spec.resources.gpus * world}
    lacking = [f"{free.get(kind, 0):g} of {need[kind]:g} {kind}s" for kind in need if free.get(kind, 0) < need[kind]]
    if lacking:
        message = f"Waiting for room for {world} processes: {' and '.join(lacking)} are free."
        events.emit("state", state="provisioning", message=message)


def _work(spec: JobSpec, wanted: DdpWork, environment: dict[str, Any], place: str, *, is_checked: bool) -> Work:
    variables = {key: str(value) for key, value in (environment.get("env_vars") or {}).items()}
    variables |= work_environment(spec)
    variables[VARIABLE] = spec.model_copy(update={"work": wanted.training}).to_json()
    if is_checked:
        variables[PREFLIGHT] = "1"
    return Work(
        variables=variables,
        credentials=spec.credentials_file,
        python=spec.python,
        cpus=spec.resources.cpus,
        gpus=spec.resources.gpus,
        is_one_machine=len(machines()) == 1,
        spreads=place,
        runtime_env=brings(environment) or None,
    )


def _say_preempted(ended: Ended, world: int, events: EventWriter) -> None:
    who = ", ".join(map(str, ended.preempted))
    message = (
        f"Process {who} was told to leave (SIGTERM); a checkpoint was written. That is no failure: "
        f"{world} process{'es go' if world > 1 else ' goes'} on from it."
    )
    events.emit("state", state="recovering", message=message)
