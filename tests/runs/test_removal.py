"""What removal never touches, and what killed processes have left."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from shared.commands import recipe
from shared.core.roles import Role
from shared.runs import writer
from shared.runs.manage import main
from shared.runs.reader import find_runs, is_locked
from shared.runs.removal import OLD, hold_lock, remove_leftovers, remove_runs
from tests.compare.test_compare import make_run
from tests.runs.test_runs import open_folder, row


def age(path, seconds=OLD + 60):
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


@pytest.mark.parametrize("linked", ["recipe folder", "run folder"])
def test_nothing_behind_a_link_is_removed(tmp_path, capsys, linked):
    run = make_run(tmp_path / "elsewhere")
    kept = make_run(tmp_path / "runs", recipe="imdb-lstm")
    if linked == "recipe folder":
        (tmp_path / "runs" / "imdb-gru").symlink_to(run.parent)
    else:
        (tmp_path / "runs" / "imdb-gru").mkdir()
        (tmp_path / "runs" / "imdb-gru" / run.name).symlink_to(run)
    hidden = run.parent / ".removing-x"
    hidden.mkdir()
    main(["--results-dir", str(tmp_path / "runs"), "--remove", "--yes"])
    output = capsys.readouterr().out
    assert "is reached through a symbolic link" in output
    assert "Removed 1 run." in output
    assert (run / "summary.json").is_file()
    assert hidden.is_dir()
    assert not kept.exists()


def test_a_linked_results_folder_is_the_users_own_choice(tmp_path, capsys):
    run = make_run(tmp_path / "disk")
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    main(["--results-dir", str(tmp_path / "runs"), "--remove", "--yes"])
    assert "Removed 1 run." in capsys.readouterr().out
    assert not run.exists()


def test_a_run_is_in_use_until_its_pictures_are_drawn(tmp_path, capsys):
    folder = open_folder(tmp_path)
    folder.write_progress([row(1)], row(1))
    folder.close("finished", test=None)
    (run,) = find_runs(tmp_path)
    assert run.state == "finished"
    main(["--results-dir", str(tmp_path), "--remove", "--yes"])
    output = capsys.readouterr().out
    assert "is still in use" in output
    assert "Nothing removed" in output
    folder.write_text("late", "picture")
    folder.release()
    assert remove_runs([run]) == (1, [])
    assert not folder.path.exists()


@dataclass(frozen=True)
class Config:
    seed: Annotated[int, Role.SEED] = 0


@pytest.mark.parametrize("fails", [False, True])
def test_a_recipe_keeps_its_lock_until_the_end(tmp_path, monkeypatch, fails):
    seen = []

    def run(config, folder):
        opened = open_folder(tmp_path)
        folder.path, folder._lock = opened.path, opened._lock
        folder.summary = opened.summary
        folder.close("finished")

    def show(folder):
        seen.append(is_locked(folder.path))
        if fails:
            raise KeyError("a picture")

    monkeypatch.setattr(recipe, "_show", show)
    arguments = ("imdb-gru", Config(), run, {}, "", tmp_path)
    if fails:
        with pytest.raises(KeyError):
            recipe.run_to_the_end(*arguments)
    else:
        assert recipe.run_to_the_end(*arguments).parent.parent == tmp_path
    assert seen == [True]
    (saved,) = find_runs(tmp_path)
    assert not (saved.path / ".lock").exists()


def make_leftovers(parent: Path) -> dict[str, Path]:
    run = make_run(parent.parent)
    paths = {name: parent / f"{name}-x" for name in (".opening", ".removing")}
    for path in paths.values():
        path.mkdir()
        (path / "config.json").write_text("{}")
    paths["part"] = run / ".part-x"
    paths["part"].write_text("half")
    return paths


def test_the_next_run_removes_what_kills_have_left(tmp_path):
    paths = make_leftovers(tmp_path / "imdb-gru")
    open_folder(tmp_path)
    assert paths[".opening"].exists()  # too young
    assert paths["part"].exists()
    assert not paths[".removing"].exists()
    for name in (".opening", "part"):
        age(paths[name])
    open_folder(tmp_path)
    assert not any(path.exists() for path in paths.values())
    assert len(find_runs(tmp_path)) == 3


def test_what_a_live_process_uses_stays(tmp_path):
    parent = tmp_path / "imdb-gru"
    paths = {name: age(path) for name, path in make_leftovers(parent).items()}
    with (
        hold_lock(paths[".opening"]),
        hold_lock(paths[".removing"]),
        hold_lock(paths["part"].parent),
    ):
        age(paths[".opening"])
        remove_leftovers(parent)
        assert all(path.exists() for path in paths.values())
    age(paths[".opening"])
    remove_leftovers(parent)
    assert not any(path.exists() for path in paths.values())


def test_leftovers_behind_a_link_stay(tmp_path):
    paths = make_leftovers(tmp_path / "elsewhere" / "imdb-gru")
    for path in paths.values():
        age(path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "imdb-gru").symlink_to(tmp_path / "elsewhere" / "imdb-gru")
    remove_leftovers(tmp_path / "runs" / "imdb-gru")
    (tmp_path / "runs" / "a").mkdir()
    (tmp_path / "runs" / "a" / ".removing-y").symlink_to(paths[".removing"])
    remove_leftovers(tmp_path / "runs" / "a")
    assert all(path.exists() for path in paths.values())


def test_scores_that_overflow_and_long_notes_are_cut(tmp_path):
    folder = open_folder(tmp_path)
    folder.write_progress([row(1) | {"loss": 1e200}], None)
    folder.close("failed", "x" * 5_000_000)
    (run,) = find_runs(tmp_path)
    assert run.summary["last"]["loss"] is None
    assert run.history["loss"] == [float("inf")]
    assert len(run.summary["note"]) == writer.LONGEST_NOTE
