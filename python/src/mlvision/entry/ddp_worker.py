"""What Ray runs of a training on several processes: the board that all can read, and one worker each.

A worker of Ray Train holds a place and starts the training as a process of its own, the very program that
torchrun starts: so signals, output and death are the operating system's here, too. Ray gets this module by
value, so it needs nothing but the standard library and Ray.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from typing import Any, cast

from mlvision.entry.worker import Worker

Item = tuple[int, "str | bytes | int"]
"""A worker's rank, and the name of its machine, what it prints, or how it ended: an exit code or -signal."""

# Zero, told to stop, another one was told to stop (see mlvision.entry.ddp): none of them is a failure.
GOOD_ENDS = frozenset({0, 128 + signal.SIGTERM, 75})


class Board:
    """An actor: workers put what the driver takes, the driver posts letters that all workers get."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._letters: list[bytes] = []
        self._changed = asyncio.Condition()

    async def put(self, rank: int, item: str | bytes | int) -> None:
        """Take something of a worker."""
        async with self._changed:
            self._items.append((rank, item))
            self._changed.notify_all()

    async def take(self, patience: float) -> list[Item]:
        """Give what came, in its order, once there is something or ``patience`` seconds are over."""
        async with self._changed:
            if not self._items:
                try:
                    await asyncio.wait_for(self._changed.wait(), patience)
                except asyncio.TimeoutError:
                    return []
            taken, self._items = self._items, []
            return taken

    async def post(self, letter: bytes) -> None:
        """Send ``b"T"`` or ``b"K"`` to every worker, see guard.py."""
        async with self._changed:
            self._letters.append(letter)
            self._changed.notify_all()

    async def letter(self, number: int) -> bytes:
        """Give a letter, once it is there."""
        async with self._changed:
            while len(self._letters) <= number:
                await self._changed.wait()
            return self._letters[number]


def train_worker(config: dict[str, Any]) -> None:
    """Run one process of the training to its end; raise when it does not end well."""
    import ray
    from ray import train
    from ray.train.collective import broadcast_from_rank_zero

    context = train.get_context()
    rank, board = context.get_world_rank(), config["board"]
    variables = {
        **config["variables"],
        "RANK": str(rank),
        "WORLD_SIZE": str(context.get_world_size()),
        "LOCAL_RANK": str(context.get_local_rank()),
        "LOCAL_WORLD_SIZE": str(context.get_local_world_size()),
        "GROUP_RANK": str(context.get_node_rank()),
    }
    if config["is_one_machine"]:
        # Nothing of it may be reached from outside.
        interface = "lo0" if os.uname().sysname == "Darwin" else "lo"
        variables |= {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": interface}
    else:
        variables |= cast("dict[str, str]", broadcast_from_rank_zero(_address() if rank == 0 else None))
    worker = Worker(
        config["argv"], config["guard"], config["folder"], variables, config["credentials"], config["python"]
    )
    threading.Thread(target=_obey, args=(worker, board), daemon=True).start()
    code = 0
    for item in worker.run():
        if isinstance(item, int):
            code = item
        else:
            board.put.remote(rank, item)
    # The driver hears of it before Ray does: the first to fail is the first in this list.
    ray.get(board.put.remote(rank, code))
    if code not in GOOD_ENDS:
        raise RuntimeError(f"process {rank} ended with {code}")


def _address() -> dict[str, str]:
    import ray

    with socket.socket() as free:
        free.bind(("", 0))
        return {"MASTER_ADDR": ray.util.get_node_ip_address(), "MASTER_PORT": str(free.getsockname()[1])}


def _obey(worker: Worker, board: Any) -> None:
    import ray

    number = 0
    while True:
        worker.stop(ray.get(board.letter.remote(number)))
        number += 1
