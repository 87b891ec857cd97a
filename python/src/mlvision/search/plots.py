"""The pictures of a sweep, as PNG bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import cast

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlvision.search.records import TrialRecord
from mlvision.search.space import Choice, LogUniform, Space

Scores = Sequence[tuple[TrialRecord, float]]
_DONE, _STOPPED, _BEST = "#1f77b4", "#9aa5b1", "#d62728"


def optimization_history(scores: Scores, metric: str, mode: str) -> bytes:
    """Draw each trial's score in order, and the best so far as a line."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    ordered = sorted(scores, key=lambda entry: entry[0].number)
    for state, label, color in (("finished", "finished", _DONE), ("stopped_early", "stopped early", _STOPPED)):
        points = [(record.number, value) for record, value in ordered if record.state == state]
        if points:
            axes.scatter(*zip(*points, strict=True), s=22, color=color, label=f"{label} ({len(points)})", zorder=3)
    best: list[float] = []
    for _, value in ordered:
        best.append(value if not best else (max if mode == "max" else min)(best[-1], value))
    axes.step([record.number for record, _ in ordered], best, where="post", color=_BEST, label=f"best: {best[-1]:.4g}")
    axes.set(xlabel="trial", ylabel=metric, title=f"{len(ordered)} trials")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = _shown([value for _, value in ordered], mode)
    axes.set_ylim(low, high)
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    return _png(figure)


def parallel_coordinates(scores: Scores, space: Space, metric: str, mode: str) -> bytes:
    """Draw a line for each trial through its parameters to its score; the better, the darker and the later drawn."""
    names = list(space.dimensions)
    figure = Figure(figsize=(max(7.0, 2.0 * (len(names) + 1)), 4.8), layout="constrained")
    axes = figure.subplots()
    low, high = _shown([value for _, value in scores], mode)
    norm = Normalize(low, high) if mode == "max" else Normalize(-high, -low)
    colors = colormaps["viridis_r"]
    sign = 1 if mode == "max" else -1
    last = len(names)
    for record, value in sorted(scores, key=lambda entry: sign * entry[1]):
        places = [
            (index, _height(space, name, record.params[name]))
            for index, name in enumerate(names)
            if name in record.params
        ]
        places.append((last, min(1.0, max(0.0, (value - low) / (high - low)))))
        shade = norm(sign * value)
        axes.plot(*zip(*places, strict=True), color=colors(shade), alpha=0.25 + 0.65 * min(1.0, max(0.0, float(shade))))
    for index, name in enumerate(names):
        axes.axvline(index, color="black", linewidth=0.8)
        for height, label in _labels(space, name):
            axes.annotate(label, (index, height), xytext=(4, 0), textcoords="offset points", fontsize=8, va="center")
    axes.axvline(last, color="black", linewidth=0.8)
    axes.set_xticks(range(last + 1), [*names, metric], fontsize=9)
    axes.set_yticks([])
    axes.set(
        xlim=(-0.4, last + 0.4),
        ylim=(-0.04, 1.04),
        title=f"{len(scores)} trials; a trial without a parameter passes it by",
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.colorbar(ScalarMappable(Normalize(low, high), colors if mode == "max" else "viridis"), ax=axes, label=metric)
    return _png(figure)


def importances(weights: Mapping[str, float], metric: str) -> bytes:
    """Draw how much of the difference in score each parameter explains."""
    figure = Figure(figsize=(7, 1.4 + 0.4 * len(weights)), layout="constrained")
    axes = figure.subplots()
    ordered = sorted(weights.items(), key=lambda entry: entry[1])
    bars = axes.barh([name for name, _ in ordered], [weight for _, weight in ordered], color=_DONE)
    axes.bar_label(bars, labels=[f"{weight:.0%}" for _, weight in ordered], padding=3)
    axes.set(xlim=(0, 1.12), xlabel=f"share of the difference in {metric}", title="What matters")
    return _png(figure)


def _shown(values: Sequence[float], mode: str) -> tuple[float, float]:
    """Give the range to draw: a few hopeless trials must not squeeze all the others into a line."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    if len(ordered) >= 8:
        if mode == "max":
            low = ordered[len(ordered) // 8]
        else:
            high = ordered[-1 - len(ordered) // 8]
    margin = 0.04 * (high - low) or max(abs(high), 1.0) * 0.01
    return low - margin, high + margin


def _height(space: Space, name: str, value: object) -> float:
    one = space.dimensions[name]
    if isinstance(one, Choice):
        return (one.values.index(cast("str", value)) + 0.5) / len(one.values)
    number = float(cast("float", value))
    if one.min == one.max:
        return 0.5
    if isinstance(one, LogUniform):
        return math.log(number / one.min) / math.log(one.max / one.min)
    return (number - one.min) / (one.max - one.min)


def _labels(space: Space, name: str) -> list[tuple[float, str]]:
    one = space.dimensions[name]
    if isinstance(one, Choice):
        return [(_height(space, name, value), str(value)) for value in one.values]
    middle = math.sqrt(one.min * one.max) if isinstance(one, LogUniform) else (one.min + one.max) / 2
    return [(_height(space, name, value), f"{value:.3g}") for value in (one.min, middle, one.max)]


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()
