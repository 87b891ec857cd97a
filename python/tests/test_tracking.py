"""What a finished run leaves in MLflow, read back from a real server with sign-in."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, cast

import mlflow
import numpy as np
import pytest
import torch
from matplotlib import image as matplotlib_image

from jobs import EPOCHS, Tracked, event_validator
from mlvision.config import TrainConfig
from services import MlflowServer

LOOP_METRICS = {"train_loss", "val_loss", "val_accuracy", "lr", "epoch_seconds", "images_per_second"}


@pytest.fixture(scope="module")
def signed_in(mlflow_server: MlflowServer) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_USERNAME", mlflow_server.admin[0])
        patch.setenv("MLFLOW_TRACKING_PASSWORD", mlflow_server.admin[1])
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        mlflow.set_tracking_uri(mlflow_server.uri)
        yield
        mlflow.set_tracking_uri(None)


@pytest.fixture(scope="module")
def loaded(tracked: Tracked, signed_in: None) -> Any:  # noqa: ARG001 - the sign-in is all that it is for
    assert tracked.run.status == "FINISHED"
    return cast("Any", mlflow).pyfunc.load_model("models:/digit-reader@candidate")


def test_a_good_end_is_finished_and_free_of_reasons(tracked: Tracked) -> None:
    assert tracked.run.status == "FINISHED"
    assert "mlv.job.reason" not in tracked.run.tags


def test_every_setting_is_a_parameter_in_one_request(tracked: Tracked) -> None:
    def names(section: dict[str, Any], prefix: str = "") -> Iterator[str]:
        for key, value in section.items():
            yield from names(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]

    assert set(tracked.run.params) == set(names(TrainConfig().model_dump(mode="json")))
    assert {key: tracked.run.params[key] for key in ("epochs", "model.name", "optimizer.lr", "data.augment.flip")} == {
        "epochs": "3",
        "model.name": "compact_cnn",
        "optimizer.lr": "0.005",
        "data.augment.flip": "null",
    }
    assert len(tracked.of_batch("params")) == 1


def test_each_epoch_costs_one_request_that_holds_all_its_metrics(tracked: Tracked) -> None:
    requests = [
        [point["step"] for point in body["metrics"] if point["key"] == "train_loss"]
        for body in tracked.of_batch("metrics")
    ]
    # Epochs that end while a request is under way share the next one.
    assert sorted(step for steps in requests for step in steps) == list(range(1, EPOCHS + 1))
    # Beside the epochs' own: the result, what is kept of the machine, and the model's copy of the result.
    assert len(requests) <= EPOCHS + 3
    for key in LOOP_METRICS:
        assert [step for step, _ in tracked.job.points(key)] == [1, 2, 3], key


def test_the_result_is_the_one_that_the_job_said(tracked: Tracked) -> None:
    (result,) = tracked.job.events("result")
    for key in ("test_accuracy", "test_loss"):
        assert tracked.job.points(key) == [(EPOCHS, pytest.approx(result["metrics"][key]))]
    best = tracked.job.events("epoch")[-1]["best"]
    assert tracked.job.points("best_epoch") == [(EPOCHS, best["epoch"])]


def test_nothing_that_a_training_asks_mlflow_for_is_refused(tracked: Tracked) -> None:
    refused = [(asked.method, asked.path, asked.status) for asked in tracked.proxy.requests if asked.status >= 400]
    # Making a registered model asks whether its name is taken.
    assert [entry for entry in refused if "registered-models" not in entry[1]] == []


def test_system_metrics_carry_the_names_that_mlflows_pages_show(tracked: Tracked) -> None:
    names = {key.rpartition("/")[2] for key in tracked.run.latest if key.startswith("system/")}
    assert {"cpu_utilization_percentage", "process_memory_usage_megabytes", "disk_usage_percentage"} <= names
    memory = next(p for key, p in tracked.run.latest.items() if key.endswith("process_memory_usage_megabytes"))
    assert 50 < memory.value < 20_000


def test_lineage_names_each_split_with_the_digest_of_its_images(tracked: Tracked) -> None:
    inputs = {entry["tags"][0]["value"]: entry["dataset"] for entry in tracked.outputs["inputs"]["dataset_inputs"]}
    for context, split in {
        "train": tracked.data.train,
        "validation": tracked.data.val,
        "test": tracked.data.test,
    }.items():
        dataset = inputs[context]
        assert dataset["digest"] == split.digest[:32]
        profile = json.loads(dataset["profile"])
        assert profile["features_shape"] == list(split.images.shape)
        assert sum(profile["class_counts"].values()) == len(split)
    assert len({dataset["digest"] for dataset in inputs.values()}) == 3


def test_the_environment_is_in_tags(tracked: Tracked) -> None:
    tags = tracked.run.tags
    assert tags["mlv.env.torch"] == torch.__version__
    assert tags["mlv.env.device"].startswith("cpu")
    assert (tags["mlv.env.precision"], tags["mlv.env.threads"]) == ("fp32", "1")
    assert int(tags["mlv.model.parameters"]) == tracked.job.events("start")[0]["parameters"]


@pytest.mark.parametrize("name", ["learning_curve", "confusion_matrix", "per_class", "mistakes"])
def test_each_picture_is_there_and_shows_something(name: str, tracked: Tracked) -> None:
    pixels = cast("Any", matplotlib_image).imread(io.BytesIO(tracked.artifact(f"plots/{name}.png")), format="png")
    assert min(pixels.shape[:2]) >= 200
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 20


@pytest.mark.parametrize("size", [1, 3, 64])
def test_the_model_predicts_raw_images_in_batches_of_any_size(size: int, tracked: Tracked, loaded: Any) -> None:
    images = tracked.data.test.images[:size].numpy()
    scores = loaded.predict(images)
    assert (scores.shape, scores.dtype) == ((size, 10), np.float32)


def test_the_model_says_of_the_test_images_what_the_evaluation_said(tracked: Tracked, loaded: Any) -> None:
    predicted = loaded.predict(tracked.data.test.images.numpy()).argmax(1)
    accuracy = float((predicted == tracked.data.test.labels.numpy()).mean())
    assert tracked.job.points("test_accuracy") == [(EPOCHS, pytest.approx(accuracy))]


def test_the_model_has_a_signature_and_an_input_example_that_fit(tracked: Tracked, loaded: Any) -> None:
    inputs, outputs = loaded.metadata.signature.inputs, loaded.metadata.signature.outputs
    assert (inputs.inputs[0].type, inputs.inputs[0].shape) == (np.dtype("uint8"), (-1, 1, 8, 8))
    assert (outputs.inputs[0].type, outputs.inputs[0].shape) == (np.dtype("float32"), (-1, 10))
    example = loaded.metadata.load_input_example(tracked.job.events("result")[0]["model"]["uri"])
    np.testing.assert_array_equal(example, tracked.data.test.images[: len(example)].numpy())
    assert loaded.metadata.metadata["class_names"] == list("0123456789")
    with pytest.raises(mlflow.exceptions.MlflowException):
        loaded.predict(np.zeros((2, 3, 8, 8), np.uint8))


@pytest.mark.usefixtures("signed_in")
def test_the_run_shows_its_model_and_the_model_its_metrics(tracked: Tracked) -> None:
    (output,) = tracked.outputs["outputs"]["model_outputs"]
    model = mlflow.MlflowClient().get_logged_model(output["model_id"])
    assert (model.status.value, model.source_run_id) == ("READY", tracked.job.run_id)
    assert {metric.key for metric in model.metrics} == {"test_accuracy", "test_loss"}


@pytest.mark.usefixtures("signed_in")
def test_the_registered_model_has_the_alias_and_a_card(tracked: Tracked) -> None:
    said = tracked.job.events("result")[0]["model"]
    assert (said["name"], said["version"], said["alias"]) == ("digit-reader", "1", "candidate")
    version = mlflow.MlflowClient().get_model_version("digit-reader", "1")
    assert version.run_id == tracked.job.run_id
    assert "mlv train digits --register digit-reader" in version.description
    assert tracked.data.digest in version.description


def test_every_event_obeys_the_schema(tracked: Tracked) -> None:
    validator = event_validator()
    events = tracked.job.events()
    for event in events:
        validator.validate(event)
    assert {event["event"] for event in events} >= {"start", "epoch", "checkpoint", "result"}
    # The result is the last word: who follows a job stops reading there.
    assert events[-1]["event"] == "result"
