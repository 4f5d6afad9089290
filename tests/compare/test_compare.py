"""Comparing saved runs: which are grouped, which are left out, what is written."""

import csv
import json

import pytest

from shared.compare.__main__ import main
from shared.compare.comparison import COMPARISONS, name_files
from shared.compare.differences import find_differences
from shared.core.errors import UserError
from shared.plots.comparison_figure import draw_comparison
from shared.plots.curves import stack_curves
from shared.runs.groups import choose_runs, group_runs, list_baselines
from tests.helpers import PROJECT, make_settings, run_python
from tests.runs.test_runs import BASELINES, open_folder, row


def make_run(
    root, recipe="imdb-gru", seed=0, data="imdb", accuracies=(0.6, 0.7), **more
):
    """Write a finished run with a history of given validation accuracies.

    More flags have the roles that `roles` names, else those of published recipes.
    """
    roles = more.pop("roles", {})
    folder = open_folder(root, data=data, seed=seed, recipe=recipe)
    rows = [row(k, accuracy) for k, accuracy in enumerate(accuracies, start=1)]
    best = max(rows, key=lambda r: r["val_accuracy"])
    folder.write_progress(rows, best)
    scores = {
        f"test_{name}": best[f"val_{name}"] - 0.01 for name in ("accuracy", "loss")
    }
    state = more.pop("state", "finished")
    folder.close(state, test={"best": scores, "last": scores}, seconds=3.0)
    if more:
        path = folder.path / "config.json"
        config = json.loads(path.read_text())
        config["settings"] |= more
        config["changed"] |= more
        config["roles"] |= make_settings(**more).roles | roles
        path.write_text(json.dumps(config))
    return folder.path


def groups_of(root, *names):
    return group_runs(choose_runs(names, root)[0])


def test_seeds_of_one_experiment_become_one_group(tmp_path):
    for seed in (2, 0, 1):
        make_run(tmp_path, seed=seed)
    (group,) = groups_of(tmp_path)
    assert (group.label, group.data) == ("imdb-gru", "imdb")
    assert [run.seed for run in group.runs] == [0, 1, 2]
    (baseline,) = list_baselines([group])
    assert baseline["name"] == BASELINES[0].name
    for part in ("validation", "test"):
        assert baseline[part] == pytest.approx(getattr(BASELINES[0], part))


def test_other_flags_make_another_group_with_them_in_its_label(tmp_path):
    make_run(tmp_path)
    make_run(tmp_path, units=64)
    labels = [group.label for group in groups_of(tmp_path, "imdb-gru")]
    assert labels == ["imdb-gru", "imdb-gru --units 64"]


def test_a_flag_that_older_runs_lack_counts_only_where_it_was_changed(tmp_path):
    make_run(tmp_path, seed=0)
    newer = make_run(tmp_path, seed=1)
    path = newer / "config.json"
    config = json.loads(path.read_text())
    config["settings"]["clip"] = None
    config["roles"]["clip"] = "training"
    path.write_text(json.dumps(config))
    make_run(tmp_path, seed=2, global_clipnorm=1.0)
    plain, clipped = groups_of(tmp_path)
    assert [run.seed for run in plain.runs] == [0, 1]
    assert (clipped.label, [run.seed for run in clipped.runs]) == (
        "imdb-gru --global-clipnorm 1.0", [2],
    )  # fmt: skip


def test_data_sets_are_never_mixed(tmp_path):
    for data in ("imdb", "imdb-sample", "imdb-limit-2000"):
        make_run(tmp_path, data=data)
    groups = groups_of(tmp_path)
    assert [group.data for group in groups] == [
        "imdb",
        "imdb-limit-2000",
        "imdb-sample",
    ]
    figure = draw_comparison(groups)
    visible = [axis for axis in figure.axes if axis.get_visible()]
    assert len(visible) == 6  # accuracy and loss, a row per data set
    for axis in visible:
        curves = [line for line in axis.lines if line.get_marker() == "o"]
        assert len(curves) == 1


