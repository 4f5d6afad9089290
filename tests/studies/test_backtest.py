"""The back-test: folds by hand, no fold reads what follows it, and it goes on."""

import csv
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from recipes import series_linear
from shared.commands.recipe import main as run_recipe
from shared.core.errors import UserError
from shared.data.series.frequency import Frequency
from shared.runs.reader import find_runs, read_predictions
from shared.studies.backtest import folds as folds_module
from shared.studies.backtest.__main__ import main
from shared.studies.backtest.fold_scores import (
    FoldScores,
    average,
    compare_with_best,
    count_wins,
    score_fold,
)
from shared.studies.backtest.fold_tables import describe_folds, format_time
from shared.studies.backtest.folds import (
    Fold,
    Forecasts,
    find_stride,
    leave_out_early,
    read_forecasts,
    split_folds,
)
from shared.studies.backtest.refit import read_coverage
from shared.tasks.score import absolute_error
from shared.tasks.task import MultiStepForecast
from tests.helpers import run_python, start, train_here

HOUR = Frequency("second", 3_600)
TASK = MultiStepForecast(absolute_error("kg"), "sales", naive_error=2.0)
HORIZON, STRIDE = 5, 2
FLAGS = ["--horizon", str(HORIZON), "--lookback", "9", "--epochs", "2",
         "--test-stride", str(STRIDE)]  # fmt: skip


def hours(*numbers):
    return np.datetime64("2024-03-01T00", "s") + np.array(numbers) * np.timedelta64(
        3_600, "s"
    )


def test_folds_are_whole_horizons_and_cover_the_test_part():
    found = split_folds(hours(*range(13)), 3, HOUR, 2)  # 0, 3, 6, 9 and 12 are apart
    assert [(f.number, f.first, f.stop, f.steps) for f in found] == [
        (1, *hours(0, 6), 6),
        (2, hours(6)[0], None, 9),
    ]
    found = split_folds(hours(*range(13)), 3, HOUR, 5)
    assert [f.steps for f in found] == [3, 3, 3, 3, 3]
    with pytest.raises(UserError, match="has 5 forecasts of 3 steps"):
        split_folds(hours(*range(13)), 3, HOUR, 6)


def test_a_fold_begins_with_a_forecast_after_a_gap():
    found = split_folds(hours(0, 2, 4, 20, 22, 24), 3, HOUR, 3)  # apart: 0, 4, 20, 24
    assert [f.first for f in found] == list(hours(0, 4, 20))
    assert [f.steps for f in found] == [4, 16, 7]


def test_months_have_different_lengths():
    months = np.array(
        ["2023-11-30", "2023-12-31", "2024-01-31", "2024-02-29"], "datetime64[s]"
    )
    found = split_folds(months, 2, Frequency("month", 1, 31), 2)
    assert [str(f.first)[:10] for f in found] == ["2023-11-30", "2024-01-31"]
    assert [f.steps for f in found] == [2, 3]


def make_forecasts(*numbers, horizon=3, **more):
    times = hours(*numbers)
    targets = np.arange(len(times) * horizon, dtype=float).reshape(-1, horizon)
    named = {"network": targets + 1, "last value": targets + np.arange(0, 6, 2)}
    ends = times + horizon * np.timedelta64(3_600, "s")
    return Forecasts(TASK, times, ends, targets, named, **more)


def test_a_forecast_that_reaches_into_the_next_fold_is_in_neither():
    forecasts = make_forecasts(*range(9))
    first, second = (
        forecasts.select_fold(f) for f in split_folds(forecasts.times, 3, HOUR, 2)
    )
    assert first.times.tolist() == hours(0).tolist()
    assert second.times.tolist() == hours(3, 4, 5, 6, 7, 8).tolist()
    assert second.named["last value"][0].tolist() == [9, 12, 15]


def test_the_stride_is_that_of_each_series():
    assert find_stride(make_forecasts(0, 4, 12), HOUR) == 4
    series = np.array(["a", "b", "a", "b"])
    assert find_stride(make_forecasts(0, 1, 6, 7, series=series), HOUR) == 6


