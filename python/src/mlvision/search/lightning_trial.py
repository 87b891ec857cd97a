"""One trial with a user's ``LightningModule``, an epoch at a time."""

from __future__ import annotations

from collections.abc import Iterator

from mlvision.errors import Stopped
from mlvision.lightning.config import parse_lightning
from mlvision.search.trial import DataCache, Report, Task, passed_over


def run_trial(task: Task, cache: DataCache) -> Iterator[Report]:
    """Train, and report each epoch that the sweep does not know; every one is safe in a checkpoint by then."""
    config = parse_lightning(task.config)

    from mlvision.lightning.fit import LightningEpoch, LightningFit

    fit = LightningFit(config, task.folder)
    known = len(fit.history) if fit.resumed_from else None
    note = passed_over(fit.unreadable, known) if fit.unreadable else None

    def report(one: LightningEpoch, said: str | None = None) -> Report:
        return Report(one.epoch, one.seconds, one.metrics, one.is_last, said)

    before = [one for one in fit.history if one.epoch > task.known]
    for one in before:
        yield report(one, note)
        note = None
    for one in fit.epochs():
        if one.epoch > task.known:
            yield report(one, note)
            note = None
        if cache.stop.is_set():  # heard between epochs: what Lightning is in the midst of, it ends
            raise Stopped("SIGTERM", one.epoch + 1, fit.resumed_from)