def test_files_of_one_name_but_other_content_are_not_mixed(tmp_path):
    for k, digest in enumerate(("aaaaaaaa11", "bbbbbbbb22", "bbbbbbbb22")):
        path = make_run(tmp_path, seed=k) / "config.json"
        config = json.loads(path.read_text())
        config["data_facts"]["sha256"] = digest
        path.write_text(json.dumps(config))
    groups = groups_of(tmp_path)
    assert [(g.data, len(g.runs)) for g in groups] == [
        ("imdb (aaaaaaaa)", 1), ("imdb (bbbbbbbb)", 2),
    ]  # fmt: skip


def test_only_the_newest_run_of_a_seed_counts(tmp_path):
    make_run(tmp_path, accuracies=(0.1,))
    newest = make_run(tmp_path, accuracies=(0.9,))
    runs, notes = choose_runs([], tmp_path)
    (group,) = group_runs(runs)
    assert [run.path for run in group.runs] == [newest]
    assert "1 older" in notes[0]


def test_a_repeat_named_by_its_folder_is_shown_with_the_newest(tmp_path):
    oldest = make_run(tmp_path, accuracies=(0.1,))
    newest = make_run(tmp_path, accuracies=(0.9,))
    for names in ([str(oldest), "imdb-gru"], ["imdb-gru", str(oldest)],
                  [str(newest), str(oldest)]):  # fmt: skip
        groups = groups_of(tmp_path, *names)
        assert sorted(group.runs[0].path for group in groups) == sorted(
            [oldest, newest]
        )
        assert len(groups) == 2


def test_a_stopped_run_is_never_averaged_with_finished_ones(tmp_path):
    make_run(tmp_path)
    stopped = make_run(tmp_path, seed=1, state="interrupted")
    finished, other = groups_of(tmp_path, "imdb-gru", str(stopped))
    assert [len(finished.runs), len(other.runs)] == [1, 1]
    assert "(interrupted)" in other.label


def test_a_recipe_folder_means_its_recipe(tmp_path):
    make_run(tmp_path)
    assert len(groups_of(tmp_path, str(tmp_path / "imdb-gru"))) == 1


def test_unfinished_runs_are_left_out_with_a_note(tmp_path):
    make_run(tmp_path)
    stopped = make_run(tmp_path, seed=1, state="interrupted")
    chosen, notes = choose_runs([], tmp_path)
    assert [run.state for run in chosen] == ["finished"]
    assert "1 that did not finish" in notes[0]
    (run,), _ = choose_runs([str(stopped)], tmp_path)
    (group,) = group_runs([run])
    assert group.label == f"imdb-gru (interrupted) {stopped.name}"


def test_a_name_without_runs_is_an_error(tmp_path):
    with pytest.raises(UserError, match="Start with make"):
        choose_runs([], tmp_path)
    make_run(tmp_path, recipe="imdb-lstm")
    with pytest.raises(UserError, match="There are runs of: imdb-lstm"):
        choose_runs(["imdb-gru"], tmp_path)
    with pytest.raises(UserError, match="no such run folder"):
        choose_runs(["../../etc"], tmp_path)
    make_run(tmp_path, state="failed")
    with pytest.raises(UserError, match="none of its 1 runs has finished"):
        choose_runs(["imdb-gru"], tmp_path)


def test_baselines_that_read_other_words_are_all_shown_and_named(tmp_path):
    for seed in (0, 1):
        make_run(tmp_path, seed=seed, length=500)
    make_run(tmp_path, length=50)
    names = [baseline["name"] for baseline in list_baselines(groups_of(tmp_path))]
    assert names == [
        "majority class (imdb-gru --length 50)",
        "majority class (imdb-gru --length 500)",
    ]


def set_baseline(path, accuracy):
    summary = json.loads((path / "summary.json").read_text())
    summary["baselines"][0]["test"]["accuracy"] = accuracy
    (path / "summary.json").write_text(json.dumps(summary))


