"""`make sweep`: nothing is trained twice, a search tests only what it chose."""

import json
import math
import re

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.report.sweeps import read_sweeps
from shared.runs.reader import find_runs
from shared.studies.sweep import train as train_module
from shared.studies.sweep.__main__ import main
from shared.studies.sweep.files import parse_budget, read_file
from shared.studies.sweep.folder import SweepFolder
from shared.studies.sweep.plan import make_plan
from shared.studies.sweep.space import Range, draw, make_changes, read_space
from tests.helpers import train_here

SMALL = ["--grid", "train_windows=64", "--grid", "validation_windows=32", "--grid",
         "test_windows=32", "--grid", "epochs=1"]  # fmt: skip


MILLION = "units=" + ",".join(map(str, range(1_000_000)))


@pytest.fixture
def trained(monkeypatch, undrawn):
    """Labels of what is trained, in this process."""
    labels = []

    def count(workers, num_workers, threads, report, pruner=None):
        def watch():
            for worker in workers:
                labels.append(worker.label)
                # Only a search prunes; what it chose is trained to its end.
                assert pruner is None or "fresh" not in worker.label
                yield worker

        train_here(watch(), num_workers, threads, report)

    monkeypatch.setattr(train_module, "run_workers", count)
    return labels


def sweep(tmp_path, *flags):
    places = ["--results-dir", str(tmp_path / "runs"), "--to", str(tmp_path / "to")]
    main([*flags, *SMALL, *places])


def test_a_grid_is_trained_once_and_can_grow(trained, tmp_path, capsys):
    sweep(tmp_path, "sum-gru", "--grid", "units=2,3")
    assert trained == ["sum-gru --units 2, seed 0", "sum-gru --units 3, seed 0"]
    sweep(tmp_path, "sum-gru", "--grid", "units=2,3")
    assert len(trained) == 2
    assert "2 trials, 2 of them already trained" in capsys.readouterr().out
    sweep(tmp_path, "sum-gru", "--grid", "units=2,3,4", "--seeds", "0-1")
    assert len(trained) == 6
    assert len(set(trained)) == 6
    runs = find_runs(tmp_path / "runs")
    assert {(run.settings["units"], run.seed) for run in runs} == {
        (units, seed) for units in (2, 3, 4) for seed in (0, 1)
    }
    assert all(run.summary["test"] for run in runs)
    page = (tmp_path / "to" / "sum-gru" / "index.html").read_text()
    assert "Slice: units" in page
    (report_part,) = read_sweeps(tmp_path / "to")[0]
    assert [row.values["units"] for row in report_part.parts[0].rows].count(4) == 2
    bare = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["']?https?:""", bare)  # loads nothing
    capsys.readouterr()
    main(["--status", "sum-gru", "--results-dir", str(tmp_path / "runs"), "--to",
          str(tmp_path / "to")])  # fmt: skip
    assert "6 done, 0 running, 0 failed, 0 missing" in capsys.readouterr().out


def test_what_is_left_of_a_stopped_sweep_is_trained(
    undrawn, tmp_path, monkeypatch, capsys
):
    labels = []

    def stop_after_one(workers, num_workers, threads, report, pruner=None):
        for worker in workers:
            train_here([worker], num_workers, threads, report)
            labels.append(worker.label)
            if len(labels) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(train_module, "run_workers", stop_after_one)
    with pytest.raises(SystemExit) as exit_:
        sweep(tmp_path, "sum-gru", "--grid", "units=2,3")
    assert exit_.value.code == 130
    assert "The same command continues from here" in capsys.readouterr().out
    sweep(tmp_path, "sum-gru", "--grid", "units=2,3")
    assert len(labels) == len(set(labels)) == 2
    assert len(find_runs(tmp_path / "runs")) == 2


