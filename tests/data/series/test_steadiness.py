"""Which series keep their level."""

import numpy as np
import pytest

from shared.data.series.steadiness import has_steady_level

STEPS = np.arange(240)
NOISE = np.random.default_rng(0).normal(size=240)
SEASON = 3 * np.sin(2 * np.pi * STEPS / 12)


@pytest.mark.parametrize(
    ("values", "is_steady"),
    [
        (SEASON + NOISE, True),
        (1e6 * (SEASON + NOISE) - 5e9, True),
        (np.where(STEPS % 80 < 10, 20, 0) + NOISE, True),  # events that pass
        (SEASON + NOISE + 0.05 * STEPS, False),  # a trend
        (SEASON + NOISE + np.where(STEPS < 180, 0, 4), False),  # its last quarter
        (SEASON + NOISE + np.where(STEPS < 120, 0, 4), False),  # its second half
        (np.cumsum(NOISE[::-1]), False),  # a random walk
        (np.ones(240), False),
    ],
)
def test_a_level_is_steady_if_no_later_part_lies_elsewhere(values, is_steady):
    assert has_steady_level(values, 12) == is_steady


def test_a_started_season_does_not_count():
    """Half a season more at the start would move the mean of the first half."""
    season = np.where(STEPS[:48] % 12 < 6, 5.0, -5.0)
    values = np.concatenate([np.full(6, 500.0), season + NOISE[:48]])
    assert has_steady_level(values, 12)
    assert not has_steady_level(values, 1)


@pytest.mark.parametrize(("count", "is_steady"), [(47, False), (48, True)])
def test_fewer_than_four_seasons_say_nothing(count, is_steady):
    assert has_steady_level((SEASON + NOISE)[:count], 12) == is_steady
