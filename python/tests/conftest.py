"""One thread for every test: networks this small wait longer for each other's threads than they compute."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
