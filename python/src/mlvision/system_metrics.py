"""How busy the machine is, sampled beside the training under the names that MLflow's pages know."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import psutil

_MEGABYTE = 1e6
_INTERVAL = 10.0  # seconds


class SystemMetrics:
    """Calls ``take`` with a sample every ``interval`` seconds, and with a last one when it is stopped.

    One sample costs 1 ms without a GPU (psutil 7.2, 2 cores, n=100). The keys carry the machine's name
    (``MLFLOW_SYSTEM_METRICS_NODE_ID``, else the host's), so that those of a run that went on elsewhere
    stay apart.
    """

    def __init__(self, take: Callable[[Mapping[str, float]], None], interval: float = _INTERVAL) -> None:
        self._take = take
        self._interval = interval
        node = os.environ.get("MLFLOW_SYSTEM_METRICS_NODE_ID") or socket.gethostname()
        self._prefix = f"system/{re.sub(r'[^A-Za-z0-9_.-]', '-', node)}/"
        self._gpus = _open_gpus()
        self._network = psutil.net_io_counters()
        psutil.cpu_percent()  # the first call only sets the mark from which the next one counts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="system-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()

    def _work(self) -> None:
        due = time.monotonic()
        while True:
            due += self._interval
            ended = self._ended.wait(max(0.0, due - time.monotonic()))
            self._take(self.sample())
            if ended:
                return

    def sample(self) -> dict[str, float]:
        """Measure now."""
        memory = psutil.virtual_memory()
        network = psutil.net_io_counters()
        values = {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / _MEGABYTE,
            "system_memory_usage_percentage": memory.percent,
            "process_memory_usage_megabytes": psutil.Process().memory_info().rss / _MEGABYTE,
            "disk_usage_percentage": psutil.disk_usage(os.getcwd()).percent,
            "network_receive_megabytes": (network.bytes_recv - self._network.bytes_recv) / _MEGABYTE,
            "network_transmit_megabytes": (network.bytes_sent - self._network.bytes_sent) / _MEGABYTE,
        }
        for index, read in enumerate(self._gpus):
            values |= {f"gpu_{index}_{name}": value for name, value in read().items()}
        return {f"{self._prefix}{name}": value for name, value in values.items()}


def _open_gpus() -> list[Callable[[], dict[str, float]]]:
    """Give a reader for each NVIDIA card that this process may use; none without a driver."""
    try:
        # nvidia-ml-py has no types.
        import pynvml  # pyright: ignore[reportMissingTypeStubs]

        nvml = cast("Any", pynvml)
        nvml.nvmlInit()
        handles = [_open_gpu(nvml, name) for name in _gpu_names(nvml.nvmlDeviceGetCount())]
    except Exception:
        # No driver, no card, a card that is divided: training is not to end for want of a curve.
        return []
    return [lambda handle=handle: _read_gpu(nvml, handle) for handle in handles]


def _gpu_names(count: int) -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(index) for index in range(count)]
    names = [name.strip() for name in visible.split(",")]
    return [name for name in names if name not in {"", "-1", "NoDevFiles"}]


def _open_gpu(nvml: Any, name: str) -> object:
    if name.isdigit():
        return nvml.nvmlDeviceGetHandleByIndex(int(name))
    return nvml.nvmlDeviceGetHandleByUUID(name)


def _read_gpu(nvml: Any, handle: object) -> dict[str, float]:
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        return {
            "memory_usage_megabytes": memory.used / _MEGABYTE,
            "memory_usage_percentage": 100.0 * memory.used / memory.total,
            "utilization_percentage": float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            "power_usage_watts": nvml.nvmlDeviceGetPowerUsage(handle) / 1000.0,
        }
    except nvml.NVMLError:
        # Some cards say nothing of their power; a card that fell off the bus says nothing at all.
        return {}
