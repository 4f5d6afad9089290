"""The back-test: folds by hand, no fold reads what follows it, and it goes on."""

import contextlib
import csv
import io
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
from shared.core.files import hash_file
from shared.data.series.frequency import Frequency
from shared.runs.reader import find_runs, read_predictions
from shared.studies.backtest import folds as folds_module
from shared.studies.backtest.__main__ import main
from shared.studies.backtest.fold_intervals import find_validation, roll_intervals
from shared.studies.backtest.fold_scores import (
    FoldScores,
    average,
    compare_with_best,
    count_wins,
    keep_shared,
    score_fold,
)
from shared.studies.backtest.fold_tables import describe_folds, format_time
from shared.studies.backtest.folds import (
    Fold,
    Forecasts,
    find_stride,
    read_forecasts,
    read_layout,
    split_folds,
)
from shared.studies.backtest.seen_rows import leave_out, leave_out_early
from shared.tasks.score import absolute_error
from shared.tasks.task import MultiStepForecast
from tests.helpers import start, train_here
from tests.undrawn import leave_undrawn

pytestmark = pytest.mark.xdist_group("backtest")  # one process trains what they share

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
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("backtest")


@contextlib.contextmanager
def train_for_all(place):
    """Train what several tests read: in this process, without pictures."""
    with pytest.MonkeyPatch.context() as patch, leave_undrawn():
        patch.setenv("RNN_RECIPES_CACHE", str(place / "cache"))
        patch.setattr("shared.sweeps.trials.run_workers", train_here)
        yield


@pytest.fixture(scope="module")
def trained(place):
    """A run with quantiles. Its test part has 50 days."""
    file = write_sales(place / "sales.csv")
    with train_for_all(place):
        return train(file, place / "runs", "--quantiles", "0.1,0.5,0.9")


@pytest.fixture(scope="module")
def refitted(trained, place):
    """The run with the two folds of an expanding window, and what was printed."""
    (copy,) = copy_run(trained, place / "refitted")
    printed = io.StringIO()
    with train_for_all(place), contextlib.redirect_stdout(printed):
        main([str(copy.path), "--folds", "2", "--refit"])
    return SimpleNamespace(run=copy, rows=read_rows(copy), printed=printed.getvalue())