def test_a_new_data_flag_never_shares_a_baseline(tmp_path):
    for level, accuracy in ((0, 0.1287), (5, 0.4167)):
        set_baseline(make_run(tmp_path, level=level, roles={"level": "data"}), accuracy)
    groups = groups_of(tmp_path)
    assert len({group.data for group in groups}) == 1
    assert [(b["name"], b["test"]["accuracy"]) for b in list_baselines(groups)] == [
        ("majority class (imdb-gru --level 0)", 0.1287),
        ("majority class (imdb-gru --level 5)", 0.4167),
    ]
    found = find_differences(*groups)
    assert found.moving == ["--level (0 / 5)"]


def test_runs_that_differ_in_a_new_split_flag_are_never_compared(tmp_path):
    for fold in (1, 2):
        make_run(tmp_path, fold=fold, roles={"fold": "split"})
    assert [group.data for group in groups_of(tmp_path)] == [
        "imdb (--fold 1)",
        "imdb (--fold 2)",
    ]


def test_a_new_computation_flag_separates_no_runs(tmp_path):
    for seed, chunk in ((0, 8), (1, 64)):
        make_run(tmp_path, seed=seed, chunk=chunk, roles={"chunk": "computation"})
    (group,) = groups_of(tmp_path)
    assert (group.label, len(group.runs)) == ("imdb-gru", 2)
    one, other = (group_runs([run])[0] for run in group.runs)
    found = find_differences(one, other)
    assert (found.moving, found.still) == ([], ["--chunk (8 / 64)"])


def test_a_kernel_flag_separates_runs_but_moves_no_expected_score(tmp_path):
    for engine in ("a", "b"):
        make_run(tmp_path, engine=engine, roles={"engine": "kernel"})
    one, other = groups_of(tmp_path)
    assert [one.label, other.label] == ["imdb-gru --engine a", "imdb-gru --engine b"]
    found = find_differences(one, other)
    assert (found.moving, found.still) == ([], ["--engine (a / b)"])


def test_a_metric_that_baselines_or_other_runs_lack_breaks_nothing(tmp_path, capsys):
    """A metric such as AUC has no value for a single example."""
    make_run(tmp_path)
    make_run(tmp_path, seed=1, recipe="imdb-lstm")
    path = make_run(tmp_path, recipe="imdb-auc") / "history.csv"
    header, *rows = path.read_text().splitlines()
    rows = [f"0.9,0.8,{row}" for row in rows]
    path.write_text("\n".join([f"auc,val_auc,{header}", *rows]))
    flags = ["--results-dir", str(tmp_path), "--to", str(tmp_path / "to")]
    main(flags)
    assert "imdb-auc" in capsys.readouterr().out
    (panel,) = [
        axis
        for axis in draw_comparison(groups_of(tmp_path)).axes
        if axis.get_title() == "Validation auc on imdb"
    ]
    curves = [line for line in panel.lines if line.get_marker() == "o"]
    values = [list(line.get_ydata()) for line in curves if len(line.get_ydata())]
    assert values == [[0.8, 0.8]]
    with (tmp_path / "to" / "all-curves.csv").open() as file:
        values = {line["run"]: line["val_auc"] for line in csv.DictReader(file)}
    assert values == {"imdb-auc": "0.8", "imdb-gru": "", "imdb-lstm": ""}


def test_unknown_peak_memory_is_a_dash(tmp_path, capsys):
    """Windows does not report it."""
    for recipe in ("imdb-gru", "imdb-lstm"):
        path = make_run(tmp_path, recipe=recipe) / "summary.json"
        summary = json.loads(path.read_text()) | {"peak_memory_mb": None}
        path.write_text(json.dumps(summary))
    main(["--results-dir", str(tmp_path), "--to", str(tmp_path / "to")])
    output = capsys.readouterr().out
    assert "peak memory" not in output
    assert output.count(" - ") >= 2
    with (tmp_path / "to" / "all.csv").open() as file:
        assert {row["peak_memory_mb_mean"] for row in csv.DictReader(file)} == {""}