def test_scores_by_hand():
    forecasts = make_forecasts(0, 4, 8)
    fold = Fold(1, forecasts.times[0], None, 11)
    found = score_fold(fold, forecasts, forecasts.times[2])
    assert found.windows == 3
    assert found.scores["network"] == {"mae": 1, "rmse": 1, "mase": 0.5}
    expected = {"mae": 2, "rmse": math.sqrt(20 / 3), "mase": 1}
    assert found.scores["last value"] == pytest.approx(expected)


def test_the_mean_has_an_interval_from_three_folds_up():
    mean = average([1.0, 2.0, 6.0])
    assert mean.value == 3
    assert mean.half_width == pytest.approx(4.302653 * math.sqrt(7 / 3))
    assert average([1.0, 2.0]).half_width is None


def make_folds(**errors):
    count = len(next(iter(errors.values())))
    return [
        FoldScores(
            Fold(k + 1, hours(k)[0], None, 3),
            hours(k)[0],
            7,
            {name: {"mae": values[k]} for name, values in errors.items()},
        )
        for k in range(count)
    ]


def test_who_wins_and_by_how_much():
    found = make_folds(
        network=[1.0, 2.0, 3.0, 9.0], ridge=[2.0, 4.0, 6.0, 8.0],
        naive=[9.0, 9.0, 9.0, 7.0], oracle=[0.0, 0.0, 0.0, 0.0],
    )  # fmt: skip
    best = frozenset({"oracle"})
    assert count_wins(found, "mae", best) == {"network": 3, "ridge": 0, "naive": 1}
    name, difference = compare_with_best(found, "mae", best)
    assert (name, difference.value) == ("ridge", -1.25)  # -1, -2, -3 and 1
    assert difference.half_width == pytest.approx(3.182446 * math.sqrt(8.75 / 3) / 2)
    text = " ".join(describe_folds(found, TASK.score, best))
    assert "in how many of 4 folds: network 3, ridge 0, naive 1." in text
    assert "Network minus ridge: -1.25 kg on average, 95 % interval -3.968" in text
    assert "the folds show no difference" in text
    text = " ".join(describe_folds(found[:2], TASK.score, best))
    assert "Too few folds for an interval" in text


def test_a_difference_that_the_folds_show():
    found = make_folds(network=[1.0, 2.0, 3.0], ridge=[2.0, 3.1, 3.9])
    assert "the network is better" in describe_folds(found, TASK.score, frozenset())[1]


def test_no_forecast_is_older_than_what_another_series_has_taught(monkeypatch):
    found = make_forecasts(0, 1, 2, 3, 5)
    arrays = {"times": found.times, "targets": found.targets,
              "predictions": found.named["network"],
              "baseline last value": found.named["last value"],
              "series": np.array(["a", "a", "b", "a", "b"])}  # fmt: skip
    monkeypatch.setattr(folds_module, "read_predictions", lambda run: arrays)
    run = SimpleNamespace(task=TASK, summary={"baselines": []})
    every = read_forecasts(run, SimpleNamespace(horizon=3, frequency=HOUR))
    assert (len(every), every.left_out) == (5, 0)
    read = leave_out_early(every)
    assert read.times.tolist() == hours(2, 3, 5).tolist()  # b's test part begins at 2
    assert read.left_out == 2
    assert read.ends.tolist() == hours(5, 6, 8).tolist()
    assert list(read.named) == ["network", "last value"]


def test_times_without_their_zeros():
    texts = ["2024-03-01", "2024-03-01T06:00", "2024-03-01T06:07:08"]
    shown = [format_time(np.datetime64(text, "s")) for text in texts]
    assert shown == ["2024-03-01", "2024-03-01 06:00", "2024-03-01 06:07:08"]


def write_sales(path, change_from=None):
    """Write 243 days of sales; from a row on they may be others."""
    random = np.random.default_rng(0)
    days = np.datetime64("2023-01-02") + np.arange(243)
    sales = 20 + 3 * np.sin(np.arange(243) * 2 * np.pi / 7) + random.normal(size=243)
    if change_from is not None:
        sales[change_from:] = random.uniform(500, 900, 243 - change_from)
    rows = [f"{day},{value:.4f}" for day, value in zip(days, sales, strict=True)]
    path.write_text("\n".join(["day,sales", *rows, ""]))
    return path


