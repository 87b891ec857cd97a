"""Search spaces: which parameters vary, within which bounds, and which of them only sometimes.

A space is walked parameter by parameter, those first that others depend on; a ``Source`` says what is
taken for each. So random draws, Optuna's suggestions and the points of a grid all follow one order,
and a conditional parameter is asked for only where its condition holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from mlvision.search.errors import SearchError

Value = bool | int | float | str
Params = dict[str, Value]


class _Dimension(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    when: dict[str, list[Value] | Value] | None = None
    """The parameter varies only where these others have one of these values."""

    def is_active(self, params: Mapping[str, Value]) -> bool:
        """Say whether the parameter varies, those before it being as they are."""
        for name, wanted in (self.when or {}).items():
            allowed = wanted if isinstance(wanted, list) else [wanted]
            if name not in params or params[name] not in allowed:
                return False
        return True


class Uniform(_Dimension):
    """A number, each as likely as any other."""

    type: Literal["uniform"]
    min: float
    max: float
    points: int = Field(default=5, ge=2)
    """How many values a grid takes."""


class LogUniform(_Dimension):
    """A positive number, each order of magnitude as likely as any other."""

    type: Literal["loguniform"]
    min: float = Field(gt=0)
    max: float = Field(gt=0)
    points: int = Field(default=5, ge=2)


class RandInt(_Dimension):
    """A whole number; both ends count."""

    type: Literal["randint"]
    min: int
    max: int
    points: int = Field(default=5, ge=2)


class Choice(_Dimension):
    """One of some values."""

    type: Literal["choice"]
    values: list[Value] = Field(min_length=1)


Dimension = Annotated[Uniform | LogUniform | RandInt | Choice, Field(discriminator="type")]


class Source(Protocol):
    """Says what is taken for a parameter."""

    def number(self, name: str, low: float, high: float, *, log: bool) -> float:
        """Take a number."""
        ...

    def integer(self, name: str, low: int, high: int) -> int:
        """Take a whole number, ``high`` included."""
        ...

    def choice(self, name: str, values: Sequence[Value]) -> Value:
        """Take one of the values."""
        ...


class Space:
    """Parameters by dotted name, in the order in which they are drawn."""

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        for name, dimension in dimensions.items():
            if not isinstance(dimension, Choice) and dimension.min > dimension.max:
                raise SearchError(f"the space of {name} has min {dimension.min:g} above max {dimension.max:g}.")
            for other in dimension.when or {}:
                if other not in dimensions:
                    raise SearchError(f"{name} depends on {other}, which is not in the space.")
        if not dimensions:
            raise SearchError("the search space is empty.")
        self.dimensions: dict[str, Dimension] = _ordered(dimensions)

    def draw(self, source: Source) -> Params:
        """Take a value for each parameter that varies."""
        params: Params = {}
        for name, dimension in self.dimensions.items():
            if not dimension.is_active(params):
                continue
            if isinstance(dimension, Choice):
                params[name] = source.choice(name, dimension.values)
            elif isinstance(dimension, RandInt):
                params[name] = source.integer(name, dimension.min, dimension.max)
            else:
                is_log = isinstance(dimension, LogUniform)
                params[name] = source.number(name, dimension.min, dimension.max, log=is_log)
        return params

    def grid(self) -> Iterator[Params]:
        """Give every point of the grid, the last parameter varying first; none comes twice."""
        names = list(self.dimensions)

        def points(index: int, params: Params) -> Iterator[Params]:
            if index == len(names):
                yield dict(params)
                return
            dimension = self.dimensions[names[index]]
            if not dimension.is_active(params):
                yield from points(index + 1, params)
                return
            for value in grid_values(dimension):
                yield from points(index + 1, params | {names[index]: value})

        return points(0, {})

    def to_json(self) -> dict[str, Any]:
        """Give the space as it was written, without what is not said."""
        return {name: one.model_dump(mode="json", exclude_defaults=True) for name, one in self.dimensions.items()}


def grid_values(dimension: Dimension) -> list[Value]:
    """Give the values of one parameter in a grid."""
    if isinstance(dimension, Choice):
        return list(dimension.values)
    low, high, last = dimension.min, dimension.max, dimension.points - 1
    if isinstance(dimension, RandInt):
        if high - low <= last:
            return list(range(int(low), int(high) + 1))
        return sorted({round(low + (high - low) * index / last) for index in range(last + 1)})
    if low == high:
        return [low]
    if isinstance(dimension, LogUniform):
        inner = [math.exp(math.log(low) + math.log(high / low) * index / last) for index in range(1, last)]
    else:
        inner = [low + (high - low) * index / last for index in range(1, last)]
    return [low, *inner, high]


def _ordered(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Put what others depend on first."""
    placed: dict[str, Dimension] = {}
    waiting = dict(dimensions)
    while waiting:
        ready = [name for name, one in waiting.items() if all(other in placed for other in one.when or {})]
        if not ready:
            raise SearchError(f"these parameters depend on each other in a circle: {', '.join(waiting)}.")
        for name in ready:
            placed[name] = waiting.pop(name)
    return placed


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say in a line each how two spaces, as ``to_json`` gives them, differ."""
    lines: list[str] = []
    for name in [*before, *(name for name in now if name not in before)]:
        if before.get(name) != now.get(name):
            lines.append(f"{name}: {_said(before.get(name))} became {_said(now.get(name))}")
    return lines


def _said(dimension: Mapping[str, Any] | None) -> str:
    if dimension is None:
        return "nothing"
    inner = ", ".join(f"{key} {value}" for key, value in dimension.items() if key != "type")
    return f"{dimension['type']} ({inner})"