def test_a_search_tests_only_what_it_chose(trained, tmp_path, capsys):
    flags = ["--search", "random", "--trials", "3", "--range", "units=2:9",
             "--confirm-seeds", "10-11", "--prune"]  # fmt: skip
    sweep(tmp_path, "sum-gru", *flags)
    runs = find_runs(tmp_path / "runs")
    searched = [run for run in runs if run.seed == 0]
    fresh = [run for run in runs if run.seed != 0]
    assert all(run.summary["test"] is None for run in searched)
    assert all(run.summary["test"] is not None for run in fresh)
    assert not any((run.path / "predictions.npz").exists() for run in searched)
    best = min(run.summary["best"]["val_mse"] for run in searched)
    chosen = [r for r in searched if r.summary["best"]["val_mse"] == best]
    units = chosen[0].settings["units"]
    assert {(r.settings["units"], r.seed) for r in fresh} == {
        (u, seed) for u in (units, 64) for seed in (10, 11)
    }
    text = capsys.readouterr().out
    assert f"It won the search with val_mse {best:.4f}." in text
    mean = np.mean([r.summary["best"]["val_mse"] for r in fresh
                    if r.settings["units"] == units])  # fmt: skip
    assert f"On 2 fresh seeds its mean is {mean:.4f}" in text
    assert f"was {abs(mean - best):.4f} " in text
    assert "On the test set: the " in text
    assert "the defaults" in text.partition("On the test set: ")[2]
    count = len(trained)
    sweep(tmp_path, "sum-gru", *flags)  # all of it is there
    assert len(trained) == count
    sweep(tmp_path, "sum-gru", *flags[:3], "4", *flags[4:])
    searched = [label for label in trained if "fresh" not in label]
    assert len(searched) == len(set(searched)) <= 4  # some draws may be equal
    page = (tmp_path / "to" / "sum-gru" / "index.html").read_text()
    assert "that part was luck of its seed" in page
    (saved,) = read_sweeps(tmp_path / "to")[0]
    assert saved.confirmed[0].validation == (best, None)
    assert saved.confirmed[0].test is None
    chosen, usual = saved.confirmed[1:]
    assert chosen.validation[0] == pytest.approx(mean)
    assert chosen.test[0] == pytest.approx(
        np.mean([r.summary["test"]["best"]["test_mse"] for r in fresh
                 if r.settings["units"] == units])
    )  # fmt: skip
    assert (chosen.seeds, usual.seeds) == (2, 2)


