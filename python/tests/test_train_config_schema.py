"""The published schema of the configuration is the one of the code; the templates' tests rely on it."""

from __future__ import annotations

import json
from pathlib import Path

from mlvision.config import TrainConfig

SCHEMA = Path(__file__).parents[2] / "schemas" / "train-config.schema.json"


def test_the_published_schema_is_the_one_of_the_code() -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == TrainConfig.model_json_schema(), "run scripts/train-config-schema.py"
