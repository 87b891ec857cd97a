"""Checkpoints that can be trusted: written whole or not at all, and read only when every byte is right."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Any, cast

import torch

from mlvision.storage import Place, open_storage

_MAGIC = b"mlvision-checkpoint-1\n"


@dataclass(frozen=True, slots=True)
class Found:
    """The newest checkpoint that can be read, and where it lies; ``unreadable`` are newer ones that cannot.

    ``None`` where none of those that there are can be read.
    """

    content: dict[str, Any] | None
    path: str | None
    unreadable: tuple[str, ...]


class CheckpointFolder:
    """The checkpoints of one run, in a folder or at an ``s3://`` address; ``keep`` of the newest stay."""

    def __init__(self, folder: Place, keep: int) -> None:
        self._storage = open_storage(folder)
        self._keep = keep

    def save(self, content: dict[str, Any], epoch: int, step: int) -> tuple[str, int]:
        """Write a checkpoint and remove what is too old; give where it lies and its size in bytes."""
        buffer = io.BytesIO()
        torch.save(content, buffer)
        payload = buffer.getvalue()
        name = f"checkpoint-{epoch:06d}-{step:08d}.pt"
        data = _MAGIC + hashlib.sha256(payload).digest() + payload
        self._storage.write(name, data)
        for old in self._names()[self._keep :]:
            self._storage.remove(old)
        return self._storage.where(name), len(data)

    def newest(self) -> Found | None:
        """Read the newest checkpoint, if there is any; one that is damaged is passed over for the one before."""
        unreadable: list[str] = []
        for name in self._names():
            content = _content(self._storage.read(name) or b"")
            if content is not None:
                return Found(content, self._storage.where(name), tuple(unreadable))
            unreadable.append(self._storage.where(name))
        return Found(None, None, tuple(unreadable)) if unreadable else None

    def _names(self) -> list[str]:
        return [name for name in reversed(self._storage.names("checkpoint-")) if name.endswith(".pt")]


def _content(data: bytes) -> dict[str, Any] | None:
    head = len(_MAGIC)
    digest, payload = data[head : head + 32], data[head + 32 :]
    if not data.startswith(_MAGIC) or hashlib.sha256(payload).digest() != digest:
        return None
    return cast("dict[str, Any]", torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True))
