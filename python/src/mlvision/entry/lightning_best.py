"""Saves the model of a sweep's best trial of a LightningModule from its checkpoint: nothing is trained."""

from __future__ import annotations

import os
import sys

from mlvision.entry.lightning import main

if __name__ == "__main__":
    code = main(is_trained=False)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
