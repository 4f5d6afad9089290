"""The memory horizon: what is trained, what is not trained again, what is shown."""

import csv
import dataclasses
import importlib
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from shared.commands.recipe import main as run_recipe
from shared.core.flags import parse
from shared.plots.colours import recipe_colour
from shared.runs.reader import Run, find_runs
from shared.studies.horizon import __main__ as program
from shared.studies.horizon import redraw, train_lags
from shared.studies.horizon.__main__ import main
from shared.studies.horizon.chains import (
    CELLS,
    RULES,
    SETTINGS,
    Chain,
    LagTrial,
    list_chains,
)
from shared.studies.horizon.summary import Horizon, draw, summarise
from shared.sweeps import trials
from shared.sweeps.trials import TrialIndex
from tests.helpers import PROJECT, make_settings, start


def train_here(workers, num_workers, threads, show, *_):
    """Run the trainings' own command lines, but in this process."""
    for worker in workers:
        recipe, *flags = worker.command[1:]
        name = os.path.splitext(os.path.basename(recipe))[0]  # noqa: PTH119, PTH122
        module = importlib.import_module(f"recipes.{name}")
        run_recipe(module.Config, module.run, flags)
        worker.status = 0
        show(worker, "")


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(trials, "run_workers", train_here)


@pytest.fixture
def small(monkeypatch):
    for name, value in {"units": 3, "train_sequences": 64, "batch_size": 32}.items():
        monkeypatch.setitem(SETTINGS, name, value)


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow  # three trainings of up to 600 updates
def test_gated_cells_solve_a_lag_that_simple_rnn_does_not(here, tmp_path):
    flags = ["--tasks", "recall", "--lags", "20", "--epochs", "6", "--no-flow"]
    places = ["--results-dir", str(tmp_path / "runs"), "--to", str(tmp_path / "to")]
    main([*flags, *places])
    rows = {row["cell"]: row for row in read(tmp_path / "to" / "horizon.csv")}
    solved = {cell: row["solved at 20"] for cell, row in rows.items()}
    assert solved == {"simple-rnn": "0/1", "lstm": "1/1", "gru": "1/1"}
    assert [rows[cell]["longest_lag_max"] for cell in CELLS] == ["0", "20", "20"]
    assert {row["updates_allowed"] for row in rows.values()} == {"600"}
    for row in read(tmp_path / "to" / "horizon-runs.csv"):
        assert row["test_without_memory"] == "0.125"
        assert (float(row["test_best"]) >= 0.95) == (row["solved"] == "True")
        assert int(row["updates_used"]) <= 600


def test_a_finished_run_is_not_trained_again(
    here, small, undrawn, tmp_path, monkeypatch, capsys
):
    drawn = []
    monkeypatch.setattr(program, "show_flow", lambda *both: drawn.append(both))
    places = ["--results-dir", str(tmp_path / "runs"), "--to", str(tmp_path / "to")]
    flags = ["--tasks", "recall", "--cells", "gru", "--lags", "5", "--epochs", "1"]
    main([*flags, *places])
    (((run,), to),) = drawn  # how much gradient reaches each step
    assert (run.recipe, to) == ("memory-gru", tmp_path / "to")
    first = read(tmp_path / "to" / "horizon-runs.csv")
    (row,) = first
    assert row["test_without_memory"] == "0.125"
    assert row["solved"] == "False"
    # 64 sequences in batches of 32
    assert (row["updates_used"], row["updates_allowed"]) == ("2", "2")
    (summary,) = read(tmp_path / "to" / "horizon.csv")
    assert (summary["cell"], summary["solved at 5"]) == ("gru", "0/1")
    flags += ["--no-flow"]
    main([*flags, *places])
    assert len(find_runs(tmp_path / "runs")) == 1
    assert "1 trainings, 1 of them already trained" in capsys.readouterr().out
    assert read(tmp_path / "to" / "horizon-runs.csv") == first
    main([*flags, *places, "--seeds", "0-1"])
    assert sorted(run.seed for run in find_runs(tmp_path / "runs")) == [0, 1]
    main([*flags, *places, "--no-train", "--seeds", "1,7"])
    assert [r["seed"] for r in read(tmp_path / "to" / "horizon-runs.csv")] == ["1"]


