"""scikit-learn's handwritten digits: 1797 images of 8 x 8 pixels that need no download.

They are the test part of UCI's "Optical Recognition of Handwritten Digits" (CC BY 4.0).
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TEST_FRACTION = 0.2
TEST_SEED = 20261124  # never a setting: every run is measured on the same 360 images


def read_digits() -> tuple[Tensor, Tensor]:
    """Give the images, uint8 [1797, 1, 8, 8] spread from 0-16 to 0-255, and labels int64 [1797]."""
    from sklearn.datasets import load_digits

    bunch = cast("Any", load_digits())
    values = cast("NDArray[np.float64]", bunch.images)
    images = np.rint(values * (255 / 16)).astype(np.uint8)[:, np.newaxis]
    labels = cast("NDArray[np.int64]", bunch.target).astype(np.int64)
    return torch.from_numpy(images), torch.from_numpy(labels)
