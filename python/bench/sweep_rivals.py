"""Ray Tune as its own pages show it, in a process of its own: what mlv's sweeps are compared with.

Usage: ``python bench/sweep_rivals.py KIND FOLDER TASK`` on the Ray head of the environment; TASK is JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from ray.tune import Checkpoint, RunConfig, TuneConfig
from ray.tune.schedulers import ASHAScheduler

import mlvision


def empty(task: dict[str, Any], folder: str) -> dict[str, Any]:
    """Trials that report once; ``reuse`` has their actors used again."""

    class Nothing(tune.Trainable):
        def step(self) -> dict[str, Any]:
            return {"val_accuracy": 0.5, "done": True}

        def reset_config(self, new_config: dict[str, Any]) -> bool:  # noqa: ARG002
            return True

    began = time.perf_counter()
    config = TuneConfig(num_samples=task["trials"], reuse_actors=task["reuse"])
    run = RunConfig(storage_path=folder, verbose=0)
    space = {"lr": tune.loguniform(0.001, 0.1)}
    tune.Tuner(tune.with_resources(Nothing, {"cpu": 1}), param_space=space, tune_config=config, run_config=run).fit()
    return {"seconds": time.perf_counter() - began}


def tutorial(task: dict[str, Any], folder: str) -> dict[str, Any]:
    """Ray's PyTorch tutorial with its MLflow callback; network, data, batches, rates and budget are mlv's."""
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    began = time.perf_counter()
    watch = MLflowLoggerCallback(task["uri"], experiment_name=task["experiment"], save_artifact=True)
    scheduler = ASHAScheduler(time_attr="training_iteration", max_t=task["epochs"], grace_period=1, reduction_factor=3)
    found = tune.Tuner(
        tune.with_resources(train_digits, {"cpu": 1}),
        param_space={"epochs": task["epochs"], "batch_size": 64, "lr": tune.loguniform(0.0003, 0.1)},
        tune_config=TuneConfig(metric="loss", mode="min", scheduler=scheduler, num_samples=task["trials"]),
        run_config=RunConfig(name="tutorial", storage_path=folder, callbacks=[watch], verbose=0),
    ).fit()
    epochs = sum(int((result.metrics or {}).get("training_iteration", 0)) for result in found)
    return {"seconds": time.perf_counter() - began, "epochs": epochs, "errors": found.num_errors}


def train_digits(config: dict[str, Any]) -> None:
    """Train as the tutorial does: the data is loaded, varied and batched by each trial, a checkpoint each epoch."""
    from loop import Pictures
    from torch.nn import functional
    from torch.utils.data import DataLoader

    from mlvision.config import parse_config
    from mlvision.data.load import load_data
    from mlvision.models.build import build_model

    torch.set_num_threads(1)
    settings = parse_config({"device": "cpu"})
    data = load_data(settings.data)
    model = build_model(settings.model, data)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"])
    loader = DataLoader(Pictures(data), config["batch_size"], shuffle=True)
    images, labels = data.val.images, data.val.labels
    for epoch in range(config["epochs"]):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            functional.cross_entropy(model.network(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            logits = model(images)
        loss = functional.cross_entropy(logits, labels).item()
        with tempfile.TemporaryDirectory() as folder:
            torch.save((epoch, model.state_dict(), optimizer.state_dict()), f"{folder}/checkpoint.pt")
            accuracy = (logits.argmax(1) == labels).float().mean().item()
            tune.report({"loss": loss, "accuracy": accuracy}, checkpoint=Checkpoint.from_directory(folder))


def steady(task: dict[str, Any], folder: str) -> dict[str, Any]:
    """Trials of steps of a known time with a checkpoint each, started or restored with Ray's defaults."""
    began = time.perf_counter()
    if task["restore"]:
        tuner = tune.Tuner.restore(f"{folder}/ray", take_steps, resume_errored=True)
    else:
        space = {"trial": tune.grid_search(list(range(task["trials"]))), **task, "log": f"{folder}/steps.log"}
        tuner = tune.Tuner(
            tune.with_resources(take_steps, {"cpu": 1}),
            param_space=space,
            run_config=RunConfig(name="ray", storage_path=folder, verbose=0),
        )
    found = tuner.fit()
    ended = [one.config["trial"] for one in found if one.error is None and one.config]
    return {"seconds": time.perf_counter() - began, "ended": ended}


def take_steps(config: dict[str, Any]) -> None:
    """Take the steps that no checkpoint has."""
    from sweep_session import note

    first = 1
    if found := tune.get_checkpoint():
        with found.as_directory() as folder:
            first = int(Path(folder, "step").read_text()) + 1
    for step in range(first, config["steps"] + 1):
        time.sleep(config["step"])
        note(config["log"], config["trial"], step)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "step").write_text(str(step))
            tune.report({"accuracy": 0.5}, checkpoint=Checkpoint.from_directory(folder))


if __name__ == "__main__":
    kind, where, wanted = sys.argv[1:]
    path = f"{Path(mlvision.__file__).parents[1]}:{Path(__file__).parent}"
    ray.init(log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    print(json.dumps({"empty": empty, "tutorial": tutorial, "steady": steady}[kind](json.loads(wanted), where)))
    sys.stdout.flush()
    os._exit(0)
