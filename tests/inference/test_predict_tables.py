"""`make predict` with tables and run folders that do not fit: one line, no forecast."""

import json

import numpy as np
import pandas as pd
import pytest

from shared.core.errors import format_flag
from shared.core.flags import list_names
from shared.data.series.config import SeriesConfig
from shared.data.series.dataset import load_series
from shared.data.series.frequency import infer_frequency
from shared.data.series.messages import FORECAST_FLAGS
from shared.inference.file_form import FileForm
from shared.inference.predict import Options
from shared.training.forecast_report import pack_latest
from tests.inference.forecasts import (
    column,
    copy_run,
    forecast,
    make_table,
    refuse,
    save,
    without_file,
)

pytestmark = [
    pytest.mark.xdist_group("inference"),
    pytest.mark.usefixtures("undrawn"),
]


def move(run, folder, freq, start):
    """Return a copy of a run as if its table had other times."""
    table = make_table(150, freq=freq, start=start)
    times = table.day.to_numpy("datetime64[s]")

    def set_step(config):
        step = infer_frequency(times).to_json()
        config["data_facts"]["layout"]["frequency"] = step
        config["data_facts"]["file"] = save(table, folder, "shop.csv")[1]

    def set_times(arrays):
        return {"times": times[-len(arrays["times"]) :]}

    return copy_run(run, folder, set_step, latest=set_times)


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
def test_times_go_on_at_the_step_of_the_series(sales, freq, start, expected, tmp_path):
    rows = forecast(move(sales, tmp_path, freq, start), tmp_path)
    times = [row["time"][: len(expected[0])] for row in rows]
    assert times[:2] == expected


@pytest.mark.parametrize(
    ("trained", "new", "words"),
    [
        (
            ("W-SAT", "2020-01-04"),
            ("W-SUN", "2022-01-02"),
            ["every week, on Sundays, such as", "the run needs one every week, on Sat"],
        ),
        (
            ("h", "2024-02-28"),
            ("h", "2024-03-01 00:07"),
            ["every hour, such as 2024-03-01 00:07", "needs one every hour, such as"],
        ),
        (
            ("QS-JAN", "1980-01-01"),
            ("QS-FEB", "2001-02-01"),
            ["such as 2001-02-01", "the run needs one every quarter, first day"],
        ),
        (("MS", "2010-01-01"), ("15D", None), ["every month, first day"]),
    ],
)
def test_a_table_on_another_grid_is_one_line(
    sales, tmp_path, capsys, trained, new, words
):
    run = move(sales, tmp_path, *trained)
    if new[1] is None:  # the 15th of each month
        table = make_table(60, freq="MS", start="2020-01-01")
        table["day"] += pd.Timedelta(days=14)
    else:
        table = make_table(60, freq=new[0], start=new[1])
    line = refuse(capsys, run, tmp_path, *save(table, tmp_path))
    assert "newer.csv" in line and "line 2" in line
    for each in words:
        assert each in line


@pytest.mark.parametrize(
    ("trained", "new"),
    [
        (("MS", "2010-01-01"), ("MS", "2020-03-01")),
        (("W-SAT", "2020-01-04"), ("W-SAT", "2022-10-08")),
        (("D", "2023-01-02"), ("D", "2023-03-04")),
        (("B", "2024-01-01"), ("B", "2024-05-07")),
    ],
)
def test_a_table_that_starts_later_on_the_grid_is_read(sales, tmp_path, trained, new):
    run = move(sales, tmp_path, *trained)
    table = make_table(30, freq=new[0], start=new[1])
    assert len(forecast(run, tmp_path, *save(table, tmp_path))) == 3


def test_days_written_with_another_clock_are_read_and_named(sales, tmp_path, capsys):
    noon = make_table(30, start="2023-03-01 12:00")
    rows = forecast(sales, tmp_path, *save(noon, tmp_path))
    assert rows[0]["time"] == "2023-03-31 12:00:00"
    assert "times such as 2023-03-01 12:00; those of the run were written as 2023" in (
        capsys.readouterr().out
    )


def test_a_table_that_does_not_fit_is_one_line(sales, tmp_path, capsys):
    table = make_table()
    line = refuse(capsys, sales, tmp_path, *save(table.drop(columns="sales"), tmp_path))
    assert "'sales'" in line and "visits" in line
    assert "4 steps with a value, and the network reads 6" in refuse(
        capsys, sales, tmp_path, *save(table[:4], tmp_path)
    )
    weekly = make_table(60, freq="W-MON")
    line = refuse(capsys, sales, tmp_path, *save(weekly, tmp_path))
    assert "every day" in line
    assert "nowhere.csv" in refuse(
        capsys, sales, tmp_path, "--file", str(tmp_path / "nowhere.csv")
    )


