"""`make runs` through its command line: what it lists, removes and keeps."""

import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from shared.runs import manage, removal
from shared.runs.manage import main
from shared.runs.reader import find_runs
from tests.compare.test_compare import make_run
from tests.helpers import run_python
from tests.runs.test_runs import open_folder


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Four runs of two recipes, and a way to call the command line on them."""
    make_run(tmp_path, seed=0, units=32)
    make_run(tmp_path, seed=1, units=64, dropout=0.2)
    make_run(tmp_path, seed=2, units=64, state="interrupted")
    make_run(tmp_path, recipe="imdb-lstm", data="imdb-sample", note="[red]$x")

    def call(*flags, says=None):
        if says is not None:
            monkeypatch.setattr("sys.stdin", Terminal(says))
        main([*flags, "--results-dir", str(tmp_path)])

    call.root = tmp_path
    return call


def left(root):
    return sorted((run.recipe, run.seed) for run in find_runs(root))


ALL = [("imdb-gru", 0), ("imdb-gru", 1), ("imdb-gru", 2), ("imdb-lstm", 0)]


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        ([], 4),
        (["imdb-gru"], 3),
        (["--state", "interrupted"], 1),
        (["--data", "imdb-sample"], 1),
        (["--where", "units=64"], 2),
        (["--where", "units=64", "dropout=0.20"], 1),
        (["--older-than", "1"], 0),
        (["--older-than", "0"], 4),
    ],
)
def test_a_run_must_pass_every_filter(runs, capsys, flags, count):
    runs(*flags)
    output = capsys.readouterr().out
    found = re.search(r"^(\d+) runs?, ", output, re.MULTILINE)
    assert (int(found[1]) if found else 0) == count
    assert left(runs.root) == ALL


def test_the_list_shows_scores_state_and_flags_as_text(runs, capsys):
    runs()
    output = capsys.readouterr().out
    for word in ("interrupted", "0.7000", "0.6900", "--units 64", "[red]$x"):
        assert word in output, word


def test_the_age_comes_from_the_folder_name(runs, tmp_path):
    (run,) = find_runs(tmp_path, "imdb-lstm")
    begun = datetime.now(UTC) - timedelta(days=40)
    run.path.rename(run.path.with_name(f"{begun:%Y-%m-%dT%H-%M-%SZ}-seed0"))
    options = manage.Options(results_dir=tmp_path, older_than=30)
    (old,) = manage.pick_runs(options).runs
    assert old.recipe == "imdb-lstm"


def test_only_a_yes_removes(runs, capsys):
    for says in ("\n", "n\n", "", "yesterday\n"):
        runs("--where", "units=64", "--remove", says=says)
        assert "Nothing removed" in capsys.readouterr().out
        assert left(runs.root) == ALL
    runs("--where", "units=64", "--remove", says="y\n")
    assert "Removed 2 runs." in capsys.readouterr().out
    assert left(runs.root) == [ALL[0], ALL[3]]
    assert not [p for p in runs.root.rglob("*") if p.name.startswith(".removing")]


def test_without_a_terminal_removal_needs_a_flag(runs):
    flags = ["-m", "shared.runs.manage", "imdb-lstm", "--remove"]
    flags += ["--results-dir", str(runs.root)]
    done = run_python(*flags)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --remove: 1 run would be removed")
    assert left(runs.root) == ALL
    done = run_python(*flags, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Removed 1 run." in done.stdout
    assert left(runs.root) == ALL[:3]


def test_a_run_in_training_stays(runs, capsys):
    folder = open_folder(runs.root, seed=7)
    runs("imdb-gru", "--remove", "--yes")
    output = capsys.readouterr().out
    assert "Not removed: 1 run still training." in output
    assert "Removed 3 runs." in output
    assert left(runs.root) == [("imdb-gru", 7), ("imdb-lstm", 0)]
    folder.close("finished")
    folder.release()


def test_a_stop_while_removing_leaves_whole_runs_only(runs, monkeypatch, capsys):
    real = removal.shutil.rmtree

    def stop(path):
        (path / "history.csv").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(removal.shutil, "rmtree", stop)
    with pytest.raises(SystemExit) as stopped:
        runs("imdb-gru", "--remove", "--yes")
    assert stopped.value.code == 130
    assert left(runs.root) == ALL[1:]
    assert all(run.history for run in find_runs(runs.root))
    monkeypatch.setattr(removal.shutil, "rmtree", real)
    runs("imdb-gru", "--where", "seed=1", "--remove", "--yes")
    assert len(list((runs.root / "imdb-gru").iterdir())) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--yes"], "--yes"),
        (["--where", "units"], "--where units: takes settings as name=value"),
        (["--where", "unitz=3"], "--where unitz=...: none of these runs"),
        (["--older-than", "-1"], "--older-than"),
        (["imdb-gruu"], "imdb-gruu: no such run folder"),
    ],
)
def test_bad_flags_are_one_line_and_status_2(runs, capsys, flags, message):
    with pytest.raises(SystemExit) as stopped:
        runs(*flags, "--remove") if flags != ["--yes"] else runs(*flags)
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert message in error
    assert error.count("\n") == 1
    assert left(runs.root) == ALL
