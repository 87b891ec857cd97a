"""Checkpoints that can be trusted: written whole or not at all, and read only when every byte is right."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

_MAGIC = b"mlvision-checkpoint-1\n"


@dataclass(frozen=True, slots=True)
class Found:
    """The newest checkpoint that can be read; ``unreadable`` are newer ones that cannot."""

    content: dict[str, Any]
    path: Path
    unreadable: tuple[Path, ...]


class CheckpointFolder:
    """The checkpoints of one run; ``keep`` of the newest stay."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, content: dict[str, Any], epoch: int, step: int) -> tuple[Path, int]:
        """Write a checkpoint and remove what is too old; give its path and size in bytes."""
        buffer = io.BytesIO()
        torch.save(content, buffer)
        payload = buffer.getvalue()
        path = self._folder / f"checkpoint-{epoch:06d}-{step:08d}.pt"
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(_MAGIC + hashlib.sha256(payload).digest() + payload)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            # After a full disk, say: half a file would only take the room that is missing.
            temporary.unlink(missing_ok=True)
        _sync_folder(self._folder)
        for old in self._paths()[self._keep :]:
            old.unlink(missing_ok=True)
        return path, path.stat().st_size

    def newest(self) -> Found | None:
        """Read the newest checkpoint; one that is damaged is passed over for the one before."""
        unreadable: list[Path] = []
        for path in self._paths():
            content = _read(path)
            if content is not None:
                return Found(content, path, tuple(unreadable))
            unreadable.append(path)
        return None

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("checkpoint-*.pt"), reverse=True)


def _read(path: Path) -> dict[str, Any] | None:
    data = path.read_bytes()
    head = len(_MAGIC)
    digest, payload = data[head : head + 32], data[head + 32 :]
    if not data.startswith(_MAGIC) or hashlib.sha256(payload).digest() != digest:
        return None
    return cast("dict[str, Any]", torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