def copy_run(run, root):
    shutil.copytree(run.path, root / run.recipe / run.path.name)
    return find_runs(root)


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a run that a test may write into."""
    (copy,) = copy_run(trained, tmp_path / "runs")
    return copy


@pytest.fixture
def with_folds(refitted, tmp_path):
    """A copy of the run with its folds, without their table."""
    (copy,) = copy_run(refitted.run, tmp_path / "with folds")
    for path in copy.path.glob("backtest.*"):
        path.unlink()
    return copy


@pytest.fixture
def in_process(monkeypatch, undrawn):
    monkeypatch.setattr("shared.sweeps.trials.run_workers", train_here)


@pytest.fixture
def only_last(monkeypatch, undrawn):
    """Train the last fold, and let the others fail."""

    def train_last(workers, num_workers, threads, report):
        for worker in workers[:-1]:
            worker.status = 2
            report(worker, "")
        train_here(workers[-1:], num_workers, threads, report)

    monkeypatch.setattr("shared.sweeps.trials.run_workers", train_last)


def refuse_to_train(*_):
    raise AssertionError("nothing is left to train")


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
    error = arrays["targets"] - arrays["predictions"][..., 1]
    assert float(network[1]["mae"]) == pytest.approx(abs(error)[6:13].mean(), rel=1e-6)
    naive = abs(arrays["baseline last value"][..., 1] - arrays["targets"])
    (row,) = [r for r in rows if (r["fold"], r["forecast"]) == ("3", "last value")]
    assert float(row["mae"]) == pytest.approx(naive[15:].mean(), rel=1e-6)
    assert {row["trained"] for row in rows} == {"once"}
    printed = capsys.readouterr().out
    assert "trained once" in printed
    assert "in how many of 3 folds" in printed
    assert (run.path / "backtest.png").stat().st_size > 10_000
    assert not (run.path / "backtest").exists()


def test_quantiles_have_their_pinball_loss_in_every_fold(run, undrawn, capsys):
    main([str(run.path), "--folds", "3"])
    arrays = read_predictions(run)
    above = arrays["targets"][..., None] - arrays["predictions"]  # targets above 0
    loss = np.where(above > 0, [0.1, 0.5, 0.9] * above, [-0.9, -0.5, -0.1] * above)
    rows = [row for row in read_rows(run) if row["forecast"] == "network"]
    expected = [loss[part].mean() for part in (slice(4), slice(6, 13), slice(15, None))]
    assert [float(row["pinball"]) for row in rows] == pytest.approx(expected, rel=1e-5)
    # A forecast of one value has half its absolute error: the quantiles are balanced.
    simple = [row for row in read_rows(run) if row["forecast"] == "last value"]
    for row in simple:
        assert float(row["pinball"]) == pytest.approx(float(row["mae"]) / 2, rel=1e-5)
    printed = capsys.readouterr().out
    assert "Test mean pinball loss per fold" in printed
    table = printed.partition("pinball")[2]
    assert all(f"{float(row['pinball']):.4f}" in table for row in rows)


def test_a_model_that_some_fold_lacks_is_in_no_table():
    fold = Fold(1, hours(1)[0], None, 3)
    both = {"network": {"mae": 1.0}, "AutoTheta": {"mae": 2.0}}
    folds = [
        FoldScores(fold, hours(3)[0], 2, both),
        FoldScores(fold, hours(3)[0], 2, {"network": {"mae": 3.0}}),
    ]
    assert [one.scores for one in keep_shared(folds)] == [
        {"network": {"mae": 1.0}}, {"network": {"mae": 3.0}}]  # fmt: skip


def test_the_intervals_of_saved_forecasts_are_those_of_the_run(run, undrawn, capsys):
    whole = read_forecasts(run, read_layout(run))
    found = score_fold(Fold(1, whole.times[0], None, 50), whole, whole.times[-1])
    with (run.path / "intervals.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["forecast"], row["step"]) == ("network", "all")
        ]
    expected = {float(row["level"]): float(row["covered"]) for row in rows}
    assert sorted(expected) == [0.8, 0.95]
    assert found.coverage == pytest.approx(expected, abs=1e-5)
    main([str(run.path), "--folds", "3"])
    lower, upper = whole.intervals[0.8]
    inside = (whole.targets >= lower) & (whole.targets <= upper)
    assert 0 < inside[6:13].mean() < 1
    rows = read_rows(run)
    assert float(rows[4]["covered_80"]) == pytest.approx(inside[6:13].mean(), abs=1e-5)
    assert {row["covered_80"] for row in rows if row["forecast"] != "network"} == {""}
    assert "80% intervals of the network:" in capsys.readouterr().out


def keep_errors(folder, ends, window):
    """Write the errors 0, 1, 2, ... as a run keeps them."""
    errors = np.arange(len(ends), dtype=np.float32)[:, None]
    errors = {"errors_80": errors, "errors_95": errors}
    np.savez(folder / "calibration.npz", ends=ends, window=np.array(window), **errors)


def test_intervals_by_hand(tmp_path):
    """Each is as wide as the largest of the four latest errors before it."""
    times, ends = hours(10, 11, 12), hours(11, 12, 13)
    keep_errors(tmp_path, np.concatenate([hours(7, 8, 9, 10), ends]), window=4)
    layout = SimpleNamespace(target=("sales",), horizon=1, quantiles=())
    targets, predictions = np.array([[7.0], [1.5], [9.0]]), np.array([[5.0]] * 3)
    run = SimpleNamespace(path=tmp_path)
    found = roll_intervals(run, layout, times, ends, targets, predictions)
    lower, upper = found[0.8]
    # The validation part has 0 to 3, and the test part 2, 3.5 and 4.
    assert upper.ravel().tolist() == [8, 8, 8.5]
    assert lower.ravel().tolist() == [2, 2, 1.5]
    assert np.isnan(found[0.95][0]).all()  # it needs 19 earlier forecasts
    named = {"network": predictions}
    forecasts = Forecasts(TASK, times, ends, targets, named, intervals=found)
    scores = score_fold(Fold(1, times[0], None, 3), forecasts, times[-1])
    assert scores.coverage == {0.8: pytest.approx(1 / 3)}


def test_kept_errors_of_the_validation_part_are_told_from_those_of_the_test_part():
    kept = hours(3, 4, 5, 5, 5, 6, 7)  # two of three at hour 5 are of the test part
    found = find_validation(kept, hours(5, 5, 6, 7))
    assert found.tolist() == [True, True, True, False, False, False, False]
    # The run keeps the latest errors. Here all of them are of the test part.
    assert not find_validation(hours(5, 6, 7), hours(4, 5, 5, 6, 7)).any()


@pytest.mark.parametrize("content", [None, b"PK\3\4 no archive"])
def test_a_run_without_usable_errors_has_no_coverage(content, run, undrawn, capsys):
    path = run.path / "calibration.npz"
    path.unlink()
    if content:
        path.write_bytes(content)
    main([str(run.path), "--folds", "2"])
    assert not any(name.startswith("covered") for name in read_rows(run)[0])
    assert "intervals of the network" not in capsys.readouterr().out


def test_the_first_fold_trains_on_what_the_run_has_trained_on(
    refitted, with_folds, only_last
):
    run = with_folds
    main([str(run.path), "--folds", "2"])
    once = read_rows(run)
    rows = refitted.rows
    assert "2 folds, 0 of them already trained" in refitted.printed
    assert [row["windows"] for row in rows] == [row["windows"] for row in once]
    for row, before in zip(rows[:4], once[:4], strict=True):
        assert (row["fold"], row["forecast"]) == ("1", before["forecast"])
        for name in ("mae", "rmse", "mase", "pinball"):
            assert float(row[name]) == pytest.approx(float(before[name]), rel=1e-5)
        assert row["covered_80"] == before["covered_80"]
    assert rows[4]["mae"] != once[4]["mae"]  # the network of fold 2
    assert {row["trained"] for row in rows} == {"expanding"}
    with pytest.raises(SystemExit):  # fold 1 is as above
        main([str(run.path), "--folds", "2", "--refit", "--window", "sliding"])
    (slid,) = find_folds(run, "sliding-2")
    parts = [*find_folds(run, "expanding-2"), slid]
    examples = [part.config["data_facts"]["examples"] for part in parts]
    # 243 days: 145 train, 48 validate. A window of 9 and 5 days fits 132 times.
    assert [e["train"] for e in examples] == [132, 132 + 24, 132]
    assert [e["validation"] for e in examples] == [22, 22, 22]
    assert [e["test"] for e in examples] == [10, 11, 11]
    weights = [load_weights(part) for part in parts[1:]]
    assert not np.array_equal(weights[0][-2], weights[1][-2])


def load_weights(run):
    return keras.saving.load_model(run.path / "best.keras").get_weights()


def test_the_folds_follow_each_other_up_to_the_last_row(refitted):
    settings = [part.settings for part in find_folds(refitted.run, "expanding-2")]
    steps = [one["test_steps"] for one in settings]
    assert sum(steps) == 50
    first = np.datetime64("2023-01-02", "s") + np.timedelta64(243 - 50, "D")
    until = str(first + np.timedelta64(steps[0], "D"))
    assert [one["until"] for one in settings] == [until, None]


def test_what_follows_an_origin_moves_neither_weights_nor_forecast(
    refitted, run, only_last, tmp_path
):
    fold = find_folds(refitted.run, "expanding-2")[1]
    origin = read_predictions(fold)["times"][0]
    row = int((origin - np.datetime64("2023-01-02", "s")) // np.timedelta64(1, "D"))
    file = write_sales(tmp_path / "other.csv", change_from=row)
    change_file(run, file)
    (other,) = find_runs(run.path.parents[1])
    with pytest.raises(SystemExit):  # the first fold is not of interest
        main([str(other.path), "--folds", "2", "--refit"])
    (changed,) = find_folds(other, "expanding-2")
    before, after = read_predictions(fold), read_predictions(changed)
    assert before["times"][0] == after["times"][0] == origin
    assert (after["targets"] > 400).all()  # these rows did change
    assert np.array_equal(before["predictions"][0], after["predictions"][0])
    for one, two in zip(load_weights(fold), load_weights(changed), strict=True):
        assert np.array_equal(one, two)


def change_file(run, file):
    """Let a run say that it has read another file."""
    config = json.loads((run.path / "config.json").read_text())
    config["data_facts"] |= {"file": str(file), "sha256": hash_file(file)}
    config["settings"]["file"] = str(file)
    (run.path / "config.json").write_text(json.dumps(config))


def write_shops(path, **days):
    """Write the sales of shops, each from a first day up to another."""
    random = np.random.default_rng(1)
    rows = [
        f"{np.datetime64('2023-01-02') + day},{shop},{random.normal(30, 5):.3f}"
        for shop, (first, stop) in days.items()
        for day in range(first, stop)
    ]
    path.write_text("\n".join(["day,shop,sales", *rows, ""]))
    return path


@pytest.fixture(scope="module")
def shops(place):
    """A run of two shops, and of a third one that is too short."""
    days = {"north": (0, 200), "west": (100, 200), "tiny": (190, 200)}
    file = write_shops(place / "shops.csv", **days)
    with train_for_all(place):
        return train(file, place / "shops", "--series", "shop", "--epochs", "1")


def test_every_series_is_tested_on_the_same_days(shops, in_process, tmp_path, capsys):
    (run,) = copy_run(shops, tmp_path / "runs")
    main([str(run.path), "--folds", "2", "--refit"])
    # north tests days 160 to 199, west 180 to 199. Only the latter are new to both.
    rows = [row for row in read_rows(run) if row["forecast"] == "network"]
    assert [row["first_time"][:10] for row in rows] == ["2023-07-01", "2023-07-07"]
    assert rows[-1]["last_time"][:10] == "2023-07-19"
    assert "pinball" not in rows[0]
    assert "forecasts are left out" in capsys.readouterr().out
    for row, fold in zip(rows, find_folds(run, "expanding-2"), strict=True):
        arrays = read_predictions(fold)
        assert int(row["windows"]) == len(arrays["times"])
        assert sorted(set(arrays["series"])) == ["north", "west"]
        assert str(arrays["times"][0]) == row["first_time"]
        assert fold.settings["validation_steps"] == 20  # a fifth of the 100 of west


def test_a_series_that_is_too_short_is_in_no_fold(shops, undrawn, tmp_path, capsys):
    (run,) = copy_run(shops, tmp_path / "runs")
    assert any(
        "too short for training, left out (tiny)" in sentence
        for sentence in run.config["data_facts"]["repairs"]
    )
    main([str(run.path), "--folds", "2"])
    assert "Test mase per fold" in capsys.readouterr().out
    rows = [row for row in read_rows(run) if row["forecast"] == "network"]
    # Every second day of each shop has a forecast of 5 days within 6 or 13 days.
    assert [row["windows"] for row in rows] == ["2", "10"]


def test_forecasts_of_held_out_series_follow_what_the_others_have_taught(
    only_last, undrawn, tmp_path, capsys
):
    """North trains up to day 159; west ends before it, and south ends after it."""
    days = {"north": (0, 200), "west": (0, 150), "south": (0, 190)}
    file = write_shops(tmp_path / "shops.csv", **days)
    flags = ["--series", "shop", "--epochs", "1", "--holdout-series", "west,south"]
    run = train(file, tmp_path / "runs", *flags)
    first = np.datetime64("2023-01-02", "s")
    seen = first + np.timedelta64(159, "D")
    assert run.config["data_facts"]["taught_until"] == str(seen)
    forecasts = read_forecasts(run, read_layout(run))
    assert forecasts.times.min() == first + np.timedelta64(120, "D")  # west
    capsys.readouterr()
    main([str(run.path), "--folds", "2"])
    rows = [row for row in read_rows(run) if row["forecast"] == "network"]
    assert all(np.datetime64(row["first_time"]) > seen for row in rows)
    left_out = int(np.count_nonzero(forecasts.times <= seen))
    assert f"{left_out} forecasts are left out" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([str(run.path), "--folds", "2", "--refit"])
    (fold,) = find_folds(run, "expanding-2")
    begins = np.datetime64(rows[1]["first_time"])
    assert np.datetime64(fold.config["data_facts"]["taught_until"]) < begins
    assert sum(read_predictions(fold)["times"] >= begins) == int(rows[1]["windows"])


def test_held_out_series_that_end_too_early_need_a_refit():
    forecasts = make_forecasts(4, 5, 6, 7)
    settings = {"holdout_series": ["west"]}

    def leave(seen, is_refit=False):
        facts = {} if seen is None else {"taught_until": str(hours(seen)[0])}
        run = SimpleNamespace(
            path="runs/series-gru/1", recipe="series-gru", settings=settings,
            config={"data_facts": facts},
        )  # fmt: skip
        return leave_out(run, forecasts, is_refit)

    assert leave(5).times.tolist() == hours(6, 7).tolist()
    assert leave(5, is_refit=True).times.tolist() == hours(6, 7).tolist()
    for seen, message in ((7, "seen rows up to 2024-03-01T07"), (None, "how late")):
        with pytest.raises(UserError, match=message) as error:
            leave(seen)
        assert "Add --refit" in str(error.value)
        assert len(leave(seen, is_refit=True)) == 4
    settings = {"holdout_series": []}
    assert len(leave(None)) == 4  # all series are tested: their first forecasts say it


def test_a_fold_that_is_trained_is_not_trained_again(with_folds, monkeypatch, capsys):
    monkeypatch.setattr("shared.sweeps.trials.run_workers", refuse_to_train)
    before = find_folds(with_folds, "expanding-2")
    main([str(with_folds.path), "--folds", "2", "--refit"])
    assert "2 folds, 2 of them already trained" in capsys.readouterr().out
    after = find_folds(with_folds, "expanding-2")
    assert [(f.path, f.summary) for f in after] == [(f.path, f.summary) for f in before]
    assert len(read_rows(with_folds)) == 8


def test_a_missing_fold_is_trained_from_a_moved_file(
    with_folds, in_process, tmp_path, capsys
):
    run = with_folds
    first, second = find_folds(run, "expanding-2")
    shutil.rmtree(second.path)
    moved = tmp_path / "elsewhere, 2.csv"
    shutil.copy(run.config["data_facts"]["file"], moved)
    config = json.loads((run.path / "config.json").read_text())
    gone = tmp_path / "gone.csv"
    config["data_facts"]["file"] = config["settings"]["file"] = str(gone)
    (run.path / "config.json").write_text(json.dumps(config))
    arguments = [run.path, "--folds", "2", "--refit"]
    assert "gone.csv: no such file" in refuse(capsys, *arguments)
    assert find_folds(run, "expanding-2") == [first]
    main([*map(str, arguments), "--file", str(moved)])
    assert "2 folds, 1 of them already trained" in capsys.readouterr().out
    assert len(read_rows(run)) == 8
    kept, again = find_folds(run, "expanding-2")
    assert (kept.path, kept.summary) == (first.path, first.summary)
    assert again.config["data_facts"]["file"] == str(moved)
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


def test_a_fold_that_fails_leaves_no_table(with_folds, monkeypatch, capsys):
    def fail(workers, num_workers, threads, report):
        for worker in workers:
            worker.status = 2
            worker.tail.append("error: the disk is full.")
            report(worker, "")

    monkeypatch.setattr("shared.sweeps.trials.run_workers", fail)
    shutil.rmtree(find_folds(with_folds, "expanding-2")[1].path)
    with pytest.raises(SystemExit) as end:
        main([str(with_folds.path), "--folds", "2", "--refit"])
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert "1 of 2 folds have no finished run" in printed.err
    assert "stopped with status 2: error: the disk is full." in printed.out
    assert not list(with_folds.path.glob("backtest.*"))


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_the_folds_that_are_done(kind, with_folds, monkeypatch, capsys):
    def interrupt(*_):
        signal.raise_signal(kind)

    monkeypatch.setattr("shared.sweeps.trials.run_workers", interrupt)
    shutil.rmtree(find_folds(with_folds, "expanding-2")[1].path)
    with pytest.raises(SystemExit) as end:
        main([str(with_folds.path), "--folds", "2", "--refit"])
    assert end.value.code == 130
    printed = capsys.readouterr().out
    assert "2 folds, 1 of them already trained" in printed
    assert "The same command goes on" in printed
    assert not list(with_folds.path.glob("backtest.*"))
    assert len(find_folds(with_folds, "expanding-2")) == 1


@pytest.mark.slow
def test_ctrl_c_stops_the_processes(run, in_process, capsys):
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
