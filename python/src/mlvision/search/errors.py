"""What can be wrong with a search, each in one sentence."""

from __future__ import annotations

from mlvision.errors import TrainingError


class SearchError(TrainingError):
    """The search, as it was asked for, makes no sense; nothing was run."""


class MetricMissing(TrainingError):
    """Trials do not report the metric that they are to be judged by."""


class SpaceChanged(TrainingError):
    """The sweep to go on with has another search space."""
