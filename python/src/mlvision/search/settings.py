"""What a sweep is told: the part ``search`` of a tune job's work."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlvision.search.errors import SearchError
from mlvision.search.space import Dimension, Space


class SearchSettings(BaseModel):
    """How to search, and what for."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    space: dict[str, Dimension]
    metric: str = "val_accuracy"
    mode: Literal["max", "min"] = "max"
    trials: int | None = Field(default=None, ge=1)
    """How many; null takes the whole grid, and 100 where there is none."""
    algorithm: Literal["grid", "random", "tpe"] = "random"
    scheduler: Literal["asha", "hyperband", "median", "none"] = "asha"
    grace: int = Field(default=1, ge=1)
    """No trial is stopped before so many epochs."""
    reduction: int = Field(default=3, ge=2)
    """One of so many trials goes on at each rung."""
    concurrency: int | None = Field(default=None, ge=1)
    max_time: float | None = Field(default=None, gt=0)
    """Seconds, after which no trial goes on."""
    max_failures: int | None = Field(default=None, ge=1)
    """After so many failed trials the sweep ends; null: never."""
    keep: int = Field(default=3, ge=1)
    """The checkpoints of so many of the best trials stay."""
    seed: int = 0
    best: Literal["report", "save", "retrain"] = "report"
    """What becomes of the best trial: it is named, its model saved, or trained anew on the full budget."""
    retrain_epochs: int | None = Field(default=None, ge=1)
    """The full budget; null: a trial's own."""
    restart_errored: bool = False
    """On resume, failed trials are tried again."""
    train: str | None = None
    """The template that trains with the best parameters."""
    fixed: dict[str, Any] = Field(default_factory=dict)
    """What somebody has set of the template's space; a resume compares with the template by it."""

    def build_space(self) -> Space:
        """Give the space, checked."""
        return Space(self.space)


def parse_settings(source: dict[str, Any]) -> SearchSettings:
    """Read the settings.

    :raises SearchError: naming each that is wrong.
    """
    try:
        return SearchSettings.model_validate(source)
    except ValidationError as error:
        parts = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
        raise SearchError(f"the search is not valid: {'; '.join(parts)}.") from None


def rungs(settings: SearchSettings, epochs: int) -> list[int]:
    """Give the epochs after which a trial may be stopped, the first rung first."""
    if settings.scheduler == "none":
        return []
    if settings.scheduler == "median":
        return list(range(settings.grace, epochs))
    found: list[int] = []
    at = settings.grace
    while at < epochs:
        found.append(at)
        at *= settings.reduction
    return found