@pytest.mark.slow
def test_tpe_goes_on_with_what_it_learnt(trained, tmp_path):
    pytest.importorskip("optuna")
    flags = ["--search", "tpe", "--range", "units=2:90", "--confirm-seeds", "none"]
    sweep(tmp_path, "sum-gru", *flags, "--trials", "2")
    assert len(trained) == 2
    sweep(tmp_path, "sum-gru", *flags, "--trials", "2")
    assert len(trained) == 2
    sweep(tmp_path, "sum-gru", *flags, "--trials", "3")
    assert len(trained) == 3
    assert (tmp_path / "to" / "sum-gru" / "optuna.db").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "No recipe named"),
        (["no-such"], "no-such: no such recipe"),
        (["sum-gru", "--grid", "unitz=1,2"], "sum-gru has no flag --unitz"),
        (["sum-gru", "--grid", "units"], "takes NAME=VALUES"),
        (["sum-gru", "--grid", "units=two"], "--units"),
        (["sum-gru", "--grid", "units=0"], "--units 0"),
        (["sum-gru", "--grid", "seed=1,2"], "use --seeds"),
        (["sum-gru", "imdb-gru", "--grid", "vocabulary=9"], "sum-gru has no flag"),
        (["sum-gru", "--range", "units=2:9"], "a grid takes values"),
        (["sum-gru", "--search", "random", "--range", "units=9:2"], "smaller number"),
        (["sum-gru", "--search", "random", "--range", "dropout=0:1:log"], "above 0"),
        (["sum-gru", "--search", "random", "--seeds", "0-1"], "one seed"),
        (["sum-gru", "imdb-gru", "--search", "random"], "takes one recipe"),
        (["sum-gru", "--search", "random", "--confirm-seeds", "0-3"], "never saw"),
        (["sum-gru", "--prune"], "--prune: belongs to --search"),
        (["sum-gru", "--budget", "soon"], "takes a time"),
        (["sum-gru", "--address", "auto"], "belongs to --on ray"),
        (["sum-gru", "--name", "../x"], "takes a short name"),
        (["--status", "nothing"], "no such sweep"),
        (
            ["sum-gru", "--seeds", "0-999", "--grid",
             "units=" + ",".join(map(str, range(1, 12)))],
            "11,000 trials",
        ),
        (["sum-gru", "--grid", MILLION], "1,000,000 trials"),
        (["sum-gru", "--search", "random", "--grid", MILLION], "1,000,000 values"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_trains_nothing(
    flags, message, trained, tmp_path, capsys
):
    places = ["--results-dir", str(tmp_path / "runs"), "--to", str(tmp_path / "to")]
    with pytest.raises(SystemExit) as exit_:
        main([*flags, *places])
    assert exit_.value.code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert trained == []
    assert not (tmp_path / "to").exists()


def test_two_sweeps_in_one_folder_are_refused(trained, tmp_path, capsys):
    sweep(tmp_path, "sum-gru", "--grid", "units=2")
    with pytest.raises(SystemExit) as exit_:
        sweep(tmp_path, "sum-gru", "--grid", "units=3", "--grid", "batch_size=8")
    assert exit_.value.code == 2
    assert "holds another sweep" in capsys.readouterr().err
    folder = SweepFolder(tmp_path / "to" / "sum-gru")
    with folder.hold():
        assert folder.is_running()
        with pytest.raises(SystemExit) as exit_:
            sweep(tmp_path, "sum-gru", "--grid", "units=2")
    assert exit_.value.code == 2
    assert "works on this sweep now" in capsys.readouterr().err
    assert len(trained) == 1
    sweep(tmp_path, "sum-gru", "--grid", "units=2")  # nothing was lost


def test_a_recipe_that_always_fails_is_given_up(tmp_path, monkeypatch, capsys):
    started = []

    def fail(workers, num_workers, threads, report, pruner=None):
        for worker in workers:
            started.append(worker.label)
            worker.tail.append("error: no file")
            worker.status = 2
            report(worker, "")

    monkeypatch.setattr(train_module, "run_workers", fail)
    with pytest.raises(SystemExit) as exit_:
        sweep(tmp_path, "sum-gru", "--seeds", "0-9")
    assert exit_.value.code == 2
    assert len(started) == 3
    text = capsys.readouterr()
    assert "sum-gru: its first 3 trials all failed" in text.out
    assert text.err.count("\n") == 3
    main(["--status", "sum-gru", "--results-dir", str(tmp_path / "runs"), "--to",
          str(tmp_path / "to")])  # fmt: skip
    assert "0 done, 0 running, 3 failed, 7 missing" in capsys.readouterr().out


def test_ranges_by_hand():
    assert Range(0.0, 0.5).at(0.5) == 0.25
    assert Range(1e-4, 1e-2, is_log=True).at(0.5) == 0.001
    assert [Range(4, 64, True, True).at(s) for s in (0, 0.5, 1)] == [4, 16, 64]


def test_a_random_search_draws_the_same_again_and_grows():
    space = {"units": Range(2, 100, False, True), "optimizer": ["adam", "sgd"]}
    first = [draw(space, 0, k) for k in range(20)]
    assert first == [draw(space, 0, k) for k in range(20)]
    assert draw(space, 1, 0) != first[0]
    assert {d["optimizer"] for d in first} == {"adam", "sgd"}
    assert all(2 <= d["units"] <= 100 for d in first)


def test_values_have_the_types_of_the_flags():
    space = read_space("imdb-gru", ["units=2,3", "mask=true,false", "dropout=0,0.2",
                                    "patience=None,3"], [])  # fmt: skip
    assert space == {"units": [2, 3], "mask": [True, False], "dropout": [0.0, 0.2],
                     "patience": [None, 3]}  # fmt: skip
    assert make_changes("imdb-gru", {"units": 32, "mask": True}) == {"mask": True}


def test_a_search_without_ranges_tries_the_usual_flags():
    plan = make_plan("", ["weather-gru"], "0", [], [], "random")
    space = plan.spaces["weather-gru"]
    assert {"learning_rate", "units", "dropout"} <= space.keys()
    rate = space["learning_rate"]
    assert math.isclose(rate.high / rate.low, 100)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("45s", 45)]
)
def test_budgets(text, seconds):
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["2", "h", "2d", "-1h", "0s"])
def test_other_budgets_are_refused(text):
    with pytest.raises(UserError, match="takes a time"):
        parse_budget(text)


def test_a_budget_that_is_over_starts_nothing(trained, tmp_path, monkeypatch, capsys):
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(train_module.time, "monotonic", lambda: next(clock))
    sweep(tmp_path, "sum-gru", "--seeds", "0-5", "--budget", "250s")
    assert len(trained) < 6
    assert "no more trainings start" in capsys.readouterr().out


def test_a_file_is_the_same_as_flags(tmp_path):
    path = tmp_path / "imdb.toml"
    path.write_text(
        'recipes = ["imdb-gru", "imdb-lstm"]\nseeds = "0-4"\nyes = true\n'
        '[grid]\nunits = [16, 32]\n[range]\nlearning_rate = [1e-4, 0.01, "log"]\n'
    )
    assert read_file(path) == [
        "imdb-gru", "imdb-lstm", "--name", "imdb", "--grid", "units=16,32", "--range",
        "learning_rate=0.0001:0.01:log", "--seeds", "0-4", "--yes",
    ]  # fmt: skip
    path.write_text("recipes = [")
    with pytest.raises(UserError, match=r"imdb\.toml"):
        read_file(path)


def test_the_plan_is_saved_with_its_flags(trained, tmp_path):
    sweep(tmp_path, "sum-gru", "--grid", "units=2")
    facts = json.loads((tmp_path / "to" / "sum-gru" / "sweep.json").read_text())
    assert facts["plan"]["fixed"]["sum-gru"]["units"] == 2
    assert facts["flags"][0] == "sum-gru"
