"""What a sweep leaves in its own run: pictures, a table of the trials, and the best parameters as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from mlvision.search.algorithms import to_optuna
from mlvision.search.records import TrialRecord
from mlvision.search.settings import SearchSettings
from mlvision.search.space import Space, Value

BEST, TABLE = "sweep/best-params.yaml", "sweep/trials.csv"
_FEWEST = 4  # trials, below which importance is noise


def artifacts(
    records: Sequence[TrialRecord], best: TrialRecord | None, settings: SearchSettings, base: Mapping[str, Any]
) -> dict[str, bytes]:
    """Give every file by its name in MLflow."""
    space = settings.build_space()
    files = {TABLE: trials_csv(records, settings, list(space.dimensions)).encode()}
    compared = [record for record in records if record.is_comparable]
    if best is None:
        return files
    files[BEST] = best_yaml(best, settings, base).encode()
    # matplotlib is imported by those who draw.
    from mlvision.search import plots

    scores = [(one, value) for one in compared if (value := one.value(settings.metric, settings.mode)) is not None]
    files["sweep/optimization_history.png"] = plots.optimization_history(scores, settings.metric, settings.mode)
    files["sweep/parallel_coordinates.png"] = plots.parallel_coordinates(scores, space, settings.metric, settings.mode)
    if weights := importance(compared, space, settings):
        files["sweep/param_importances.png"] = plots.importances(weights, settings.metric)
    return files


def trials_csv(records: Sequence[TrialRecord], settings: SearchSettings, names: Sequence[str]) -> str:
    """Write a line for each trial."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "reason", settings.metric, "best_epoch", "epochs", "seconds", *names])
    for record in sorted(records, key=lambda one: one.number):
        best = record.best(settings.metric, settings.mode)
        seconds = sum(one.seconds for one in record.epochs)
        head = [record.number, record.state, record.reason or ""]
        score = [best.metrics[settings.metric], best.epoch] if best else ["", ""]
        writer.writerow(
            [*head, *score, record.last_epoch, round(seconds, 3), *(record.params.get(n, "") for n in names)]
        )
    return text.getvalue()


def best_yaml(best: TrialRecord, settings: SearchSettings, base: Mapping[str, Any]) -> str:
    """Write the best parameters, and those that all trials had in common, as `mlv train -f` takes them."""
    value = best.value(settings.metric, settings.mode)
    lines = [f"# Trial {best.number}: {settings.metric} {value:.6g}"]
    lines += [f"{name}: {scalar(value)}" for name, value in best.params.items()]
    lines.append("# The same in all trials")
    lines += [f"{name}: {scalar(value)}" for name, value in _flat(base) if name not in best.params]
    return "\n".join(lines) + "\n"


def _flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Value]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, Any]", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def scalar(value: Value) -> str:
    """Write a value so that YAML reads the same one: JSON's scalars, but for 1e-05, which YAML 1.1 takes for text."""
    text = json.dumps(value)
    if isinstance(value, float) and "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return text


def importance(records: Sequence[TrialRecord], space: Space, settings: SearchSettings) -> dict[str, float]:
    """Say how much of the difference between trials each parameter explains; nothing where too few can tell."""
    compared = [record for record in records if record.value(settings.metric, settings.mode) is not None]
    common = [name for name in space.dimensions if all(name in record.params for record in compared)]
    varied = [name for name in common if len({record.params[name] for record in compared}) > 1]
    values = {record.value(settings.metric, settings.mode) for record in compared}
    if len(compared) < _FEWEST or len(values) < 2 or not varied:
        return {}
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize" if settings.mode == "max" else "minimize")
    for record in compared:
        trial = to_optuna(record, space, settings.metric, settings.mode)
        # A trial that was stopped early has a score too: without it only the good ones would be compared.
        trial.state = TrialState.COMPLETE
        study.add_trial(trial)
    found = optuna.importance.get_param_importances(study, params=varied)
    return {name: float(weight) for name, weight in found.items()}