def make_run(trial, versions, score=None):
    """Return a run as if it were read from the folder of a trial."""
    metric = RULES[trial.chain.task].score.metric
    settings = make_settings(**trial.settings, seed=trial.seed)
    return Run(
        path=PROJECT / f"{trial.lag}-{trial.seed}",
        config={
            "settings": settings.values,
            "roles": settings.roles,
            "changed": {},
            "versions": versions,
        },
        summary={
            "recipe": f"memory-{trial.chain.cell}",
            "seed": trial.seed,
            "test": score if score is None else {"best": {f"test_{metric}": score}},
            "parameters": 7,
        },
        history={"epoch": [1.0, 2.0]},
        state="finished",
    )


def test_a_run_of_other_settings_or_versions_is_another():
    versions = {"keras": "3.15.1"}
    trial = LagTrial(Chain("adding", "gru"), lag=20, seed=1, epochs=3)
    run = make_run(trial, versions)
    assert trial.is_made_by(run, versions)
    assert not trial.is_made_by(run, {"keras": "3.16.0"})
    assert not trial.is_made_by(dataclasses.replace(run, state="interrupted"), versions)
    others = [
        {"seed": 2},
        {"lag": 50},
        {"epochs": 4},
        {"chain": Chain("adding", "lstm")},
    ]
    for change in others:
        assert not dataclasses.replace(trial, **change).is_made_by(run, versions)
    run.config["changed"]["reset_after"] = False  # the trial does not name this flag
    assert not trial.is_made_by(run, versions)


def test_a_command_line_names_every_setting():
    chain = Chain("adding", "lstm", "forget bias 0", {"unit_forget_bias": False})
    command = LagTrial(chain, lag=20, seed=4, epochs=3).command(PROJECT / "a b")
    assert command[1].endswith("recipes/memory_lstm.py")
    assert "--no-unit-forget-bias" in command
    assert command[command.index("--results-dir") + 1] == str(PROJECT / "a b")
    for name, value in SETTINGS.items():
        if name != "epochs":
            flag = "--" + name.replace("_", "-")
            assert command[command.index(flag) + 1] == str(value)


def test_the_recipe_accepts_every_variant():
    chains = list_chains(list(RULES), CELLS, full=True)
    assert len(chains) == len(set(chains)) == 2 * 3 + 3 + 3 + 1 + 3

    for chain in chains:
        module = importlib.import_module(
            f"recipes.memory_{chain.cell.replace('-', '_')}"
        )
        flags = LagTrial(chain, 10, 0, 1).command(PROJECT)[2:]
        config = parse(module.Config, flags[:-2], "p", "")  # without the place
        assert config.memory.task == chain.task


@pytest.mark.parametrize(
    ("task", "good", "bad"),
    [("adding", [1 / 60, 0.0], [0.0168, math.nan]), ("recall", [0.95, 1.0], [0.94])],
)
def test_what_counts_as_solved(task, good, bad):
    assert all(RULES[task].is_solved(value) for value in good)
    assert not any(RULES[task].is_solved(value) for value in bad)


def test_longer_lags_are_left_out_if_no_seed_solves_one(monkeypatch, tmp_path):
    """GRU: seed 1 solves up to 50. SimpleRNN: none solves 10."""
    index = TrialIndex(tmp_path, versions={"keras": "3"})
    trained = []

    def pretend(trials, *_):
        for trial in trials:
            trained.append((trial.chain.cell, trial.lag, trial.seed))
            best = trial.chain.cell == "gru" and trial.seed == 1 and trial.lag <= 50
            made = make_run(trial, index.versions, 0.001 if best else 0.1)
            index.runs.append(made)
        return []

    monkeypatch.setattr(trials, "train_trials", pretend)
    monkeypatch.setattr(index, "read", lambda: None)
    chains = [Chain("adding", "simple-rnn"), Chain("adding", "gru")]
    train_lags.train_missing(chains, (50, 10, 100, 200), [0, 1], 3, index, 2)
    lags = [lag for cell, lag, seed in trained if (cell, seed) == ("gru", 0)]
    assert lags == [10, 50, 100]
    assert [lag for cell, lag, _ in trained if cell == "simple-rnn"] == [10, 10]


def make_horizon(cell, solved, lags):
    """Return a horizon of seeds that solve all lags up to some lag each."""
    chain = Chain("adding", cell)
    runs = {
        lag: [
            make_run(LagTrial(chain, lag, seed, 3), {}, 0.001 if lag <= most else 0.1)
            for seed, most in enumerate(solved)
        ]
        for lag in lags
    }
    return Horizon(chain, 3, runs)


