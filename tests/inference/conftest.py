"""Runs that the tests of `make predict` share. Each is trained once in a process."""

import contextlib
import io

import pandas as pd
import pytest

from tests.inference.forecasts import make_run, make_table
from tests.recipes.training_runs import SharedRuns, train_series
from tests.undrawn import leave_undrawn


def train_sales(_, folder, *flags):
    """Daily sales of one shop."""
    return make_run(folder, make_table(), "--target", "sales", *flags)


def train_panel(_, folder):
    """Two targets of four shops: one is held out, one is too short."""
    frames = [
        make_table(90, k).assign(shop=name) for k, name in enumerate(["[/b]", "[red]"])
    ]
    frames.append(make_table(80, 2).assign(shop="out", sales=lambda t: t.sales * 1000))
    frames.append(make_table(4, 3).assign(shop="tiny"))
    frames[1]["sales"] *= 100
    flags = ["--target", "sales,visits", "--series", "shop", "--quantiles",
             "0.1,0.5,0.9", "--holdout-series", "out"]  # fmt: skip
    return make_run(folder, pd.concat(frames), *flags)


@pytest.fixture(scope="session")
def forecast_runs(tmp_path_factory):
    return SharedRuns(tmp_path_factory.mktemp("forecast-runs"))


@pytest.fixture
def train_once(forecast_runs):
    """Train a run at its first use, in the places of that test; draw no picture."""

    def train(how, recipe, *flags):
        with leave_undrawn(), contextlib.redirect_stderr(io.StringIO()):
            return forecast_runs.train(how, recipe, *flags)

    return train


@pytest.fixture
def sales(train_once):
    return train_once(train_sales, "sales").run


@pytest.fixture
def known_sales(train_once):
    """Sales that also read a column whose future is known."""
    return train_once(train_sales, "sales", "--known", "holiday").run


@pytest.fixture
def panel(train_once):
    return train_once(train_panel, "panel").run


@pytest.fixture
def weather(train_once):
    return train_once(train_series, "weather_gru", "--epochs", "1").run


@pytest.fixture
def sine(train_once):
    return train_once(train_series, "sine_gru", "--epochs", "1").run


@pytest.fixture
def random_sine(train_once):
    flags = ["--epochs", "1", "--phase", "random"]
    return train_once(train_series, "sine_gru", *flags).run