def test_baselines_of_several_seeds_are_one(tmp_path):
    for seed, accuracy in ((0, 0.5), (1, 0.6)):
        set_baseline(make_run(tmp_path, seed=seed), accuracy)
    (baseline,) = list_baselines(groups_of(tmp_path))
    assert baseline["test"]["accuracy"] == pytest.approx(0.55)


def test_no_column_is_lost_on_a_narrow_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for seed in range(3):
        make_run(tmp_path, recipe="imdb-bidirectional-lstm", seed=seed)
    main(["--results-dir", str(tmp_path), "--to", str(tmp_path / "to")])
    output = capsys.readouterr().out
    assert "s/epoch" in output
    assert "1.5" in output


def test_curves_of_different_length_line_up(tmp_path):
    make_run(tmp_path, accuracies=(0.5, 0.6, 0.7))
    make_run(tmp_path, seed=1, accuracies=(0.4,))
    (group,) = groups_of(tmp_path)
    epochs, values = stack_curves(group.runs, "val_accuracy")
    assert epochs.tolist() == [1, 2, 3]
    assert values[0].tolist() == [0.5, 0.6, 0.7]
    assert values[1][0] == 0.4
    assert values[1][1] != values[1][1]  # NaN


def test_means_and_standard_deviations_by_hand(tmp_path, capsys):
    make_run(tmp_path, seed=0, accuracies=(0.80, 0.70))
    make_run(tmp_path, seed=1, accuracies=(0.80, 0.84))
    to = tmp_path / "to"
    main(["imdb-gru", "--results-dir", str(tmp_path), "--to", str(to)])
    with (to / "imdb-gru.csv").open() as file:
        line, baseline = csv.DictReader(file)
    assert (baseline["run"], baseline["test_best_mean"], baseline["seeds"]) == (
        "majority class", "0.5", "",
    )  # fmt: skip
    assert line["seeds"] == "0 1"
    assert float(line["best_val_mean"]) == pytest.approx(0.82)
    assert float(line["best_val_sd"]) == pytest.approx(0.02828, abs=1e-5)
    assert float(line["last_val_mean"]) == pytest.approx(0.77)
    assert float(line["best_epoch_mean"]) == pytest.approx(1.5)
    with (to / "imdb-gru-curves.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4
    assert (to / "imdb-gru.png").read_bytes().startswith(b"\x89PNG")
    output = capsys.readouterr().out
    assert "majority class" in output
    assert "imdb-gru.png" in output


def test_a_run_without_any_valid_epoch_is_shown_not_hidden(tmp_path, capsys):
    folder = open_folder(tmp_path, data="imdb")
    folder.write_progress([row(1, float("nan"))], None)
    folder.close("finished", test=None)
    main(["--results-dir", str(tmp_path), "--to", str(tmp_path / "to")])
    assert "imdb-gru" in capsys.readouterr().out


def test_hostile_labels_are_only_text(tmp_path, capsys):
    make_run(tmp_path, note="[red]$x_{$</script>")
    main(["--results-dir", str(tmp_path), "--to", str(tmp_path / "to")])
    output = capsys.readouterr().out
    assert "[red]$x_{$" in output
    assert "script>" in output


def test_comparing_never_imports_tensorflow(tmp_path):
    for k in range(3):
        make_run(tmp_path, seed=k)
    program = (
        "import sys\n"
        "from shared.compare.__main__ import main\n"
        f"main(['--results-dir', {str(tmp_path)!r}, '--to', {str(tmp_path)!r}])\n"
        "heavy = {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = run_python("-c", program)
    assert done.returncode == 0, done.stderr


def test_a_bad_name_is_one_line_and_status_2(tmp_path):
    done = run_python(
        "-m", "shared.compare", "imdb-gruu", "--results-dir", str(tmp_path)
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: imdb-gruu")
    assert done.stderr.count("\n") == 1


def test_file_names_are_safe(tmp_path):
    name = name_files(("../a b/", "x" * 200))
    assert "/" not in name
    assert len(name) <= 80
    assert name_files(()) == "all"
    assert PROJECT in COMPARISONS.parents
