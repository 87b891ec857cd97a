"""Before a long training on several processes: does each compute, do they reach each other, is one slow?"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from mlvision.distributed import Workers
from mlvision.errors import TrainingError

_SIDE = 512
_NUMBERS = 2**20  # 4 MiB of float32
_ROUNDS = 5
_SLOW = 2.0  # times the median of the others


class PreflightFailed(TrainingError):
    """The processes do not add up numbers rightly."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one process measured, in seconds: the best of some rounds."""

    rank: int
    machine: str
    matmul: float
    all_reduce: float


def preflight(workers: Workers, say: Callable[[str], None]) -> list[Check]:
    """Let every process multiply matrices and all add up numbers; the first one says how it went.

    :raises PreflightFailed: when the sum is wrong.
    """
    device = workers.device or torch.device("cpu")
    matrix = torch.ones(_SIDE, _SIDE, device=device)
    matmul = _best(device, lambda: matrix @ matrix)
    workers.wait()
    ones = torch.ones(_NUMBERS, device=device)
    reduce = _best(device, lambda: workers.total(ones))
    right = bool((workers.total(ones) == workers.world).all())
    checks = workers.all((Check(workers.rank, socket.gethostname(), matmul, reduce), right))
    wrong = [check for check, is_right in checks if not is_right]
    if wrong:
        names = ", ".join(f"{check.rank} on {check.machine}" for check in wrong)
        raise PreflightFailed(f"the processes do not add up: wrong sums came out on process {names}.")
    if workers.is_first:
        for line in report([check for check, _ in checks]):
            say(line)
    return [check for check, _ in checks]


def report(checks: Sequence[Check]) -> list[str]:
    """Say how the processes did, and which of them is slow."""
    slowest = max(check.all_reduce for check in checks)
    times = ", ".join(f"{check.rank} on {check.machine} {check.matmul * 1000:.1f} ms" for check in checks)
    summary = (
        f"Preflight: {len(checks)} processes add up 4 MiB in {slowest * 1000:.1f} ms; "
        f"a product of {_SIDE} x {_SIDE} matrices takes process {times}."
    )
    return [summary, *[_slow(check, usual) for check in checks if (usual := _usual(check, checks)) is not None]]


def _usual(check: Check, checks: Sequence[Check]) -> float | None:
    """Give the others' median when this one is far above it."""
    others = [other.matmul for other in checks if other.rank != check.rank]
    if not others or check.matmul <= _SLOW * (usual := statistics.median(others)):
        return None
    return usual


def _slow(check: Check, usual: float) -> str:
    times = check.matmul / usual
    return (
        f"Preflight: process {check.rank} on {check.machine} is slow: {times:.1f} times the others' time. "
        "All wait for it in every step."
    )


def _best(device: torch.device, work: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return min(times)
