import csv
import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from shared.commands.recipe import main as train
from shared.core.backend import import_keras
from shared.data.series.dataset import load_series
from shared.data.weather.dataset import find_observations, make_features
from shared.inference.load_model import load_model
from shared.inference.predict import main as predict
from shared.runs.reader import find_runs, read_predictions
from tests.data.test_weather import FILE, make_rows, write
from tests.recipes.training_runs import load, train_series

SMALL = ["--horizon", "3", "--lookback", "6", "--season", "4", "--epochs", "2",
         "--calendar", "none"]  # fmt: skip


def make_table(rows=150, seed=0, freq="D", start="2023-01-02"):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "day": pd.date_range(start, periods=rows, freq=freq),
            "sales": random.normal(50, 9, rows).round(3),
            "visits": random.normal(500, 80, rows).round(3),
            "holiday": (np.arange(rows) % 11 == 0).astype(int),
        }
    )


def make_run(folder, table, *flags, recipe="series_linear"):
    table.to_csv(folder / "shop.csv", index=False)
    module = load(recipe)
    places = ["--file", str(folder / "shop.csv"), "--results-dir", str(folder / "runs")]
    train(module.Config, module.run, [*SMALL, *places, *flags])
    (run,) = find_runs(folder / "runs")
    return run


def forecast(run, *flags, to=None):
    to = to or run.path.parent / "forecast"
    predict([str(run.path), "--to", str(to), *flags])
    with (to / "forecast.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def refuse(capsys, run, *flags):
    """Return the one line of an error; nothing is written."""
    to = run.path.parent / "none"
    with pytest.raises(SystemExit) as ended:
        predict([str(run.path), "--to", str(to), *flags])
    assert ended.value.code == 2
    assert not to.exists()
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


@pytest.fixture(scope="module")
def sales(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("sales"), make_table(), "--target", "sales")


def save(table, folder, name="newer.csv"):
    table.to_csv(folder / name, index=False)
    return ["--file", str(folder / name)]


def test_the_forecast_is_that_of_the_network_on_the_last_window(sales, tmp_path):
    import_keras()
    rows = forecast(sales)
    assert [row["time"][:10] for row in rows] == [
        "2023-06-01", "2023-06-02", "2023-06-03"
    ]  # fmt: skip
    scales = sales.config["data_facts"]["layout"]["scales"][""]["sales"]
    window = (make_table().sales.to_numpy()[-6:] - scales[0]) / scales[1]
    expected = load_model(sales.path)(window[None, :, None].astype(np.float32))
    assert column(rows, "forecast") == pytest.approx(np.asarray(expected)[0], rel=1e-5)
    assert (column(rows, "lower_95") < column(rows, "lower_80")).all()
    assert (sales.path.parent / "forecast" / "forecast.png").stat().st_size > 5_000


def test_a_forecast_inside_the_data_is_that_of_the_test(sales, tmp_path):
    """A table cut at an origin of the test part gives the stored test forecast."""
    with np.load(sales.path / "predictions.npz") as stored:
        first = stored["predictions"][0]
    # 150 days: 90 train, 30 validate; the first test forecast starts at row 120
    rows = forecast(sales, *save(make_table()[:120], tmp_path))
    assert column(rows, "forecast") == pytest.approx(first, rel=1e-5)
    assert rows[0]["time"][:10] == "2023-05-02"


def test_newer_rows_calibrate_the_intervals(sales, tmp_path, capsys):
    longer = pd.concat([make_table(), make_table(20, 1, start="2023-06-01")])
    rows = forecast(sales, *save(longer, tmp_path, "ETT.csv"))
    assert rows[0]["time"][:10] == "2023-06-21"
    printed = capsys.readouterr().out
    # the outcome of 20 more forecasts is known: their last steps are the new days
    assert "intervals use 20 newer forecasts" in printed
    times = "2023-01-02 00:00:00 to 2023-06-20 00:00:00"
    assert f"ETT.csv ({times}, lines 2 to 171)" in printed


def test_few_errors_leave_one_level_out_until_newer_rows_come(tmp_path, capsys):
    parts = ["--train-steps", "40", "--validation-steps", "10", "--test-steps", "10"]
    run = make_run(tmp_path, make_table(60), "--target", "sales", *parts)
    rows = forecast(run)
    # 8 windows in each part of ten steps; 95 % needs the largest of 19 errors
    assert "no 95% interval: 16 earlier forecasts can" in capsys.readouterr().out
    assert (column(rows, "lower_80") < column(rows, "forecast")).all()
    assert [row["upper_95"] for row in rows] == ["", "", ""]
    rows = forecast(run, *save(make_table(90), tmp_path))
    assert "no 95% interval" not in capsys.readouterr().out
    assert (column(rows, "upper_95") >= column(rows, "upper_80")).all()


def test_a_series_that_is_too_short_is_left_out(tmp_path, capsys):
    """Names are printed as they are: brackets are no mark-up."""
    frames = [make_table(150, 0), make_table(150, 1), make_table(4, 2)]
    names = ["[/b]", "[red]", "tiny"]
    table = pd.concat(
        [one.assign(shop=name) for one, name in zip(frames, names, strict=True)]
    )
    run = make_run(tmp_path, table, "--target", "sales", "--series", "shop")
    capsys.readouterr()
    rows = forecast(run)
    assert [row["series"] for row in rows] == ["[/b]"] * 3 + ["[red]"] * 3
    printed = capsys.readouterr().out
    assert "1 of 3 series left out: series 'tiny': has 4 steps" in printed
    assert "│ [/b]   │" in printed and "│ [red]  │" in printed
    only = table[table.shop == "tiny"]
    line = refuse(capsys, run, *save(only, tmp_path))
    assert "series 'tiny': has 4 steps with a value, and the network reads 6" in line


def test_one_of_two_series_can_be_held_out(tmp_path):
    small, large = make_table(150, 0), make_table(150, 1)
    large["sales"] *= 1000
    table = pd.concat([small.assign(shop="s"), large.assign(shop="t")])
    flags = ["--target", "sales", "--series", "shop", "--holdout-series", "t"]
    run = make_run(tmp_path, table, *flags)
    rows = forecast(run)
    assert 20 < column(rows[:3], "forecast").mean() < 80
    assert 20_000 < column(rows[3:], "forecast").mean() < 80_000
    # in units of the naive error: a network that reads the wrong unit is far above 9
    assert run.summary["test"]["best"]["test_mase"] < 9


def test_without_the_file_the_run_goes_on_from_what_it_kept(tmp_path, capsys):
    run = make_run(tmp_path, make_table(), "--target", "sales")
    with_file = forecast(run)
    (tmp_path / "shop.csv").unlink()
    assert forecast(run) == with_file
    assert "is no longer there" in capsys.readouterr().out


def test_the_generated_series_is_forecast_too(tmp_path):
    module = load("series_linear")
    places = ["--limit", "300", "--results-dir", str(tmp_path / "runs")]
    train(module.Config, module.run, [*SMALL, *places])
    (run,) = find_runs(tmp_path / "runs")
    assert forecast(run)[0]["time"] == "2024-01-13 12:00:00"


@pytest.mark.parametrize(
    ("freq", "start", "expected"),
    [
        ("h", "2024-02-28", ["2024-03-05 06:00", "2024-03-05 07:00"]),
        ("W-SAT", "2020-01-04", ["2022-11-19", "2022-11-26"]),
        ("ME", "2010-01-31", ["2022-07-31", "2022-08-31"]),
        ("MS", "2010-01-01", ["2022-07-01", "2022-08-01"]),
        ("B", "2024-01-01", ["2024-07-29", "2024-07-30"]),
        ("YS", "1850-01-01", ["2000-01-01", "2001-01-01"]),
    ],
)
def test_times_go_on_at_the_step_of_the_series(freq, start, expected, tmp_path):
    table = make_table(150, freq=freq, start=start)
    run = make_run(tmp_path, table, "--target", "sales", "--epochs", "1")
    rows = forecast(run)
    times = [row["time"][: len(expected[0])] for row in rows]
    assert times[:2] == expected


def test_many_series_targets_and_quantiles_are_in_the_units_of_the_table(tmp_path):
    frames = []
    for k in range(2):
        table = make_table(90, k)
        table.insert(1, "shop", f"s{k}")
        table["sales"] *= 1000**k
        frames.append(table[k * 10 :])
    flags = [
        "--target",
        "sales,visits",
        "--series",
        "shop",
        "--quantiles",
        "0.1,0.5,0.9",
    ]
    run = make_run(tmp_path, pd.concat(frames), *flags, recipe="series_gru")
    rows = forecast(run)
    assert len(rows) == 2 * 3 * 2
    large = [r for r in rows if r["series"] == "s1" and r["target"] == "sales"]
    small = [r for r in rows if r["series"] == "s0" and r["target"] == "visits"]
    assert 10_000 < column(large, "forecast").mean() < 90_000
    assert 200 < column(small, "forecast").mean() < 800
    assert np.array_equal(column(rows, "forecast"), column(rows, "quantile_0.5"))
    # a series that was not in the training data is scaled by its own values
    other = make_table(40, 9)
    other.insert(1, "shop", "new")
    other["sales"] += 7e6
    rows = forecast(run, *save(other, tmp_path))
    assert column(rows[::2], "forecast") == pytest.approx([7e6] * 3, rel=1e-4)


def test_the_future_of_known_columns_must_be_there(tmp_path, capsys):
    run = make_run(tmp_path, make_table(), "--target", "sales", "--known", "holiday")
    assert "the table has 0 rows after the last value" in refuse(capsys, run)
    future = make_table(153)
    future.loc[150:, ["sales", "visits"]] = np.nan
    rows = forecast(run, *save(future, tmp_path))
    assert rows[0]["time"][:10] == "2023-06-01"
    other = future.copy()
    other.loc[150:, "holiday"] = 1 - other.loc[150:, "holiday"]
    changed = forecast(run, *save(other, tmp_path))
    assert (column(rows, "forecast") != column(changed, "forecast")).any()
    future["holiday"] = future["holiday"].astype(float)
    future.loc[151, "holiday"] = np.nan
    line = refuse(capsys, run, *save(future, tmp_path))
    assert "'holiday' has no value at 2023-06-02" in line


def test_values_outside_the_training_range_are_named(sales, tmp_path, capsys):
    table = make_table()
    table.loc[149, "sales"] = 900
    forecast(sales, *save(table, tmp_path))
    assert "'sales' is 900 in line 151, outside the training range" in (
        capsys.readouterr().out
    )


def test_a_table_that_does_not_fit_is_one_line(sales, tmp_path, capsys):
    table = make_table()
    line = refuse(capsys, sales, *save(table.drop(columns="sales"), tmp_path))
    assert "'sales'" in line and "visits" in line
    assert "4 steps with a value, and the network reads 6" in refuse(
        capsys, sales, *save(table[:4], tmp_path)
    )
    weekly = make_table(60, freq="W-MON")
    line = refuse(capsys, sales, *save(weekly, tmp_path))
    assert "every day" in line
    table.loc[100:145, "sales"] = np.nan
    assert "more than 24 steps without a value before" in refuse(
        capsys, sales, *save(table, tmp_path)
    )
    assert "nowhere.csv" in refuse(
        capsys, sales, "--file", str(tmp_path / "nowhere.csv")
    )


def test_a_run_that_cannot_forecast_is_one_line(tmp_path, capsys):
    run = train_series("sine_gru", tmp_path, "--epochs", "1")
    line = refuse(capsys, run)
    assert "cannot forecast beyond its data; the recipes series-* and" in line


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_damaged_errors_leave_the_intervals_out(tmp_path, damage, capsys):
    run = make_run(tmp_path, make_table(), "--target", "sales", "--epochs", "1")
    file = run.path / "calibration.npz"
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        np.savez(file, ends=np.arange(3), window=2, errors_80=np.ones((3, 9)))
    rows = forecast(run)
    assert [row["lower_80"] for row in rows] == ["", "", ""]
    assert (column(rows, "forecast") > 0).all()
    assert "no intervals: calibration.npz" in capsys.readouterr().out


def test_a_damaged_layout_or_memory_is_one_line(tmp_path, capsys):
    run = make_run(tmp_path, make_table(), "--target", "sales", "--epochs", "1")
    (tmp_path / "shop.csv").unlink()
    (run.path / "latest.npz").write_bytes(b"PK")
    assert "latest.npz cannot be used" in refuse(capsys, run)
    config = json.loads((run.path / "config.json").read_text())
    for part, name, value, message in (
        ("layout", "lookback", "six", "no layout that this version reads (lookback"),
        ("layout", "horizon", True, "no layout that this version reads (horizon"),
        ("layout", "quantiles", [0.1, 0.9], "its quantiles are (0.1, 0.9)"),
        ("layout", "ranges", {}, "a column has no scale or no range"),
        ("reading", "time", 5, "does not say how the table was read"),
        ("reading", "how", "max", "does not say how the table was read"),
    ):
        damaged = json.loads(json.dumps(config))
        damaged["data_facts"][part][name] = value
        (run.path / "config.json").write_text(json.dumps(damaged))
        assert message in refuse(capsys, run)


def test_damaged_last_steps_give_no_forecast(tmp_path, capsys):
    run = make_run(tmp_path, make_table(), "--target", "sales", "--epochs", "1")
    (tmp_path / "shop.csv").unlink()
    file = run.path / "latest.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    times, count = arrays["times"], len(arrays["times"])
    for name, value, message in (
        ("times", times[::-1], "its times are not every day"),
        ("times", np.full(count, "NaT", times.dtype), "times that are no times"),
        ("lengths", np.array([count + 1]), "do not fit each other"),
        ("values", arrays["values"] * np.nan, "values that are no numbers"),
        ("is_measured", np.zeros(count, bool), "has no measured step"),
    ):
        np.savez(file, **arrays | {name: value})
        assert message in refuse(capsys, run)


def test_the_layout_of_a_run_is_that_of_its_data(sales):
    module = load("series_linear")
    from shared.inference.rebuild import restore_config

    config, _ = restore_config(module.Config(), sales.settings)
    again = load_series(config.series)
    assert (
        json.loads(json.dumps(again.layout.to_json()))
        == (sales.config["data_facts"]["layout"])
    )


def make_weather_run(folder, *flags):
    return train_series("weather_gru", folder, "--epochs", "1", *flags)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_weather_run_forecasts_beyond_its_record(tmp_path, reverse):
    import_keras()
    run = make_weather_run(tmp_path, *["--reverse"] * reverse)
    (row,) = forecast(run)
    facts = run.config["data_facts"]
    # windows of 21 steps of two rows, and the target five steps later
    weather = load("weather_gru").Config().weather
    settings = dataclasses.replace(
        weather, lookback=21, sampling=2, delay=5, data_dir=tmp_path, reverse=reverse
    )
    observations = find_observations(settings)[0]
    features = make_features(settings, observations, facts["scaling"])
    window = features[-41::2]
    window = window[::-1] if reverse else window
    expected = load_model(run.path)(window[None])
    assert float(row["forecast"]) == pytest.approx(float(expected[0, 0]), abs=1e-3)
    last = observations.times[-1] + np.timedelta64(100, "m")
    assert row["time"] == str(last).replace("T", " ")
    stored = read_predictions(run)
    errors = np.sort(np.abs(stored["predictions"] - stored["targets"]))
    half = errors[int(np.ceil((len(errors) + 1) * 0.8)) - 1]
    assert float(row["upper_80"]) == pytest.approx(float(row["forecast"]) + half, 1e-3)


def test_a_weather_run_of_an_older_version_is_one_line(tmp_path, capsys):
    run = make_weather_run(tmp_path)
    config = json.loads((run.path / "config.json").read_text())
    del config["data_facts"]["scaling"]
    (run.path / "config.json").write_text(json.dumps(config))
    assert "made by an older version" in refuse(capsys, run)


def test_a_weather_record_with_another_interval_is_one_line(tmp_path, capsys):
    run = make_weather_run(tmp_path)
    rows = make_rows(400)
    write(tmp_path / "rare.csv", rows[::2])
    line = refuse(capsys, run, "--file", str(tmp_path / "rare.csv"))
    assert "every 20 minutes, and the network needs one every 10 minutes" in line


def test_weather_outside_the_training_range_is_named(tmp_path, capsys):
    run = make_weather_run(tmp_path)
    lines = (tmp_path / FILE).read_text().splitlines()
    cells = lines[-1].split(",")
    cells[lines[0].split(",").index("T (degC)")] = "900"
    (tmp_path / "hot.csv").write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")
    capsys.readouterr()
    forecast(run, "--file", str(tmp_path / "hot.csv"))
    assert f"'T (degC)' is 900 in line {len(lines)}, outside the training range" in (
        capsys.readouterr().out
    )


def test_a_weather_record_that_is_too_short_is_one_line(tmp_path, capsys):
    run = make_weather_run(tmp_path)
    write(tmp_path / "short.csv", make_rows(30))
    line = refuse(capsys, run, "--file", str(tmp_path / "short.csv"))
    assert "30 rows after the last gap, and the network reads 41" in line
