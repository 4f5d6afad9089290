"""Series recipes through their real entry point, on tables of all kinds."""

import csv

import numpy as np
import pandas as pd
import pytest

from shared.baselines.statistical import MODELS, find_version
from shared.commands.recipe import main
from shared.inference.load_model import load_model
from shared.runs.reader import find_runs, read_predictions
from tests.recipes.training_runs import load, mark_slow, train_series

SMALL = ["--horizon", "3", "--lookback", "7", "--season", "5", "--epochs", "1"]
RECIPES = ["series_linear", "series_gru", "series_lstm", "series_best",
           "series_encoder_decoder_gru"]  # fmt: skip


def write_table(folder, series=1):
    frames = []
    for k in range(series):
        random = np.random.default_rng(k)
        frame = pd.DataFrame(
            {"day": pd.date_range("2023-01-02", periods=120), "shop": f"s{k}"}
        )
        frame["sales"] = random.normal(50, 9, 120) * 10**k
        frame["visits"] = random.normal(500, 80, 120)
        frame["rain"] = random.normal(2, 1, 120)
        frame["holiday"] = (np.arange(120) % 11 == 0).astype(int)
        frames.append(frame)
    table = pd.concat(frames)
    if series == 1:
        del table["shop"]
    table.to_csv(folder / "shops.csv", index=False)
    return ["--file", str(folder / "shops.csv"), "--inputs", "rain",
            "--known", "holiday"]  # fmt: skip


def train(recipe, folder, *flags):
    module = load(recipe)
    sizes = SMALL if recipe == "series_linear" else [*SMALL, "--units", "3"]
    if recipe == "series_best":
        sizes = [*sizes, "--ensemble-size", "2", "--segment", "3"]
    main(module.Config, module.run, [*sizes, *flags, "--results-dir", str(folder)])
    (run,) = find_runs(folder, recipe.replace("_", "-"))
    assert run.state == "finished"
    return run


def read_csv(run, name):
    with (run.path / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "recipe", mark_slow(RECIPES, ["series_best", "series_encoder_decoder_gru"])
)
def test_a_table_with_all_kinds_of_columns_trains(recipe, tmp_path, request):
    if recipe != "series_best":  # the pictures are the same
        request.getfixturevalue("undrawn")
    flags = [*write_table(tmp_path, 2), "--series", "shop", "--target", "sales,visits",
             "--quantiles", "0.1,0.5,0.9"]  # fmt: skip
    run = train(recipe, tmp_path / "runs", *flags)
    stored = read_predictions(run)
    # 24 test days of two shops: 22 windows each
    assert stored["targets"].shape == (44, 3, 2)
    assert stored["predictions"].shape == (44, 3, 2, 3)
    assert set(stored["series"]) == {"s0", "s1"}
    names = [row["forecast"] for row in read_csv(run, "forecast_scores")]
    assert names[:4] == ["network", "last season (5 steps)", "last value",
                         "ridge on differences"]  # fmt: skip
    assert names[4:] == (list(MODELS) if find_version() else [])
    scores = read_csv(run, "forecast_scores")[0]
    error = np.abs(stored["predictions"][..., 1] - stored["targets"]).mean()
    assert float(scores["mae"]) == pytest.approx(error, rel=1e-4)
    assert run.summary["test"]["best"]["test_mase"] == pytest.approx(error, rel=1e-3)
    model = load_model(run.path)
    assert model.output_shape == (None, 3, 2, 3)


def test_one_target_is_forecast_in_its_own_unit(tmp_path, undrawn):
    flags = [*write_table(tmp_path), "--target", "sales"]
    run = train("series_gru", tmp_path / "runs", *flags)
    stored = read_predictions(run)
    assert stored["targets"].shape == stored["predictions"].shape == (22, 3)
    table = pd.read_csv(tmp_path / "shops.csv")
    assert stored["targets"][0] == pytest.approx(table.sales[96:99], rel=1e-5)
    last = stored["baseline last value"]
    assert last[0] == pytest.approx([table.sales[95]] * 3, rel=1e-5)
    season = stored["baseline last season (5 steps)"]
    assert season[0] == pytest.approx(table.sales[91:94], rel=1e-5)
    rows = read_csv(run, "intervals")
    scores = read_csv(run, "forecast_scores")
    names = [row["forecast"] for row in scores]
    assert names[0] == "network" and "last value" in names
    assert [row["forecast"] for row in rows[::8]] == names
    assert [row["step"] for row in rows] == ["all", "1", "2", "3"] * 2 * len(names)
    assert {row["windows"] for row in rows} == {"22"}
    assert all(float(row["mean_pinball"]) > 0 for row in scores)
    with np.load(run.path / "calibration.npz") as errors:
        assert errors["errors_80"].shape == (44, 3)
    with np.load(run.path / "latest.npz") as latest:
        assert latest["times"][-1] == np.datetime64("2023-05-01")
        assert latest["values"][-1, 0] == pytest.approx(table.sales[119])


def test_series_best_starts_as_ridge(tmp_path, undrawn):
    flags = [*write_table(tmp_path), "--target", "sales", "--corrects", "ridge",
             "--learning-rate", "1e-9"]  # fmt: skip
    run = train("series_best", tmp_path / "runs", *flags)
    stored = read_predictions(run)
    assert stored["predictions"] == pytest.approx(
        stored["baseline ridge on differences"], rel=1e-4
    )


def test_a_horizon_of_one_step(tmp_path, undrawn):
    flags = [*write_table(tmp_path), "--target", "sales", "--horizon", "1"]
    run = train("series_gru", tmp_path / "runs", *flags)
    assert read_predictions(run)["predictions"].shape == (24, 1)


@pytest.mark.xdist_group("series_linear")
def test_without_a_file_the_generated_series_is_named(shared_runs):
    shared = shared_runs.train(train_series, "series_linear", "--epochs", "2")
    assert shared.run.data == "series-sample"
    assert "Its best forecast is known" in shared.output
    assert shared.run.summary["leak_check"]["leak"] is False
