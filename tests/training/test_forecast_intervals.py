"""Intervals of the network and the simple models, by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from shared.baselines.baseline import Baseline
from shared.data.splits import Examples
from shared.training.forecast_intervals import (
    add_baselines,
    calibrate,
    list_intervals,
    score_intervals,
)


def hours(first, count):
    return np.datetime64("2024-01-01", "s") + np.arange(
        first, first + count
    ) * np.timedelta64(1, "h")


def make_data(validation, test, until_measured=1):
    """Return windows of one step, one every hour, measured some hours later."""
    parts = []
    for first, values in ((0, validation), (len(validation), test)):
        targets = np.array(values, float)[:, None]
        times = hours(first, len(targets))
        parts.append(Examples(inputs=targets, targets=targets, times=times))
    frequency = SimpleNamespace(
        time_at=lambda times, steps: times + steps * np.timedelta64(until_measured, "h")
    )
    layout = SimpleNamespace(horizon=1, quantiles=(), frequency=frequency)
    return SimpleNamespace(validation=parts[0], test=parts[1], layout=layout)


def column(*values):
    return np.array(values, np.float32)[:, None]


def baseline(name, **arrays):
    return Baseline(name, {}, {}, **arrays)


def test_a_baseline_has_rolling_intervals_from_its_own_errors():
    data = make_data([1, 2, 3, 4], [10, 10])
    network, _ = calibrate(column(0, 0, 0, 0), column(9, 9), data)
    # the network: four errors of 1 to 4, the largest is 4; then 2, 3, 4 and 1
    assert network[0, :, :, 0].tolist() == [[5, 5], [13, 13]]
    assert np.isnan(network[1]).all()  # 95 % needs 19
    simple = baseline(
        "naive",
        predictions=column(5, 5),
        validation_predictions=column(1, 2, 3, 6),
    )
    found = add_baselines(network, [simple], data)
    assert list(found) == ["network", "naive"]
    # its errors are 0, 0, 0 and 2, then 5 at the first test window
    assert found["naive"][0, :, :, 0].tolist() == [[3, 0], [7, 10]]
    assert np.isnan(found["naive"][1]).all()


def test_own_intervals_count_where_the_network_has_some():
    # the first test window knows three errors, and 80 % needs four
    data = make_data([1, 2, 3, 4], [10, 10, 10], until_measured=2)
    network, _ = calibrate(column(0, 0, 0, 0), column(9, 9, 9), data)
    assert np.isnan(network[0, 0, :, 0]).tolist() == [True, False, False]
    own = np.zeros((2, 2, 3, 1), np.float32)
    own[:, 1] = 8
    given = baseline("AutoETS", predictions=column(4, 4, 4), intervals=own)
    found = add_baselines(network, [given, baseline("no predictions")], data)
    assert list(found) == ["network", "AutoETS"]
    assert found["AutoETS"][0, 1, 1:, 0].tolist() == [8, 8]
    assert np.isnan(found["AutoETS"][0, :, 0]).all()
    assert np.isnan(found["AutoETS"][1]).all()


def test_the_rows_of_the_table():
    targets = np.array([[1.0, 5.0], [3.0, 9.0]])
    ends = np.full((2, 2, 2, 2), np.nan)
    ends[0, 0] = targets - [1, 1]
    ends[0, 1] = targets + np.array([[1, 3], [1, -0.5]])  # the last one does not cover
    rows = list_intervals({"network": ends, "ridge": ends + 100}, targets)
    assert [(row["forecast"], row["level"], row["step"]) for row in rows] == [
        (name, level, step)
        for name in ("network", "ridge")
        for level in (0.8, 0.95)
        for step in ("all", 1, 2)
    ]
    assert [rows[k]["covered"] for k in range(3)] == [0.75, 1, 0.5]
    assert [rows[k]["width"] for k in range(3)] == [
        pytest.approx(value, rel=1e-5) for value in ((2 + 2 + 4 + 0.5) / 4, 2, 2.25)
    ]
    assert {row["windows"] for row in rows[:3]} == {2}
    assert math.isnan(rows[3]["covered"]) and rows[3]["windows"] == 0
    assert rows[6]["covered"] == 0


def test_the_pinball_loss_of_two_intervals_and_the_forecast():
    targets, forecasts = np.array([[10.0]]), np.array([[8.0]])
    ends = np.array([[6.0, 9.0], [4.0, 12.0]])[:, :, None, None]
    # 0.1 * 4, 0.9 * 1, 0.025 * 6, (1 - 0.975) * 2 and 0.5 * 2
    expected = (0.4 + 0.9 + 0.15 + 0.05 + 1) / 5
    assert score_intervals(forecasts, ends, targets) == pytest.approx(expected)
    ends[1] = np.nan
    assert math.isnan(score_intervals(forecasts, ends, targets))