def test_the_summary_by_hand():
    row = summarise(make_horizon("gru", [20, 50, 20], [10, 20, 50]), [10, 20, 50, 100])
    solved = [row[f"solved at {lag}"] for lag in (10, 20, 50, 100)]
    assert solved == ["3/3", "3/3", "1/3", ""]
    assert row["longest_lag_median"] == 20
    assert row["longest_lag_mean"] == 30
    assert (row["longest_lag_min"], row["longest_lag_max"]) == (20, 50)
    assert row["updates_allowed"] == 300
    assert row["updates_used_where_solved_median"] == 200
    none = summarise(make_horizon("lstm", [0, 0], [10]), [10, 20])
    assert none["longest_lag_median"] == 0
    assert none["updates_used_where_solved_median"] == ""


def test_every_seed_is_in_the_picture():
    horizons = [make_horizon("simple-rnn", [0, 10, 10], [10, 20, 50]),
                make_horizon("gru", [50, 20, 50], [10, 20, 50])]  # fmt: skip
    (axis,) = draw(horizons, [10, 20, 50]).axes
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in dots] == [[5, 10, 10], [50, 20, 50]]
    assert axis.get_xscale() == "log"
    assert "without memory 0.1667" in axis.get_title()
    assert len(set(np.concatenate([line.get_ydata() for line in dots]))) == 6


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--lags", "3"], "--lags 3"),
        (["--cells", "rnn"], "--cells"),
        (["--seeds", "a"], "--seeds a"),
        (["--workers", "0"], "--workers 0"),
        (["--no-train"], "Omit --no-train"),
    ],
)
def test_wrong_flags_are_one_line(flags, message, tmp_path, capsys):
    places = ["--results-dir", str(tmp_path / "runs"), "--to", str(tmp_path / "to")]
    with pytest.raises(SystemExit) as exit_:
        main([*flags, *places])
    assert exit_.value.code == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


@pytest.mark.slow
def test_a_stopped_sweep_says_how_to_continue(tmp_path):
    """As a user would, in processes. An unfinished training is not counted."""
    flags = ["--tasks", "adding", "--cells", "gru", "--lags", "4"]
    places = ["--results-dir", str(tmp_path / "runs"), "--to", str(tmp_path / "to")]
    command = [sys.executable, "-m", "shared.studies.horizon", *flags, *places]
    process = start([*command, "--epochs", "100000"], stdout=subprocess.PIPE, text=True)
    while not (runs := find_runs(tmp_path / "runs")) or not runs[0].history:
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "The same command continues from here" in printed
    (stopped,) = find_runs(tmp_path / "runs")
    assert stopped.state == "interrupted"
    trial = LagTrial(Chain("adding", "gru"), lag=4, seed=0, epochs=100_000)
    versions = stopped.config["versions"]
    assert not trial.is_made_by(stopped, versions)
    assert trial.is_made_by(dataclasses.replace(stopped, state="finished"), versions)
    assert not (tmp_path / "to" / "horizon.csv").exists()


def test_the_pictures_come_again_from_the_tables(tmp_path, capsys):
    shutil.copytree(PROJECT / "results" / "horizon", tmp_path / "horizon")
    for picture in (tmp_path / "horizon").glob("*.png"):
        picture.unlink()
    redraw.main([str(tmp_path / "horizon")])
    for name in ("horizon.png", "gradient-flow.png"):
        assert name in capsys.readouterr().out or name == "gradient-flow.png"
        assert (tmp_path / "horizon" / name).read_bytes().startswith(b"\x89PNG")


def test_the_rows_of_the_picture_are_those_of_the_summary():
    folder = PROJECT / "results" / "horizon"
    bars, lags, updates = redraw.read_bars(folder / "horizon-runs.csv")
    with (folder / "horizon.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (lags, updates) == ([10, 20, 50, 100, 200, 400], 4000)
    found = {(bar.task, bar.label): bar.longest for bar in bars}
    assert len(found) == len(rows) == 16
    for row in rows:
        label = ", ".join(filter(None, [row["cell"], row["variant"]]))
        longest = found[row["task"], label]
        assert [min(longest), max(longest)] == [
            int(row["longest_lag_min"]), int(row["longest_lag_max"]),
        ]  # fmt: skip


def test_a_cell_has_the_colour_of_its_recipes():
    horizons = [make_horizon("gru", [10, 10, 20], [10, 20])]
    (axis,) = draw(horizons, [10, 20]).axes
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert {line.get_color() for line in dots} == {recipe_colour("imdb-gru")}


def test_a_folder_without_a_table_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        redraw.main([str(tmp_path)])
    assert exit_.value.code == 2
    assert "there is no horizon-runs.csv" in capsys.readouterr().err
