"""What bench/sweep.py needs in the environment before Ray is imported, which reads it then."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
# Actors import mlvision, and the trials of this folder.
os.environ["PYTHONPATH"] = f"{HERE.parent / 'src'}:{HERE}"
