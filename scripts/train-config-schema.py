"""Write schemas/train-config.schema.json: what mlvision takes, for editors and for the tests of templates.

Run with the job environment's Python: PYTHONPATH=python/src python scripts/train-config-schema.py
"""

import json
from pathlib import Path

from mlvision.config import TrainConfig

target = Path(__file__).parent.parent / "schemas" / "train-config.schema.json"
target.write_text(json.dumps(TrainConfig.model_json_schema(), indent=2) + "\n", encoding="utf-8")
