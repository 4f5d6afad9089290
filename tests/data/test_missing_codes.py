"""Which numbers look like marks of missing values, and which never do."""

import numpy as np
import pandas as pd
import pytest

from shared.data.missing_codes import find_codes

RANDOM = np.random.default_rng(0)
COLUMNS = {
    "T (degC)": RANDOM.normal(10, 8, 500).round(2),
    "PAR": RANDOM.gamma(0.3, 400, 500).round(2),
    "wd (deg)": RANDOM.uniform(0, 360, 500).round(1),
    "rh (%)": RANDOM.uniform(5, 25, 500).round(1),
    "rain (mm)": np.where(np.arange(500) % 100, 0, 0.2),
}


def find(name, values):
    return [
        (c.value, c.rows.tolist()) for c in find_codes(pd.DataFrame({name: values}))
    ]


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("code", [-999.9, 9999, 99999, -99, -32768, -9999.9])
def test_a_code_is_found_in_its_rows(name, code):
    values = COLUMNS[name].copy()
    values[[3, 70, 71]] = code
    if (name, code) == ("rain (mm)", -32768):
        return  # too few different values to judge any but a run of nines
    assert find(name, values) == [(code, [3, 70, 71])]


def test_two_codes_are_found():
    values = COLUMNS["T (degC)"].copy()
    values[[3, 4]], values[[7, 8, 9]] = -999.9, 9999
    assert find("T", values) == [(-999.9, [3, 4]), (9999, [7, 8, 9])]


@pytest.mark.parametrize("name", COLUMNS)
def test_measurements_are_no_codes(name):
    assert find(name, COLUMNS[name]) == []


def test_zero_rain_and_saturated_air_are_no_codes():
    rain = np.where(np.arange(500) % 7, 0, RANDOM.uniform(50, 60, 500))
    humid = COLUMNS["rh (%)"].copy()
    humid[::5] = 100
    assert find("rain (mm)", rain) == find("rh (%)", humid) == []
    humid[::5] = 99.9
    assert find("rh (%)", humid) == []


def test_999_is_a_measurement_among_its_like():
    assert find("p (mbar)", np.linspace(950, 1020, 701).round(1)) == []
    assert find("empty", np.full(5, np.nan)) == []
    assert find("constant", np.full(5, 9999.0)) == []
