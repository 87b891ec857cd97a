"""The job spec: what `mlv` hands to the driver in the variable ``MLV_JOB_SPEC``.

The same shape is declared on the TypeScript side; ``schemas/job.schema.json`` is made from that one
and the tests compare the two. It holds no secret: Ray shows it to everyone who may read its API.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

VARIABLE = "MLV_JOB_SPEC"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Job(_Strict):
    """Who asked for what."""

    name: str
    submission_id: str
    kind: Literal["train", "tune", "ddp"]
    user: str
    template: str | None


class Resources(_Strict):
    """What the work needs of one machine."""

    cpus: float = Field(gt=0)
    gpus: float = Field(ge=0)


class Tracking(_Strict):
    """The MLflow run, made when the job was submitted."""

    uri: str
    experiment_id: str
    experiment_name: str
    run_id: str


class MlvisionWork(_Strict):
    """Training with mlvision; ``config`` is its own configuration, validated where it is used."""

    type: Literal["mlvision"]
    config: dict[str, Any]


class LightningWork(_Strict):
    """Training a user's own LightningModule, see ``lightning/config``."""

    type: Literal["lightning"]
    config: dict[str, Any]


class CommandWork(_Strict):
    """A command of the user."""

    type: Literal["command"]
    argv: list[str] = Field(min_length=1)


Training = Annotated[MlvisionWork | LightningWork, Field(discriminator="type")]


class TuneWork(_Strict):
    """A sweep: what each trial trains, and how to search (see ``search/settings``)."""

    type: Literal["tune"]
    trial: Training
    search: dict[str, Any]


class DdpWork(_Strict):
    """Training with mlvision on ``nodes`` x ``processes``, each with the job's resources."""

    type: Literal["ddp"]
    training: MlvisionWork
    nodes: int = Field(ge=1)
    processes: int = Field(ge=1)
    elastic: bool
    preflight: bool
    scaling: list[int] | None
    hourly_price: float | None


class Register(_Strict):
    """The registered model that gets the result, and the alias that is set to it."""

    model: str
    alias: str


class JobSpec(_Strict):
    """One job."""

    schema_: Literal["mlv.job/1"] = Field(alias="schema")
    job: Job
    resources: Resources
    retries: int = Field(ge=0)
    tracking: Tracking
    credentials_file: str
    storage: str
    work: Annotated[MlvisionWork | LightningWork | CommandWork | TuneWork | DdpWork, Field(discriminator="type")]
    register_: Register | None = Field(alias="register")
    python: str | None = None
    """The interpreter of the work, where it is not the platform's own."""

    def to_json(self) -> str:
        """Give the spec as it was received."""
        return self.model_dump_json(by_alias=True)


def work_environment(spec: JobSpec) -> dict[str, str]:
    """Give the variables of the work, but for its sign-in."""
    return {
        "MLFLOW_TRACKING_URI": spec.tracking.uri,
        "MLFLOW_EXPERIMENT_ID": spec.tracking.experiment_id,
        "MLFLOW_RUN_ID": spec.tracking.run_id,
        "MLV_JOB_NAME": spec.job.name,
        "MLV_JOB_KIND": spec.job.kind,
        "MLV_CHECKPOINT_DIR": spec.storage,
        "PYTHONUNBUFFERED": "1",
    }


def sign_in(spec: JobSpec) -> dict[str, str]:
    """Read the sign-in of the service user from its file, which only this user may read."""
    pair = json.loads(Path(spec.credentials_file).read_text(encoding="utf-8"))
    return {"MLFLOW_TRACKING_USERNAME": pair["username"], "MLFLOW_TRACKING_PASSWORD": pair["password"]}


def from_environment() -> JobSpec:
    """Read the spec of this process."""
    return JobSpec.model_validate_json(os.environ[VARIABLE])
