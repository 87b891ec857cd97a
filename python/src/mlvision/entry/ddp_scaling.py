"""The same training at several numbers of processes: how much faster more of them are, and what an epoch costs."""

from __future__ import annotations

import io
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from mlvision.entry.spec import JobSpec, sign_in
from mlvision.tracking_client import Point, TrackingClient, batch, now_ms
from mlvision.tracking_http import insist

_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured with ``processes``; speed-up and efficiency are against the first size.

    ``cost`` of an epoch is in the currency of the hourly price of one process, ``None`` without one.
    """

    processes: int
    images_per_second: float
    epoch_seconds: float
    speed_up: float
    efficiency: float
    cost: float | None


def measure(processes: int, epochs: Sequence[dict[str, Any]], price: float | None, first: Size | None) -> Size:
    """Take the median epoch; the first one, in which everything warms up, counts only when it is the only one."""
    counted = epochs[1:] or epochs
    speed = statistics.median(float(epoch["images_per_second"]) for epoch in counted)
    seconds = statistics.median(float(epoch["seconds"]) for epoch in counted)
    speed_up = speed / first.images_per_second if first else 1.0
    efficiency = speed_up * (first.processes / processes if first else 1.0)
    cost = None if price is None else price * processes * seconds / 3600
    return Size(processes, speed, seconds, speed_up, efficiency, cost)


def record(spec: JobSpec, sizes: Sequence[Size], images: int) -> None:
    """Write numbers, table and picture to the job's run; ``images`` is the batch of all processes."""
    client = TrackingClient.sign_in(spec.tracking.uri, sign_in(spec))
    time = now_ms()
    points = [
        Point(f"scaling_{key}", float(value), time, size.processes)
        for size in sizes
        for key, value in asdict(size).items()
        if key != "processes" and value is not None
    ]
    run_id = spec.tracking.run_id
    insist(lambda: client.post(batch(run_id, metrics=points, params={"scaling_batch_size": str(images)})), _PATIENCE)
    run = insist(lambda: client.run(run_id), _PATIENCE)
    table = json.dumps({"batch_size": images, "sizes": [asdict(size) for size in sizes]}, indent=2).encode()
    picture = draw(sizes, images)
    insist(lambda: client.upload(run, "scaling/scaling.json", table, "application/json"), _PATIENCE)
    insist(lambda: client.upload(run, "scaling/scaling.png", picture, "image/png"), _PATIENCE)


def draw(sizes: Sequence[Size], images: int) -> bytes:
    """Draw images a second beside the ideal, and efficiency, over the number of processes."""
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    numbers = [size.processes for size in sizes]
    speeds = [size.images_per_second for size in sizes]
    ideal = [speeds[0] * number / numbers[0] for number in numbers]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = cast("tuple[Axes, Axes]", figure.subplots(1, 2))
    left.plot(numbers, ideal, color="#7f7f7f", linestyle="--", label="ideal")
    left.plot(numbers, speeds, color="#1f77b4", marker="o", label="measured")
    left.set(xlabel="processes", ylabel="images/s", ylim=(0, None))
    left.legend()
    right.plot(numbers, [size.efficiency * 100 for size in sizes], color="#1f77b4", marker="o")
    right.axhline(100, color="#7f7f7f", linestyle="--")
    right.set(xlabel="processes", ylabel="efficiency (%)", ylim=(0, None))
    for axes in (left, right):
        axes.set_xticks(numbers)
        axes.grid(alpha=0.3)
    figure.suptitle(f"The same work on more processes: {images} images a step in all")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