def train(file, root, *flags):
    flags = ["--file", str(file), "--results-dir", str(root), *FLAGS, *flags]
    run_recipe(series_linear.Config, series_linear.run, flags)
    (run,) = find_runs(root, "series-linear")
    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backtest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_RECIPES_CACHE", str(folder / "cache"))
        run = train(write_sales(folder / "sales.csv"), folder / "runs")
    return run


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a run that a test may write into. Its test part has 50 days."""
    path = tmp_path / "runs" / "series-linear" / trained.path.name
    shutil.copytree(trained.path, path)
    (copy,) = find_runs(tmp_path / "runs")
    return copy


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.setattr("shared.sweeps.trials.run_workers", train_here)


def read_rows(run):
    with (run.path / "backtest.csv").open() as file:
        return list(csv.DictReader(file))


def find_folds(run, name):
    """Return the runs of the folds, in the order of time."""
    runs = find_runs(run.path / "backtest" / name)
    return sorted(runs, key=lambda one: read_predictions(one)["times"][0])


def refuse(capsys, *arguments):
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_the_saved_forecasts_fold_by_fold(run, capsys):
    main(["series-linear", "--results-dir", str(run.path.parents[1]), "--folds", "3"])
    arrays = read_predictions(run)
    # 50 days; forecasts begin on days 0, 2, ... 44; 0, 6, 12, ... 42 share no day.
    rows = read_rows(run)
    network = [row for row in rows if row["forecast"] == "network"]
    assert [row["windows"] for row in network] == ["4", "7", "8"]
    days = [row[name] for row in network for name in ("first_time", "last_time")]
    first = arrays["times"][0]
    expected = [first + np.timedelta64(d, "D") for d in (0, 10, 12, 28, 30, 48)]
    assert days == [str(day) for day in expected]
    error = np.abs(arrays["predictions"] - arrays["targets"])
    assert float(network[1]["mae"]) == pytest.approx(error[6:13].mean(), rel=1e-6)
    naive = np.abs(arrays["baseline last value"] - arrays["targets"])
    (row,) = [r for r in rows if (r["fold"], r["forecast"]) == ("3", "last value")]
    assert float(row["mae"]) == pytest.approx(naive[15:].mean(), rel=1e-6)
    assert {row["trained"] for row in rows} == {"once"}
    assert not any(name.startswith("covered") for name in rows[0])
    printed = capsys.readouterr().out
    assert "trained once" in printed
    assert "in how many of 3 folds" in printed
    assert (run.path / "backtest.png").stat().st_size > 10_000
    assert not (run.path / "backtest").exists()


def test_the_first_fold_trains_on_what_the_run_has_trained_on(run, in_process):
    main([str(run.path), "--folds", "3"])
    once = read_rows(run)
    weights = {}
    for window in ("expanding", "sliding"):
        main([str(run.path), "--folds", "3", "--refit", "--window", window])
        rows = read_rows(run)
        assert [row["windows"] for row in rows] == [row["windows"] for row in once]
        for row, before in zip(rows[:4], once[:4], strict=True):
            assert (row["fold"], row["forecast"]) == ("1", before["forecast"])
            assert float(row["mae"]) == pytest.approx(float(before["mae"]), rel=1e-5)
        assert rows[4]["mae"] != once[4]["mae"]  # the network of fold 2
        assert 0 <= float(rows[0]["covered_80"]) <= 1
        parts = find_folds(run, f"{window}-3")
        weights[window] = keras.saving.load_model(parts[2].path / "best.keras")
        examples = [part.config["data_facts"]["examples"] for part in parts]
        # 243 days: 145 train, 48 validate. A window of 9 and 5 days fits 132 times.
        more = {"expanding": [0, 12, 30], "sliding": [0, 0, 0]}[window]
        assert [e["train"] for e in examples] == [132 + days for days in more]
        assert [e["validation"] for e in examples] == [22, 22, 22]
        assert [e["test"] for e in examples] == [4, 7, 8]
    kernels = [model.get_weights()[-2] for model in weights.values()]
    assert not np.array_equal(*kernels)


def test_the_folds_follow_each_other_up_to_the_last_row(run, in_process):
    main([str(run.path), "--folds", "4", "--refit"])
    settings = [part.settings for part in find_folds(run, "expanding-4")]
    steps = [one["test_steps"] for one in settings]
    assert sum(steps) == 50
    ends = np.cumsum(steps)[:-1]
    first = np.datetime64("2023-01-02", "s") + np.timedelta64(243 - 50, "D")
    untils = [str(first + np.timedelta64(int(end), "D")) for end in ends]
    assert [one["until"] for one in settings] == [*untils, None]


def test_what_follows_an_origin_moves_neither_weights_nor_forecast(
    run, in_process, tmp_path
):
    main([str(run.path), "--folds", "2", "--refit"])
    fold = find_folds(run, "expanding-2")[1]
    origin = read_predictions(fold)["times"][0]
    row = int((origin - np.datetime64("2023-01-02", "s")) // np.timedelta64(1, "D"))
    file = write_sales(tmp_path / "sales.csv", change_from=row)
    other = train(file, tmp_path / "other")
    main([str(other.path), "--folds", "2", "--refit"])
    changed = find_folds(other, "expanding-2")[1]
    before, after = read_predictions(fold), read_predictions(changed)
    assert before["times"][0] == after["times"][0] == origin
    assert (after["targets"] > 400).all()  # these rows did change
    assert np.array_equal(before["predictions"][0], after["predictions"][0])
    models = [keras.saving.load_model(f.path / "best.keras") for f in (fold, changed)]
    for one, two in zip(*(m.get_weights() for m in models), strict=True):
        assert np.array_equal(one, two)


def write_shops(path, late):
    """Write 200 days of two shops; the last one opens `late` days after the first."""
    random = np.random.default_rng(1)
    rows = [
        f"{np.datetime64('2023-01-02') + day},{shop},{random.normal(30, 5):.3f}"
        for shop, first in (("north", 0), ("west", late))
        for day in range(first, 200)
    ]
    path.write_text("\n".join(["day,shop,sales", *rows, ""]))
    return path


def test_every_series_is_tested_on_the_same_days(in_process, tmp_path, capsys):
    file = write_shops(tmp_path / "shops.csv", late=100)
    run = train(file, tmp_path / "runs", "--series", "shop")
    main([str(run.path), "--folds", "2", "--refit"])
    # north tests days 160 to 199, west 180 to 199. Only the latter are new to both.
    rows = [row for row in read_rows(run) if row["forecast"] == "network"]
    assert [row["first_time"][:10] for row in rows] == ["2023-07-01", "2023-07-07"]
    assert rows[-1]["last_time"][:10] == "2023-07-19"
    assert "forecasts are left out" in capsys.readouterr().out
    for row, fold in zip(rows, find_folds(run, "expanding-2"), strict=True):
        arrays = read_predictions(fold)
        assert int(row["windows"]) == len(arrays["times"])
        assert sorted(set(arrays["series"])) == ["north", "west"]
        assert str(arrays["times"][0]) == row["first_time"]
        assert fold.settings["validation_steps"] == 20  # a fifth of the 100 of west


def test_a_series_that_is_too_short_is_in_no_fold(in_process, tmp_path, capsys):
    file = write_shops(tmp_path / "shops.csv", late=190)
    run = train(file, tmp_path / "runs", "--series", "shop")
    assert any(
        "too short for training, left out (west)" in sentence
        for sentence in run.config["data_facts"]["repairs"]
    )
    main([str(run.path), "--folds", "2"])
    assert "Test mae per fold" in capsys.readouterr().out
    assert (run.path / "backtest.csv").exists()


def test_a_fold_that_is_trained_is_not_trained_again(run, in_process, capsys):
    arguments = [str(run.path), "--folds", "2", "--refit"]
    main(arguments)
    assert "2 folds, 0 of them already trained" in capsys.readouterr().out
    first, second = find_folds(run, "expanding-2")
    main(arguments)
    assert "2 folds, 2 of them already trained" in capsys.readouterr().out
    shutil.rmtree(second.path)
    summary = json.loads((first.path / "summary.json").read_text())
    main(arguments)
    assert "2 folds, 1 of them already trained" in capsys.readouterr().out
    again = find_folds(run, "expanding-2")
    assert again[0].path == first.path
    assert json.loads((first.path / "summary.json").read_text()) == summary
    assert len(again) == 2


def test_a_moved_file_is_named(run, in_process, tmp_path, capsys):
    config = json.loads((run.path / "config.json").read_text())
    moved = tmp_path / "elsewhere, 2.csv"
    shutil.copy(config["data_facts"]["file"], moved)
    gone = tmp_path / "gone.csv"
    config["data_facts"]["file"] = config["settings"]["file"] = str(gone)
    (run.path / "config.json").write_text(json.dumps(config))
    arguments = [run.path, "--folds", "2", "--refit"]
    assert "gone.csv: no such file" in refuse(capsys, *arguments)
    assert not (run.path / "backtest").exists()
    main([*map(str, arguments), "--file", str(moved)])
    assert len(read_rows(run)) == 8
    with moved.open("a") as file:
        file.write("2023-09-02,21.5\n")
    error = refuse(capsys, *arguments, "--file", moved)
    assert f"SHA-256 {run.data_hash[:8]}" in error


def test_what_cannot_be_tested_is_one_line(run, tmp_path, capsys):
    root = run.path.parents[1]
    assert "no such run folder" in refuse(capsys, "series-lin", "--results-dir", root)
    assert "at most 8 folds" in refuse(capsys, run.path, "--folds", "9")
    assert "--folds 1: takes" in refuse(capsys, run.path, "--folds", "1")
    assert "--file: only --refit" in refuse(capsys, run.path, "--file", "a.csv")
    error = refuse(capsys, run.path, "--window", "sliding")
    assert "--window sliding: only --refit" in error
    config, summary = (
        json.loads((run.path / f"{name}.json").read_text())
        for name in ("config", "summary")
    )
    changed = summary | {"state": "interrupted"}
    (run.path / "summary.json").write_text(json.dumps(changed))
    assert "interrupted, without a test" in refuse(capsys, run.path)
    (run.path / "summary.json").write_text(json.dumps(summary))
    del config["data_facts"]["layout"]["frequency"]
    (run.path / "config.json").write_text(json.dumps(config))
    assert "its layout has another form" in refuse(capsys, run.path)
    del config["data_facts"]["layout"]
    (run.path / "config.json").write_text(json.dumps(config))
    assert "forecasts no series with a horizon" in refuse(capsys, run.path)
    assert not list(run.path.glob("backtest*"))


def test_damaged_predictions_are_one_line(run, capsys):
    (run.path / "predictions.npz").write_bytes(b"PK\3\4 no archive")
    assert "no forecasts to score (predictions.npz" in refuse(capsys, run.path)
    (run.path / "predictions.npz").unlink()
    assert "predictions.npz is missing" in refuse(capsys, run.path)


def test_coverage_without_a_usable_table_is_left_out(tmp_path):
    run = SimpleNamespace(path=tmp_path)
    assert read_coverage(run) == {}
    table = tmp_path / "intervals.csv"
    table.write_text("level,step,covered\n0.8,all,0.77\n0.8,1,0.5\n0.95,all,nan\n")
    assert read_coverage(run) == {0.8: 0.77}
    table.write_text("level,step\n0.8,all\n")
    assert read_coverage(run) == {}


def test_a_fold_that_fails_leaves_no_table(run, monkeypatch, capsys):
    def fail(workers, num_workers, threads, report):
        train_here(workers[:1], num_workers, threads, report)
        for worker in workers[1:]:
            worker.status = 2
            worker.tail.append("error: the disk is full.")
            report(worker, "")

    monkeypatch.setattr("shared.sweeps.trials.run_workers", fail)
    with pytest.raises(SystemExit) as end:
        main([str(run.path), "--folds", "2", "--refit"])
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert "1 of 2 folds have no finished run" in printed.err
    assert "stopped with status 2: error: the disk is full." in printed.out
    assert not list(run.path.glob("backtest.*"))


def test_ctrl_c_keeps_the_folds_that_are_done(run, in_process, capsys):
    command = [sys.executable, "-m", "shared.studies.backtest", str(run.path)]
    flags = ["--folds", "3", "--refit", "--workers", "1"]
    process = start([*command, *flags], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("  fold 1 of 3"):
            break
    time.sleep(1)  # the next fold starts
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(timeout=60) == 130
    assert "The same command goes on" in rest
    assert not list(run.path.glob("backtest.*"))
    capsys.readouterr()
    main([str(run.path), *flags])
    assert "3 folds, 1 of them already trained" in capsys.readouterr().out
    assert len(read_rows(run)) == 12


def test_help_needs_no_tensorflow():
    program = (
        "import sys\n"
        "from shared.studies.backtest.__main__ import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "heavy = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr
    assert "--refit" in done.stdout
