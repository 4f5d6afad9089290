"""`make predict` with series runs: the forecast, its units, and its intervals."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from shared.core.backend import import_keras
from shared.data.series.dataset import load_series
from shared.inference.load_model import load_model
from shared.inference.rebuild import restore_config
from tests.inference.forecasts import (
    column,
    copy_run,
    forecast,
    make_table,
    refuse,
    save,
    without_file,
)
from tests.recipes.training_runs import load

pytestmark = [
    pytest.mark.xdist_group("inference"),
    pytest.mark.usefixtures("undrawn"),
]


def test_the_forecast_is_that_of_the_network_on_the_last_window(sales, tmp_path):
    import_keras()
    rows = forecast(sales, tmp_path)
    assert [row["time"][:10] for row in rows] == [
        "2023-06-01", "2023-06-02", "2023-06-03"
    ]  # fmt: skip
    scales = sales.config["data_facts"]["layout"]["scales"][""]["sales"]
    window = (make_table().sales.to_numpy()[-6:] - scales[0]) / scales[1]
    expected = load_model(sales.path)(window[None, :, None].astype(np.float32))
    assert column(rows, "forecast") == pytest.approx(np.asarray(expected)[0], rel=1e-5)


def test_an_interval_is_the_forecast_and_the_error_of_its_rank(sales, tmp_path):
    rows = forecast(sales, tmp_path)
    with np.load(sales.path / "calibration.npz") as kept:
        errors = {80: kept["errors_80"], 95: kept["errors_95"]}
        window = int(kept["window"])
    for level, found in errors.items():
        latest = np.sort(found[-window:], axis=0)
        half = latest[int(np.ceil((window + 1) * level / 100 - 1e-9)) - 1]
        middle = column(rows, "forecast")
        for name, end in (("lower", middle - half), ("upper", middle + half)):
            assert column(rows, f"{name}_{level}") == pytest.approx(end, rel=1e-5)


def test_a_forecast_inside_the_data_is_that_of_the_test(sales, tmp_path):
    """A table cut at an origin of the test part gives the stored test forecast."""
    with np.load(sales.path / "predictions.npz") as stored:
        first = stored["predictions"][0]
    # 150 days: 90 train, 30 validate; the first test forecast starts at row 120
    rows = forecast(sales, tmp_path, *save(make_table()[:120], tmp_path))
    assert column(rows, "forecast") == pytest.approx(first, rel=1e-5)
    assert rows[0]["time"][:10] == "2023-05-02"


def test_newer_rows_calibrate_the_intervals(sales, tmp_path, capsys):
    longer = pd.concat([make_table(), make_table(20, 1, start="2023-06-01")])
    rows = forecast(sales, tmp_path, *save(longer, tmp_path, "ETT.csv"))
    assert rows[0]["time"][:10] == "2023-06-21"
    printed = capsys.readouterr().out
    # the outcome of 20 more forecasts is known: their last steps are the new days
    assert "intervals use 20 newer forecasts" in printed
    times = "2023-01-02 00:00:00 to 2023-06-20 00:00:00"
    assert f"ETT.csv ({times}, lines 2 to 171)" in printed


def test_few_errors_leave_one_level_out_until_newer_rows_come(sales, tmp_path, capsys):
    """A level of 95 % needs the largest of 19 errors."""

    def keep_sixteen(arrays):
        cut = {name: values[-16:] for name, values in arrays.items() if values.shape}
        return cut | {"window": np.array(8)}

    run = copy_run(sales, tmp_path, calibration=keep_sixteen)
    rows = forecast(run, tmp_path)
    assert "no 95% interval: 16 earlier forecasts can" in capsys.readouterr().out
    assert (column(rows, "lower_80") < column(rows, "forecast")).all()
    assert [row["upper_95"] for row in rows] == ["", "", ""]
    rows = forecast(run, tmp_path, *save(make_table(160), tmp_path))
    assert "no 95% interval" not in capsys.readouterr().out
    assert (column(rows, "upper_95") >= column(rows, "upper_80")).all()


@pytest.mark.parametrize("shop", ["[/b]", "[red]"])
def test_quantiles_of_many_targets_are_those_of_the_network_in_the_units_of_the_table(
    panel, tmp_path, shop
):
    import_keras()
    rows = [row for row in forecast(panel, tmp_path) if row["series"] == shop]
    table = pd.read_csv(panel.path.parents[2] / "shop.csv")
    values = table[table.shop == shop][["sales", "visits"]].to_numpy()
    train = values[: int(0.6 * len(values))]
    centre = train.mean(axis=0)
    scale = np.abs(train[4:] - train[:-4]).mean(axis=0)  # the season has four steps
    window = ((values[-6:] - centre) / scale).astype(np.float32)
    raw = np.asarray(load_model(panel.path).predict(window[None], verbose=0))
    expected = raw.reshape(3, 2, 3) * scale[:, None] + centre[:, None]
    for k, target in enumerate(("sales", "visits")):
        chosen = [row for row in rows if row["target"] == target]
        for q, level in enumerate(("0.1", "0.5", "0.9")):
            found = column(chosen, f"quantile_{level}")
            assert found == pytest.approx(expected[:, k, q], rel=1e-4), (target, level)
    assert np.array_equal(column(rows, "forecast"), column(rows, "quantile_0.5"))


def test_a_series_that_was_held_out_is_in_its_own_units(panel, tmp_path):
    rows = [row for row in forecast(panel, tmp_path) if row["series"] == "out"]
    sales = [row for row in rows if row["target"] == "sales"]
    visits = [row for row in rows if row["target"] == "visits"]
    assert 20_000 < column(sales, "forecast").mean() < 80_000
    assert 200 < column(visits, "forecast").mean() < 800
    # in units of the naive error: a network that reads the wrong unit is far above 9
    assert panel.summary["test"]["best"]["test_mase"] < 9


def test_a_new_series_is_scaled_by_its_own_values(panel, tmp_path):
    other = make_table(40, 9).assign(shop="new")
    other["sales"] += 7e6
    rows = forecast(panel, tmp_path, *save(other, tmp_path))
    sales = [row for row in rows if row["target"] == "sales"]
    assert column(sales, "forecast") == pytest.approx([7e6] * 3, rel=1e-4)


def test_a_series_that_is_too_short_is_left_out(panel, tmp_path, capsys):
    """Names are printed as they are: brackets are no mark-up."""
    table = pd.read_csv(panel.path.parents[2] / "shop.csv")
    chosen = table[table.shop.isin(["[/b]", "tiny"])]
    rows = forecast(panel, tmp_path, *save(chosen, tmp_path))
    assert {row["series"] for row in rows} == {"[/b]"}
    printed = capsys.readouterr().out
    assert "1 of 2 series left out: series 'tiny': has 4 steps" in printed
    assert "│ [/b]   │" in printed
    only = table[table.shop == "tiny"]
    line = refuse(capsys, panel, tmp_path, *save(only, tmp_path))
    assert "series 'tiny': has 4 steps with a value, and the network reads 6" in line


def test_without_the_file_the_run_goes_on_from_what_it_kept(sales, tmp_path, capsys):
    with_file = forecast(sales, tmp_path)
    run = without_file(sales, tmp_path)
    assert forecast(run, tmp_path) == with_file
    assert "gone.csv is no longer there" in capsys.readouterr().out


def test_a_generated_series_goes_on_from_what_the_run_kept(sales, tmp_path, capsys):
    def forget(config):
        config["data_facts"]["file"] = None

    run = copy_run(sales, tmp_path, forget)
    assert forecast(run, tmp_path) == forecast(sales, tmp_path)
    assert "Read: the last steps that the run has kept\n" in capsys.readouterr().out


def test_the_future_of_known_columns_must_be_there(known_sales, tmp_path, capsys):
    run = known_sales
    assert "the table has 0 rows after the last" in refuse(capsys, run, tmp_path)
    future = make_table(153)
    future.loc[150:, ["sales", "visits"]] = np.nan
    rows = forecast(run, tmp_path, *save(future, tmp_path))
    assert rows[0]["time"][:10] == "2023-06-01"
    other = future.copy()
    other.loc[150:, "holiday"] = 1 - other.loc[150:, "holiday"]
    changed = forecast(run, tmp_path, *save(other, tmp_path))
    assert (column(rows, "forecast") != column(changed, "forecast")).any()
    future["holiday"] = future["holiday"].astype(float)
    future.loc[151, "holiday"] = np.nan
    line = refuse(capsys, run, tmp_path, *save(future, tmp_path))
    assert "'holiday' has no value at 2023-06-02" in line


def test_values_outside_the_training_range_are_named(sales, tmp_path, capsys):
    table = make_table()
    table.loc[149, "sales"] = 900
    forecast(sales, tmp_path, *save(table, tmp_path))
    assert "'sales' is 900 in line 151, outside the training range" in (
        capsys.readouterr().out
    )


def test_the_layout_of_a_run_is_that_of_its_data(sales):
    config, _ = restore_config(load("series_linear").Config(), sales.settings)
    again = load_series(config.series)
    assert (
        json.loads(json.dumps(again.layout.to_json()))
        == (sales.config["data_facts"]["layout"])
    )


def test_every_forecast_has_a_folder_of_its_own(sales, tmp_path):
    from shared.inference.predict import main

    run = copy_run(sales, tmp_path)
    for _ in range(2):
        main([str(run.path)])
    folders = sorted((run.path / "forecasts").iterdir())
    assert len(folders) == 2
    assert all(date.fromisoformat(folder.name[:10]) for folder in folders)
    for folder in folders:
        names = sorted(file.name for file in folder.iterdir())
        assert names == ["forecast.csv", "forecast.png"]
