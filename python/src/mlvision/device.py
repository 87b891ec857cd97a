"""Which device computes, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from mlvision.errors import DeviceMissing

Precision = Literal["fp32", "bf16", "fp16"]
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Compute:
    """A device and the precision of its heavy operations; weights are always kept in fp32."""

    device: torch.device
    precision: Precision

    @property
    def name(self) -> str:
        """Give the device's kind and, for a graphics card, its name."""
        if self.device.type == "cuda":
            return f"cuda ({torch.cuda.get_device_name(self.device)})"
        return self.device.type

    def autocast(self) -> AbstractContextManager[object]:
        """Run heavy operations in the chosen precision within this context."""
        if self.precision == "fp32":
            return nullcontext()  # an autocast that is off costs as much as one that is on
        return torch.autocast(self.device.type, dtype=_DTYPES[self.precision])

    def scaler(self) -> torch.amp.GradScaler:
        """Give what keeps small fp16 gradients from vanishing; it does nothing otherwise."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")


def choose_device(device: str) -> torch.device:
    """Resolve ``auto``, and check that what was asked for is there.

    :raises DeviceMissing: when it is not.
    """
    chosen = _best_device() if device == "auto" else device
    if chosen == "cuda" and not torch.cuda.is_available():
        raise DeviceMissing(
            "there is no CUDA device here that this build of PyTorch can use: a job gets one only with --gpus 1 or"
            " more. device auto takes the best that there is; nvidia-smi shows whether the machine has a card."
        )
    if chosen == "mps" and not torch.backends.mps.is_available():
        raise DeviceMissing("there is no MPS device here (it needs macOS on Apple silicon); take device auto.")
    return torch.device(chosen)


def choose_compute(device: str, precision: str, place: torch.device | None = None) -> Compute:
    """Resolve ``auto`` and check that what was asked for exists; ``place`` is a device that is chosen already.

    :raises DeviceMissing: for a device that is not there, or a precision that it cannot compute in.
    """
    place = place or choose_device(device)
    chosen = place.type
    if precision == "fp16" and chosen == "cpu":
        raise DeviceMissing("fp16 needs a CUDA or MPS device; on a CPU take bf16 or fp32.")
    resolved = _best_precision(chosen) if precision == "auto" else precision
    if chosen == "cuda":
        # Convolutions of one shape: finding the quickest algorithm once pays off in the first epoch.
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    return Compute(place, resolved)  # pyright: ignore[reportArgumentType]


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _best_precision(device: str) -> Precision:
    if device != "cuda":
        return "fp32"
    # A T4 (g4dn) has no bf16 of its own: PyTorch would emulate it, many times slower than fp16.
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
