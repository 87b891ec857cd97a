"""What a comparison of numbers of processes promises."""

from __future__ import annotations

import pytest

from mlvision.entry.ddp_scaling import draw, measure


def epochs(*speeds: float) -> list[dict[str, object]]:
    return [{"images_per_second": speed, "seconds": 1000 / speed} for speed in speeds]


def test_the_first_epoch_does_not_count_and_more_processes_are_compared_with_the_first_size() -> None:
    one = measure(1, epochs(10, 100, 110, 90), None, None)
    assert (one.images_per_second, one.speed_up, one.efficiency, one.cost) == (100, 1, 1, None)
    four = measure(4, epochs(10, 300), 0.36, one)
    assert (four.images_per_second, four.speed_up, four.efficiency) == (300, 3, 0.75)
    assert four.cost == pytest.approx(0.36 * 4 * (1000 / 300) / 3600)
    assert draw([one, four], 128).startswith(b"\x89PNG")
