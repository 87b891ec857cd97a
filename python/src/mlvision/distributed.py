"""Several processes that train one model: which of them this is, and what they do together.

``Workers`` is handed to the loop; with one process each of its methods does nothing or gives back what it
got. Numbers travel over NCCL between CUDA devices and over gloo between CPUs; what is not on a device (a
vote, a checkpoint) always takes gloo. Each step divides one batch, which seed and epoch alone decide:
however many processes there are, together they see each image once and take the same step.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mlvision.device import choose_device
from mlvision.errors import DeviceMissing, PeerLost, PeerMissing

STORE = "MLV_DDP_STORE"
"""A file in which processes of one machine find each other: no port is opened for it."""

_COME = timedelta(seconds=60)  # for all to come; their machines are there already
_ANSWER = timedelta(minutes=30)  # the first one may be writing a large model meanwhile

Value = TypeVar("Value")


class Workers:
    """The processes of one training: ``rank`` is this one's number, from 0, of ``world``."""

    def __init__(
        self, rank: int = 0, world: int = 1, device: torch.device | None = None, control: object = None
    ) -> None:
        self.rank, self.world, self.device = rank, world, device
        self._control: Any = control
        self._vote: tuple[Any, Tensor] | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes checkpoints and is heard outside."""
        return self.rank == 0

    def wrap(self, model: nn.Module, *, sync_batch_norm: bool) -> nn.Module:
        """Give the model whose gradients are the mean over all processes; its weights are ``model``'s own."""
        if self.world == 1:
            return model
        is_cuda = self.device is not None and self.device.type == "cuda"
        if sync_batch_norm:
            if not is_cuda:
                raise DeviceMissing(
                    "sync_batch_norm needs CUDA devices; on CPUs take model.norm: group, which needs no synchronising."
                )
            nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return DistributedDataParallel(
            model,
            device_ids=[self.device] if is_cuda else None,
            # Running statistics are the first one's, so that its checkpoint is everybody's.
            forward_sync_buffers=_has_statistics(model),
            gradient_as_bucket_view=True,
        )

    def parts(self, model: nn.Module, images: Tensor, labels: Tensor, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Divide a batch; gradients of all parts add up here and are sent with the last one."""
        if number == 1:
            yield images, labels
            return
        pairs = [*zip(images.tensor_split(number), labels.tensor_split(number), strict=True)]
        for pair in pairs[:-1]:
            with model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext():
                yield pair
        yield pairs[-1]

    def weigh(self, loss: Tensor, share: float) -> Tensor:
        """Weigh the loss of a part that is ``share`` of a batch: the mean over processes is the batch's then."""
        weight = share * self.world
        return loss if weight == 1 else loss * weight

    def mine(self, number: int) -> slice:
        """Say which of ``number`` things in a row are this process's; every one is somebody's, none two's."""
        each, more = divmod(number, self.world)
        first = self.rank * each + min(self.rank, more)
        return slice(first, first + each + (self.rank < more))

    def reseed(self, *what: object) -> None:
        """Give each process random numbers of its own, which a resumed run draws again."""
        if self.world > 1:
            digest = hashlib.sha256(f"{what} {self.rank}".encode()).digest()
            torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)

    def agree(self, flag: bool) -> bool:
        """Say whether anyone said yes at the call before: all hear the same, and nobody waits for it.

        To be called at the same places by all. Alone, the answer is ``flag`` itself.
        """
        if self.world == 1:
            return flag
        heard = self._vote is not None and self._answer()
        ballot = torch.tensor([int(flag)])
        self._vote = (dist.all_reduce(ballot, group=self._control, async_op=True), ballot)
        return heard

    def total(self, value: Tensor) -> Tensor:
        """Give the sum over all processes."""
        if self.world == 1:
            return value
        value = value.clone()
        dist.all_reduce(value)
        return value

    def gather(self, part: Tensor, number: int) -> Tensor:
        """Put together what each made of its part, ``mine(number)``, of ``number`` rows."""
        if self.world == 1:
            return part
        longest = -(-number // self.world)
        padded = part.new_zeros((longest, *part.shape[1:]))
        padded[: len(part)] = part
        parts = [torch.empty_like(padded) for _ in range(self.world)]
        dist.all_gather(parts, padded)
        each, more = divmod(number, self.world)
        return torch.cat([rows[: each + (rank < more)] for rank, rows in enumerate(parts)])

    def share_statistics(self, model: nn.Module) -> None:
        """Give all processes the first one's running statistics of batch normalisation."""
        if self.world > 1 and _has_statistics(model):
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def from_first(self, value: Value) -> Value:
        """Give all processes the first one's value; what the others hand over is not looked at."""
        if self.world == 1:
            return value
        box: list[Any] = [value if self.is_first else None]
        dist.broadcast_object_list(box, 0, group=self._control)
        return cast("Value", box[0])

    def all(self, value: Value) -> list[Value]:
        """Give the values of all processes, in their order."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value, group=self._control)
        return values

    def wait(self) -> None:
        """Wait for each other."""
        if self._vote is not None:
            self._answer()
        if self.world > 1:
            dist.barrier(group=self._control)

    def _answer(self) -> bool:
        assert self._vote is not None
        work, ballot = self._vote
        self._vote = None
        work.wait()
        return bool(ballot.item())


ALONE = Workers()


def setup_distributed(
    device: str = "auto", variables: Mapping[str, str] = os.environ, patience: timedelta = _COME
) -> Workers:
    """Meet the other processes that ``torchrun`` or ``mlv ddp`` started; alone when there are none.

    Reads RANK, WORLD_SIZE, LOCAL_RANK and MASTER_ADDR with MASTER_PORT, or MLV_DDP_STORE.

    :raises PeerMissing: naming who did not come within ``patience``.
    """
    world, rank = int(variables.get("WORLD_SIZE", "1")), int(variables.get("RANK", "0"))
    chosen = choose_device(device)
    if chosen.type == "cuda":
        # Under torchrun a process sees all cards of its machine, elsewhere perhaps its own alone.
        chosen = torch.device("cuda", int(variables.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
        torch.cuda.set_device(chosen)
    if world == 1:
        return Workers(device=chosen)
    store = _meet(rank, world, variables, patience)
    with lost_peers_named():
        backend = "nccl" if chosen.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_ANSWER)
        return Workers(rank, world, chosen, dist.new_group(backend="gloo", timeout=_ANSWER))


def cleanup_distributed(workers: Workers, *, is_good: bool) -> None:
    """Part; after a good end not before all have come to theirs, since a launcher may end who is left."""
    if workers.world == 1:
        return
    if is_good:
        with contextlib.suppress(RuntimeError):
            workers.wait()
    dist.destroy_process_group()


@contextlib.contextmanager
def lost_peers_named() -> Generator[None]:
    """Raise ``PeerLost`` for the many errors by which another process's death shows in this one."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if isinstance(error, dist.DistError) or "gloo" in text or "NCCL" in text or "Connection closed" in text:
            raise PeerLost(f"another process of this training is gone ({_short(text)}).") from error
        raise


def _meet(rank: int, world: int, variables: Mapping[str, str], patience: timedelta) -> Any:
    stores = cast("Any", dist)  # documented, but not among the names that its stub exports
    is_host = rank == 0 and variables.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    if path := variables.get(STORE):
        common = stores.FileStore(path, world)
    else:
        address, port = variables["MASTER_ADDR"], int(variables["MASTER_PORT"])
        try:
            common = stores.TCPStore(address, port, None, is_host, timeout=patience, wait_for_workers=False)
        except dist.DistError:
            raise PeerMissing(f"process 0 of {world} cannot be reached at {address}:{port}.") from None
    store = stores.PrefixStore(f"mlvision/{variables.get('TORCHELASTIC_RESTART_COUNT', '0')}", common)
    seats = [f"here/{number}" for number in range(world)]
    store.set(seats[rank], "yes")
    try:
        store.wait(seats, patience)
    except RuntimeError:
        missing = [number for number, seat in enumerate(seats) if not store.check([seat])]
        names, seconds = ", ".join(str(number) for number in missing), patience.total_seconds()
        raise PeerMissing(f"process {names} of 0-{world - 1} did not come within {seconds:g} s.") from None
    return store


def _short(text: str) -> str:
    """Take what happened out of gloo's message, without its place in the source and its advice."""
    return text.splitlines()[0].rpartition(".cc:")[2].partition("] ")[2].split(". ")[0] or text.splitlines()[0]


def _has_statistics(model: nn.Module) -> bool:
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())  # pyright: ignore[reportPrivateUsage]
