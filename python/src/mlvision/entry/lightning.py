"""One training of a user's LightningModule: the job of the variable ``MLV_JOB_SPEC``.

It ends with 0, 1 for a training that failed, 2 for a wrong configuration, and 128 + 15 when it was stopped; what the
epoch that it was in had done is then lost.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NoReturn

from mlvision.events import EventWriter

if TYPE_CHECKING:
    from mlvision.entry.spec import JobSpec
    from mlvision.lightning.config import LightningConfig
    from mlvision.lightning.fit import LightningFit
    from mlvision.lightning.record import LightningRecord

STOPPED = 128 + signal.SIGTERM


class _Stop(BaseException):
    """Somebody asked to stop."""


def main(*, is_trained: bool = True) -> int:
    """Train, or only save the best of what was trained; give the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    events = EventWriter()

    from mlvision.entry.spec import LightningWork, from_environment
    from mlvision.errors import ConfigError
    from mlvision.lightning.config import LightningMissing, parse_lightning
    from mlvision.lightning.record import LightningRecord
    from mlvision.tracking_reason import describe, locate

    spec = from_environment()
    assert isinstance(spec.work, LightningWork)
    record, epoch = LightningRecord(spec.tracking.run_id, spec.storage, spec.register_), 0
    try:
        config = parse_lightning(spec.work.config)
        record.start(config)
        for epoch in _run(spec, config, events, record, is_trained=is_trained):  # noqa: B007
            pass
    except _Stop:
        record.end("KILLED", "SIGTERM", deadline=4.0)
        events.emit("stopped", reason="SIGTERM", epoch=epoch + 1)
        return STOPPED
    except Exception as error:
        where = locate(error)
        record.end("FAILED", describe(error) + (f" ({where})" if where else ""), deadline=15.0)
        events.emit("failed", error=describe(error), where=where)
        return 2 if isinstance(error, (ConfigError, LightningMissing)) else 1
    return 0


def _stop(_number: int, _frame: object) -> NoReturn:
    raise _Stop


def _run(
    spec: JobSpec, config: LightningConfig, events: EventWriter, record: LightningRecord, *, is_trained: bool
) -> Any:
    from mlvision.lightning.fit import LightningFit

    fit = LightningFit(config, spec.storage)
    _say_start(fit, events)
    for path in fit.unreadable:
        instead = "was passed over" if fit.resumed_from else "training begins anew"
        print(f"The checkpoint {path} could not be read: {instead}.", flush=True)
    if fit.resumed_from:
        events.emit("resumed", epoch=len(fit.history), checkpoint=fit.resumed_from)
    for one in fit.epochs() if is_trained else ():
        _check_metric(config, one.metrics)
        record.epoch(one)
        best = fit.best and {"epoch": fit.best.epoch, "value": fit.best.metrics.get(config.metric)}
        events.emit(
            "epoch",
            epoch=one.epoch,
            epochs=config.epochs,
            seconds=round(one.seconds, 4),
            images_per_second=0,
            metrics=one.metrics,
            best=best,
        )
        yield one.epoch
    model = record.finish(fit)
    assert fit.best is not None
    stopped_early = len(fit.history) < config.epochs
    result = {f"best_{name}": value for name, value in fit.best.metrics.items()}
    events.emit("result", metrics=result, epochs_run=len(fit.history), stopped_early=stopped_early, model=model)


def _check_metric(config: LightningConfig, metrics: dict[str, float]) -> None:
    """Say after the first epoch, not at the end, that what it is judged by is not there."""
    from mlvision.errors import ConfigError

    if config.metric not in metrics:
        raise ConfigError(f"{config.module} does not log {config.metric}; it logs {', '.join(sorted(metrics))}.")


def _say_start(fit: LightningFit, events: EventWriter) -> None:
    config = fit.config
    events.emit(
        "start",
        time=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        model=config.module.partition(":")[2],
        parameters=fit.parameters,
        device=config.device,
        dataset=(config.datamodule or config.module).partition(":")[2],
        images=None,
        epochs=config.epochs,
    )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
