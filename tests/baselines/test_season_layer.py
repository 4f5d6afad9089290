"""A network that starts from the last season: the shares, and what it adds to them."""

import keras
import numpy as np
import pytest

from shared.baselines import season_layer
from shared.baselines.season_layer import find_shares, predict_start
from shared.data.series.dataset import SeriesConfig, load_series
from shared.layers.forecasting import (
    add_latest,
    build_inputs,
    count_outputs,
    scale_changes,
)

SEASON = 5


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a table with two seasonal columns, or one."""
    random = np.random.default_rng(0)
    steps = np.arange(200)
    wave = np.sin(2 * np.pi * steps / SEASON)
    rows = ["day,a,b"]
    for step, first, second in zip(
        steps, 10 + 0.1 * steps + 3 * wave, 50 + 9 * wave, strict=True
    ):
        day = np.datetime64("2020-01-01") + int(step)
        noise = random.normal(0, 0.5, 2)
        rows.append(f"{day},{first + noise[0]},{second + noise[1]}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")

    def read(**settings):
        settings = {"horizon": 3, "lookback": 12, "target": ("a",)} | settings
        config = SeriesConfig(file=tmp_path / "t.csv", season=SEASON, **settings)
        return load_series(config)

    return read


def forecast_untrained(data, start, scaling="window"):
    """Return test forecasts of a network that adds nothing yet."""
    read = build_inputs(data, scaling)
    flat = keras.layers.Flatten()(read.scaled)
    change = keras.layers.Dense(count_outputs(data), kernel_initializer="zeros")(flat)
    changes = scale_changes(change, read, data, predict_start(start, read, data))
    model = keras.Model(read.all, add_latest(changes, read, data))
    inputs = data.test.inputs
    every = np.arange(len(inputs))
    windows = [inputs.cut(every)]
    if data.layout.num_known:
        windows.append(inputs.cut_known(every))
    return model.predict(windows, verbose=0)


def forecast_by_hand(data):
    """Return latest + share * (season - latest), with each share by least squares."""
    horizon, last = data.layout.horizon, data.test.inputs.last
    values = data.values.reshape(len(data.values), -1).astype(np.float64)
    trained = data.train.inputs.last
    found = np.empty((len(last), horizon, values.shape[1]))
    for ahead in range(horizon):
        back = ahead % SEASON + 1 - SEASON
        for column in range(values.shape[1]):
            line = values[:, column]
            moves = (line[trained + back] - line[trained])[:, None]
            went = line[trained + ahead + 1] - line[trained]
            share = np.linalg.lstsq(moves, went, rcond=None)[0][0]
            moves = line[last + back] - line[last]
            found[:, ahead, column] = line[last] + share * moves
    return found


@pytest.mark.parametrize("scaling", ["window", "training"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"horizon": 5},
        {"horizon": 11},  # longer than two seasons
        {"lookback": SEASON},  # no step more than a season
        {"target": ("a", "b")},
        {"quantiles": (0.1, 0.9)},
    ],
)
def test_an_untrained_network_forecasts_its_share_of_the_season(
    load, settings, scaling
):
    data = load(**settings)
    found = forecast_untrained(data, "season", scaling)
    if settings.get("quantiles"):
        assert (found == found[..., :1]).all()  # all begin as the forecast
        found = found[..., 0]
    wanted = forecast_by_hand(data)
    assert found.reshape(wanted.shape) == pytest.approx(wanted, abs=1e-3)
    assert find_shares(data).max() > 0.5  # the season says something


@pytest.mark.parametrize(
    ("start", "settings"),
    [("latest", {}), ("season", {"lookback": SEASON - 1})],
)
def test_without_a_season_in_the_window_it_starts_from_the_latest_value(
    load, start, settings
):
    data = load(**settings)
    latest = data.values[data.test.inputs.last][:, None]
    found = forecast_untrained(data, start)
    assert found == pytest.approx(np.repeat(latest, 3, axis=1), rel=1e-5)


@pytest.mark.parametrize(("more", "start"), [(1, "season"), (0, "latest")])
def test_auto_takes_the_season_where_the_windows_are_few(
    load, monkeypatch, more, start
):
    data = load()
    monkeypatch.setattr(season_layer, "MANY_WINDOWS", len(data.train) + more)
    found = forecast_untrained(data, "auto")
    assert (found == forecast_untrained(data, start)).all()
    other = {"season": "latest", "latest": "season"}[start]
    assert (found != forecast_untrained(data, other)).any()


def test_a_column_without_swings_has_the_share_zero(tmp_path):
    rows = ["day,a", *(f"{np.datetime64('2020-01-01') + k},7" for k in range(80))]
    rows[-1] = rows[-1].replace(",7", ",8")  # the training part stays constant
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    data = load_series(SeriesConfig(file=tmp_path / "t.csv", horizon=2, lookback=14))
    assert find_shares(data).tolist() == [[0.0], [0.0]]


def test_a_network_that_reads_the_level_starts_from_the_latest_value(load):
    data = load()
    read = build_inputs(data, "level")
    assert predict_start("auto", read, data) is None
    assert predict_start("season", read, data) is not None
