"""`make predict` with weather runs: from a record, and from the rows they kept."""

import dataclasses

import numpy as np
import pytest

from shared.core.backend import import_keras
from shared.data.weather.dataset import find_observations, make_features
from shared.inference.load_model import load_model
from shared.runs.reader import read_predictions
from tests.data.test_weather import FILE, column, make_rows, write
from tests.inference.forecasts import copy_run, forecast, refuse, without_file
from tests.recipes.training_runs import load

pytestmark = [
    pytest.mark.xdist_group("inference"),
    pytest.mark.usefixtures("undrawn"),
]


def find_folder(run):
    """Return the folder with the record of a run."""
    return run.path.parents[2]


def make_inputs(run):
    """Return the inputs and the target of all rows of the record."""
    settings = dataclasses.replace(
        load("weather_gru").Config().weather, data_dir=find_folder(run)
    )
    observations = find_observations(settings)[0]
    scaling = run.config["data_facts"]["scaling"]
    features = make_features(settings, observations, scaling)
    return features, observations


def kept_errors(run):
    stored = read_predictions(run)
    return np.abs(stored["predictions"] - stored["targets"])


def find_half(errors):
    """Half an interval of 80 %: the error of that rank."""
    return np.sort(errors)[int(np.ceil((len(errors) + 1) * 0.8)) - 1]


@pytest.mark.parametrize("reverse", [False, True])
def test_the_forecast_is_that_of_the_network_on_the_last_window(
    weather, tmp_path, reverse
):
    import_keras()
    run = copy_run(
        weather, tmp_path, lambda config: config["settings"].update(reverse=reverse)
    )
    (row,) = forecast(run, tmp_path)
    # windows of 21 steps of two rows, and the target five steps later
    features, observations = make_inputs(weather)
    window = features[-41::2]
    window = window[::-1] if reverse else window
    expected = float(load_model(run.path)(window[None])[0, 0])
    assert float(row["forecast"]) == pytest.approx(expected, abs=1e-3)
    last = observations.times[-1] + np.timedelta64(100, "m")
    assert row["time"] == str(last).replace("T", " ")
    half = find_half(kept_errors(weather))
    assert float(row["upper_80"]) == pytest.approx(expected + half, abs=1e-3)


def test_without_the_record_the_run_goes_on_from_the_rows_it_kept(
    weather, tmp_path, capsys
):
    with_record = forecast(weather, tmp_path)
    run = without_file(weather, tmp_path)
    with np.load(run.path / "latest.npz") as kept:
        assert len(kept["times"]) == 41  # what a window reads
    assert forecast(run, tmp_path) == with_record
    printed = capsys.readouterr().out
    assert "the last steps that the run has kept" in printed
    assert "gone.csv is no longer there" in printed


def test_newer_rows_calibrate_the_intervals(weather, tmp_path, capsys):
    """The training read 400 rows; the outcome of 60 more forecasts is in the file."""
    import_keras()
    rows = column(make_rows(460), "T (degC)", dict.fromkeys(range(400, 460), "30"))
    write(tmp_path / "longer.csv", rows)
    (row,) = forecast(weather, tmp_path, "--file", str(tmp_path / "longer.csv"))
    assert "intervals use 60 newer forecasts" in capsys.readouterr().out
    settings = dataclasses.replace(
        load("weather_gru").Config().weather, data_dir=tmp_path
    )
    (tmp_path / "longer.csv").rename(tmp_path / FILE)
    observations = find_observations(settings)[0]
    scaling = weather.config["data_facts"]["scaling"]
    features = make_features(settings, observations, scaling)
    targets = np.arange(400, 460)
    windows = np.stack([features[t - 50 : t - 9 : 2] for t in targets])
    predictions = np.asarray(load_model(weather.path)(windows))[:, 0]
    newer = np.abs(predictions - observations.targets["T (degC)"][targets])
    half = find_half(np.concatenate([kept_errors(weather), newer]))
    assert half > find_half(kept_errors(weather)) + 1
    expected = float(row["forecast"]) + half
    assert float(row["upper_80"]) == pytest.approx(expected, abs=1e-3)


def test_a_run_of_an_older_version_without_rows_asks_for_its_record(
    weather, tmp_path, capsys
):
    """It never takes the generated climate instead."""

    def move(config):
        config["data_facts"]["file"] = str(tmp_path / FILE)
        config["settings"]["data_dir"] = None

    run = copy_run(weather, tmp_path, move)
    (run.path / "latest.npz").unlink()
    line = refuse(capsys, run, tmp_path)
    assert "no weather file found" in line and FILE in line


def test_a_run_of_an_older_version_without_scaling_is_one_line(
    weather, tmp_path, capsys
):
    run = copy_run(
        weather, tmp_path, lambda config: config["data_facts"].pop("scaling")
    )
    assert "made by an older version" in refuse(capsys, run, tmp_path)


def test_damaged_rows_are_one_line(weather, tmp_path, capsys):
    run = without_file(weather, tmp_path)
    with np.load(run.path / "latest.npz") as stored:
        arrays = dict(stored)
    for name, value, message in (
        ("times", arrays["times"][::-1], "its times do not increase"),
        ("elapsed", arrays["elapsed"][1:], "do not fit each other"),
        ("values", arrays["values"] * np.nan, "values that are no numbers"),
        ("columns", np.char.add(arrays["columns"], "x"), "it lacks a column"),
    ):
        np.savez(run.path / "latest.npz", **arrays | {name: value})
        line = refuse(capsys, run, tmp_path)
        assert "latest.npz cannot be used" in line and message in line
    (run.path / "latest.npz").write_bytes(b"PK")
    assert "name the record with --file" in refuse(capsys, run, tmp_path)


def test_a_record_with_another_interval_is_one_line(weather, tmp_path, capsys):
    write(tmp_path / "rare.csv", make_rows(400)[::2])
    line = refuse(capsys, weather, tmp_path, "--file", str(tmp_path / "rare.csv"))
    assert "every 20 minutes, and the network needs one every 10 minutes" in line


def test_a_record_that_is_too_short_is_one_line(weather, tmp_path, capsys):
    write(tmp_path / "short.csv", make_rows(30))
    line = refuse(capsys, weather, tmp_path, "--file", str(tmp_path / "short.csv"))
    assert "30 rows after the last gap, and the network reads 41" in line


def test_values_outside_the_training_range_are_named(weather, tmp_path, capsys):
    lines = (find_folder(weather) / FILE).read_text().splitlines()
    cells = lines[-1].split(",")
    cells[lines[0].split(",").index("T (degC)")] = "900"
    (tmp_path / "hot.csv").write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")
    forecast(weather, tmp_path, "--file", str(tmp_path / "hot.csv"))
    assert f"'T (degC)' is 900 in line {len(lines)}, outside the training range" in (
        capsys.readouterr().out
    )
