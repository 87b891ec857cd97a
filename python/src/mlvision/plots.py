"""The pictures of a run, as PNG bytes: how it learned, and what it still gets wrong."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Counts = npt.NDArray[np.int64]
"""[true class, predicted class]: the number of images."""

_MOST_NUMBERED = 20  # classes; above that the cells are too small for numbers and names
_MOST_BARS = 40
_TRAIN, _VAL, _MARK = "#7f7f7f", "#1f77b4", "#d62728"


class Mistake(NamedTuple):
    """A test image that was taken for something else; ``image`` uint8 [C, H, W]."""

    image: npt.NDArray[np.uint8]
    true: str
    predicted: str
    probability: float


def learning_curve(epochs: Sequence[int], metrics: Mapping[str, Sequence[float]], best: int, title: str) -> bytes:
    """Draw loss and accuracy over the epochs, with the best epoch marked."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = cast("tuple[Axes, Axes]", figure.subplots(1, 2))
    # A line through a single epoch would be invisible.
    marker = "o" if len(epochs) == 1 else ""
    left.plot(epochs, metrics["train_loss"], color=_TRAIN, label="training", marker=marker)
    left.plot(epochs, metrics["val_loss"], color=_VAL, label="validation", marker=marker)
    left.set(xlabel="epoch", ylabel="loss")
    right.plot(epochs, metrics["val_accuracy"], color=_VAL, label="validation", marker=marker)
    right.set(xlabel="epoch", ylabel="accuracy")
    for axes in (left, right):
        axes.axvline(best, color=_MARK, linewidth=0.8, linestyle="--", label=f"best: epoch {best}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    return _png(figure)


def confusion_matrix(counts: Counts, names: Sequence[str], title: str) -> bytes:
    """Draw which class is taken for which: rows sum to one, cells show counts up to 20 classes."""
    size = len(names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    inches = min(4 + 0.35 * size, 11)
    figure = Figure(figsize=(inches + 1, inches), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(picture, label="share of the true class", shrink=0.8)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    if size <= _MOST_NUMBERED:
        is_short = max(map(len, names)) <= 2
        axes.set_xticks(range(size), names, rotation=0 if is_short else 45, ha="center" if is_short else "right")
        axes.set_yticks(range(size), names)
        for row, column in zip(*np.nonzero(counts), strict=True):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=color)
    return _png(figure)


def per_class(counts: Counts, names: Sequence[str], title: str) -> bytes:
    """Draw the share of each class that is recognised, the worst first (at most 40 of them)."""
    recall = np.diag(counts) / np.maximum(counts.sum(axis=1), 1)
    order = np.argsort(recall, kind="stable")[:_MOST_BARS]
    figure = Figure(figsize=(7, 1.5 + 0.25 * len(order)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([names[index] for index in order], recall[order], color=_VAL)
    axes.bar_label(bars, labels=[f"{recall[index]:.1%}" for index in order], padding=3)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.12), xlabel="recognised", title=title)
    return _png(figure)


def mistakes_grid(mistakes: Sequence[Mistake], title: str) -> bytes:
    """Draw the images that the model got wrong with the greatest confidence."""
    columns = min(max(len(mistakes), 1), 6)
    rows = max(1, -(-len(mistakes) // columns))
    figure = Figure(figsize=(1.9 * columns, 2.2 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in cast("list[Axes]", list(grid.flat)):
        axes.axis("off")
    for axes, mistake in zip(cast("list[Axes]", list(grid.flat)), mistakes, strict=False):
        pixels = np.moveaxis(mistake.image, 0, -1)
        is_grey = pixels.shape[-1] == 1
        axes.imshow(pixels[..., 0] if is_grey else pixels, cmap="gray" if is_grey else None)
        said = f"{mistake.true} taken for\n{mistake.predicted} ({mistake.probability:.0%})"
        axes.set_title(said, fontsize=9)
    figure.suptitle(title if mistakes else f"{title}: none")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()