def test_a_long_gap_is_refused_from_the_file_and_from_kept_rows(
    sales, tmp_path, capsys
):
    table = make_table()
    table.loc[118:145, "sales"] = np.nan
    flags = save(table, tmp_path)
    message = "more than 24 steps without a value before"
    assert message in refuse(capsys, sales, tmp_path, *flags)
    settings = SeriesConfig(
        horizon=3, lookback=6, season=4, calendar="none", target=("sales",),
        file=tmp_path / "newer.csv", validation_share=0.1,
    )  # fmt: skip
    latest = pack_latest(load_series(settings))
    run = without_file(sales, tmp_path, latest=lambda _: latest)
    assert message in refuse(capsys, run, tmp_path)
    del latest["is_stale"]  # as older versions wrote it
    np.savez(run.path / "latest.npz", **latest)
    assert len(forecast(run, tmp_path)) == 3


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_damaged_errors_leave_the_intervals_out(sales, tmp_path, damage, capsys):
    run = copy_run(sales, tmp_path)
    file = run.path / "calibration.npz"
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        np.savez(file, ends=np.arange(3), window=2, errors_80=np.ones((3, 9)))
    rows = forecast(run, tmp_path)
    assert [row["lower_80"] for row in rows] == ["", "", ""]
    assert (column(rows, "forecast") > 0).all()
    assert "no intervals: calibration.npz" in capsys.readouterr().out


def test_a_damaged_memory_is_one_line_without_a_file(sales, tmp_path, capsys):
    run = without_file(sales, tmp_path)
    (run.path / "latest.npz").write_bytes(b"PK")
    assert "latest.npz cannot be used" in refuse(capsys, run, tmp_path)
    forecast(run, tmp_path, *save(make_table(), tmp_path))
    assert "the grid of the run is not known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("layout", "lookback", "six", "no layout that this version reads (lookback"),
        ("layout", "horizon", True, "no layout that this version reads (horizon"),
        ("layout", "quantiles", [0.1, 0.9], "its quantiles are (0.1, 0.9)"),
        ("layout", "ranges", {}, "a column has no scale or no range"),
        ("reading", "time", 5, "does not say how the table was read"),
        ("reading", "how", "max", "does not say how the table was read"),
    ],
)
def test_a_damaged_layout_is_one_line(
    sales, tmp_path, capsys, part, name, value, message
):
    def damage(config):
        config["data_facts"][part][name] = value

    assert message in refuse(capsys, copy_run(sales, tmp_path, damage), tmp_path)


def test_a_run_without_a_layout_is_one_line(sales, tmp_path, capsys):
    def damage(config):
        del config["data_facts"]["layout"]

    run = copy_run(sales, tmp_path, damage)
    assert "no layout that this version reads (without 'layout')" in refuse(
        capsys, run, tmp_path
    )


def test_damaged_last_steps_give_no_forecast(sales, tmp_path, capsys):
    run = without_file(sales, tmp_path)
    with np.load(run.path / "latest.npz") as stored:
        arrays = dict(stored)
    times, count = arrays["times"], len(arrays["times"])
    for name, value, message in (
        ("times", times[::-1], "its times are not every day"),
        ("times", np.full(count, "NaT", times.dtype), "times that are no times"),
        ("lengths", np.array([count + 1]), "do not fit each other"),
        ("values", arrays["values"] * np.nan, "values that are no numbers"),
        ("is_measured", np.zeros(count, bool), "has no measured step"),
        ("is_stale", np.zeros(count), "does not say which values were measured"),
    ):
        np.savez(run.path / "latest.npz", **arrays | {name: value})
        assert message in refuse(capsys, run, tmp_path)


def test_config_json_of_a_copied_run_is_unchanged(sales, tmp_path):
    """The tests above change copies only."""
    facts = json.loads((sales.path / "config.json").read_text())["data_facts"]
    assert facts["layout"]["frequency"]["count"] == 86_400
    assert facts["file"].endswith("shop.csv")


def test_a_forecast_has_the_flags_that_messages_name_for_it():
    assert {format_flag(name) for name in list_names(FileForm)} == FORECAST_FLAGS
    assert list_names(FileForm) <= list_names(Options)


def write_as_elsewhere(table, folder):
    """Write a table as Western Windows does, and return the flags that name it."""
    path = folder / "ventes.csv"
    table.to_csv(path, index=False, sep=";", decimal=",", date_format="%d.%m.%Y")
    text = path.read_text().replace("visits", "visités")
    path.write_bytes(text.encode("cp1252"))
    return ["--file", str(path)]


def test_a_newer_file_may_be_written_in_another_way(sales, tmp_path, capsys):
    table = make_table()
    expected = forecast(sales, tmp_path, *save(table, tmp_path))
    flags = write_as_elsewhere(table, tmp_path)
    line = refuse(capsys, sales, tmp_path, *flags)
    assert "line 1 is no text in utf-8" in line and "pass its --encoding" in line
    flags += ["--encoding", "cp1252"]
    line = refuse(capsys, sales, tmp_path, *flags)
    assert "line 2, column 'sales'" in line and "pass --decimal ," in line
    flags += ["--decimal", ","]
    line = refuse(capsys, sales, tmp_path, *flags)
    assert "line 2, column 'day'" in line and "pass another --time-format" in line
    rows = forecast(sales, tmp_path, *flags, "--time-format", "day-first")
    assert rows == expected


def test_how_a_file_is_written_needs_a_file(sales, tmp_path, capsys):
    gone = without_file(sales, tmp_path)
    line = refuse(capsys, gone, tmp_path, "--encoding", "cp1252")
    assert "--encoding: describes a file" in line and "the run has kept" in line
    assert "takes iso, day-first" in refuse(
        capsys, sales, tmp_path, "--time-format", "nonsense"
    )
    assert "--encoding 'cp9999': is no encoding" in refuse(
        capsys, sales, tmp_path, *save(make_table(), tmp_path), "--encoding", "cp9999"
    )
