"""Runs one sweep on the Ray head of the environment and prints what Ray says of it: numbers by trial, as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import ray
from ray.tune.logger import JsonLoggerCallback

import mlvision
from mlvision.entry import tune_engine
from mlvision.search.records import Book
from mlvision.search.settings import parse_settings
from mlvision.search.sweep import Sweep


def main(folder: str, wanted: str) -> None:
    told = json.loads(wanted)
    # Beside mlvision: the files of a job, and the broken trials of the tests.
    path = ":".join([str(Path(mlvision.__file__).parents[1]), os.getcwd(), str(Path(__file__).parent)])
    ray.init(log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    base = told["base"]
    sweep = Sweep(parse_settings(told["search"]), base, Book(folder), [], epochs=base["epochs"])
    found = tune_engine.run(
        sweep,
        {"cpu": 1.0, "gpu": 0.0},
        2,
        retries=told["retries"],
        runner=tune_engine.RUNNERS.get(told["runner"], told["runner"]),
        callbacks=[JsonLoggerCallback()],
        keep=f"{folder}/ray",
    )
    says = {}
    for result in found:
        lines = (Path(result.path) / "result.json").read_text().splitlines()
        rows = [row for row in map(json.loads, lines) if "metrics" in row]
        number = result.config["task"]["number"]
        says[number] = [(row["epoch"], row["metrics"]["val_accuracy"], row["metrics"]["val_loss"]) for row in rows]
    print(json.dumps(says))


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)
