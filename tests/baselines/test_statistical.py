"""AutoETS and AutoTheta as baselines, by hand and with statsforecast itself."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from shared.baselines import statistical
from shared.baselines.series import series_baselines
from shared.data.series.config import SeriesConfig
from shared.data.series.dataset import load_series

SIZES = {"horizon": 3, "lookback": 7, "season": 5}
SIMPLE = ["last season (5 steps)", "last value", "ridge on differences"]


def draw(seed, rows=100):
    random = np.random.default_rng(seed)
    season = np.sin(np.arange(rows) * 2 * np.pi / 5)
    return 50 + 0.2 * np.arange(rows) + 8 * season + random.normal(0, 1, rows)


def write(folder, shops=1, targets=1):
    frames = []
    for k in range(shops):
        frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=100)})
        if shops > 1:
            frame["shop"] = f"s{k}"
        for j in range(targets):
            frame[f"y{j}"] = draw(10 * k + j) * 10**k
        frames.append(frame)
    path = folder / "shops.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


@pytest.fixture
def package(monkeypatch):
    """A package whose models add 1 to the latest value for each step."""
    found = SimpleNamespace(fitted=[], followed=[], fails=False, version="2.1.1")

    class Model:
        def __init__(self, season_length):
            self.season = season_length

        def fit(self, y):
            found.fitted.append((type(self).__name__, self.season, y.copy()))
            return self

        def forward(self, y, h, level):
            if found.fails:
                raise ZeroDivisionError("no trend\nat all")
            found.followed.append(len(y))
            mean = y[-1] + np.arange(1, h + 1)
            return {"mean": mean} | {
                f"{side}-{one}": mean + sign * one
                for one in level or ()
                for side, sign in (("lo", -1), ("hi", 1))
            }

    fake = ModuleType("statsforecast")
    fake.models = SimpleNamespace(
        AutoETS=type("AutoETS", (Model,), {}), AutoTheta=type("AutoTheta", (Model,), {})
    )
    monkeypatch.setitem(sys.modules, "statsforecast", fake)
    monkeypatch.setattr(statistical, "find_version", lambda: found.version)
    return found


def names(baselines):
    return [one.name for one in baselines]


def test_without_the_package_a_line_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(statistical, "find_version", lambda: None)
    data = load_series(SeriesConfig(file=write(tmp_path), **SIZES))
    capsys.readouterr()
    assert names(series_baselines(data)) == SIMPLE
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "AutoETS" in line] == [
        "Baselines that are not installed: AutoETS, AutoTheta (pip install -r "
        "requirements-statistics.txt)"
    ]


def test_a_model_reads_the_training_part_once_and_follows_every_window(
    tmp_path, package
):
    data = load_series(SeriesConfig(file=write(tmp_path), **SIZES))
    baselines = series_baselines(data)
    assert names(baselines) == [*SIMPLE, "AutoETS", "AutoTheta"]
    values = draw(0)
    for (name, season, fitted), expected in zip(
        package.fitted, statistical.MODELS, strict=True
    ):
        assert (name, season) == (expected, 5)
        assert fitted == pytest.approx(values[:60], rel=1e-6)  # 60 % of 100 rows
    # 18 windows begin in each of two parts of 20 steps
    assert package.followed == [*range(60, 78), *range(80, 98)] * 2
    ets = baselines[3]
    expected = values[79:97, None] + [1, 2, 3]
    assert ets.predictions == pytest.approx(expected, rel=1e-6)
    assert ets.validation_predictions == pytest.approx(
        values[59:77, None] + [1, 2, 3], rel=1e-6
    )
    assert ets.intervals.shape == (2, 2, 18, 3)
    for k, percent in enumerate((80, 95)):
        assert ets.intervals[k, 0] == pytest.approx(expected - percent, rel=1e-4)
        assert ets.intervals[k, 1] == pytest.approx(expected + percent, rel=1e-4)
    error = np.abs(expected - np.asarray(data.test.targets)).mean()
    assert ets.test["mae"] == pytest.approx(error, rel=1e-5)


def test_series_and_targets_are_fitted_in_their_own_units(tmp_path, package):
    path = write(tmp_path, shops=2, targets=2)
    data = load_series(
        SeriesConfig(
            file=path, series="shop", target=("y0", "y1"), quantiles=(0.1, 0.5, 0.9),
            **SIZES,
        )
    )  # fmt: skip
    ets = series_baselines(data)[3]
    wanted = [draw(seed)[:60] * scale for seed, scale in
              ((0, 1), (1, 1), (10, 10), (11, 10))]  # fmt: skip
    for (_, _, fitted), values in zip(package.fitted[:4], wanted, strict=True):
        assert fitted == pytest.approx(values, rel=1e-5)
    assert ets.predictions.shape == (36, 3, 2, 3)
    assert ets.validation_predictions.shape == (36, 3, 2, 3)
    shops = data.test.series
    for shop, seed, scale in (("s0", 0, 1), ("s1", 10, 10)):
        which = np.flatnonzero(shops == shop)
        latest = next(one for one in data.latest if one.name == shop)
        for target, column in enumerate(("y0", "y1")):
            values = draw(seed + target) * scale
            mean = values[79:97, None] + [1, 2, 3]
            centre, size = data.layout.find_scales(latest)[column]
            found = ets.predictions[which][:, :, target] * size + centre
            for k, add in enumerate((-80, 0, 80)):
                assert found[..., k] == pytest.approx(mean + add, rel=1e-4, abs=1e-3)


def test_a_series_that_is_held_out_is_fitted_before_its_first_forecast(
    tmp_path, package
):
    data = load_series(
        SeriesConfig(
            file=write(tmp_path, shops=2), series="shop", target=("y0",),
            holdout_series=("s1",), **SIZES,
        )
    )  # fmt: skip
    series_baselines(data)
    assert [len(y) for _, _, y in package.fitted] == [60, 80] * 2
    assert package.fitted[1][2] == pytest.approx(draw(10)[:80] * 10, rel=1e-5)


def test_no_season_above_24_for_autoets(tmp_path, package):
    data = load_series(
        SeriesConfig(file=write(tmp_path), horizon=3, lookback=7, season=25)
    )
    series_baselines(data)
    assert [(name, season) for name, season, _ in package.fitted] == [
        ("AutoETS", 1), ("AutoTheta", 25)]  # fmt: skip


def test_zero_stays_zero_through_the_scale_of_a_series():
    scaled = ((np.array([0.0, 51.3, 47.9]) - 49.7) / 9.1).astype(np.float32)
    assert float(scaled[0]) * 9.1 + 49.7 != 0
    layout = SimpleNamespace(
        is_single=False, target=("y",), find_scales=lambda one: {"y": (49.7, 9.1)}
    )
    windows = SimpleNamespace(
        starts=np.array([0]), last=np.array([0]), steps=1, horizon=1
    )
    part = SimpleNamespace(inputs=windows)
    data = SimpleNamespace(
        layout=layout, values=scaled, first_rows=np.array([0]), train=part,
        validation=part, test=part, latest=[SimpleNamespace(name="")],
    )  # fmt: skip
    (target,) = statistical._list_targets(data)
    assert target.values[0] == 0
    assert target.values[1:] == pytest.approx([51.3, 47.9], rel=1e-5)


def test_forecasts_are_cached_per_version(tmp_path, package, capsys):
    data = load_series(SeriesConfig(file=write(tmp_path), **SIZES))
    first = series_baselines(data)
    again = series_baselines(data)
    assert len(package.fitted) == 2
    assert names(again) == names(first)
    assert (again[3].intervals == first[3].intervals).all()
    assert (again[3].validation_predictions == first[3].validation_predictions).all()
    assert again[0].intervals is None
    package.version = "2.2"
    series_baselines(data)
    assert len(package.fitted) == 4


def test_a_model_that_fails_is_left_out_and_tried_again(tmp_path, package, capsys):
    data = load_series(SeriesConfig(file=write(tmp_path), **SIZES))
    package.fails = True
    assert names(series_baselines(data)) == SIMPLE
    printed = capsys.readouterr().out
    assert "AutoETS is left out: 'y0': ZeroDivisionError: no trend at all\n" in printed
    package.fails = False
    assert names(series_baselines(data)) == [*SIMPLE, *statistical.MODELS]


def test_too_much_work_is_left_out(tmp_path, package, monkeypatch, capsys):
    data = load_series(SeriesConfig(file=write(tmp_path), **SIZES))
    ets, theta = (statistical.estimate_seconds(m, data) for m in statistical.MODELS)
    monkeypatch.setattr(statistical, "MOST_SECONDS", max(ets, theta) * 1.01)
    assert names(series_baselines(data)) == [*SIMPLE, "AutoETS"]
    lines = [x for x in capsys.readouterr().out.splitlines() if "left out" in x]
    assert len(lines) == 1 and lines[0].startswith("AutoTheta is left out: it would")


def test_the_estimate_grows_with_windows_and_rows(tmp_path):
    def estimate(**more):
        data = load_series(SeriesConfig(file=write(tmp_path), **SIZES, **more))
        return [statistical.estimate_seconds(m, data) for m in statistical.MODELS]

    every, every_third = estimate(), estimate(test_stride=3)
    assert all(a > b for a, b in zip(every, every_third, strict=True))


needs_package = pytest.mark.skipif(
    statistical.find_version() is None,
    reason="needs statsforecast: pip install -r requirements-statistics.txt",
)


@needs_package
def test_forecasts_are_those_of_the_cross_validation_of_statsforecast(tmp_path):
    from statsforecast import StatsForecast, models

    data = load_series(SeriesConfig(file=write(tmp_path), **SIZES))
    found = series_baselines(data)
    assert names(found) == [*SIMPLE, "AutoETS", "AutoTheta"]
    values = data.values.astype(np.float64)
    table = pd.DataFrame({"unique_id": "y", "ds": np.arange(100), "y": values})
    # The first of its windows begins after the training part, and fits the model.
    every = StatsForecast(
        [models.AutoETS(season_length=5), models.AutoTheta(season_length=5)], freq=1
    ).cross_validation(
        h=3, df=table, test_size=40, step_size=1, n_windows=None, refit=False,
        level=[80, 95],
    )  # fmt: skip
    every = every[every["cutoff"] >= 79].sort_values(["cutoff", "ds"])
    for one in found[3:]:
        expected = every[one.name].to_numpy().reshape(18, 3)
        assert one.predictions == pytest.approx(expected, rel=1e-5)
        for k, percent in enumerate((80, 95)):
            for j, side in enumerate(("lo", "hi")):
                ends = every[f"{one.name}-{side}-{percent}"].to_numpy().reshape(18, 3)
                assert one.intervals[k, j] == pytest.approx(ends, rel=1e-5)
    simple = found[0].test["mae"]  # a season with a trend: both models win
    assert all(one.test["mae"] < simple for one in found[3:])


@needs_package
def test_a_constant_training_part_does_not_stop_the_run(tmp_path):
    values = np.concatenate([np.full(60, 7.0), draw(3)[:40]])
    days = pd.date_range("2024-01-01", periods=100)
    pd.DataFrame({"day": days, "y": values}).to_csv(tmp_path / "flat.csv", index=False)
    data = load_series(SeriesConfig(file=tmp_path / "flat.csv", **SIZES))
    for one in series_baselines(data):
        assert np.isfinite(one.predictions).all()
