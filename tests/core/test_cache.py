"""The cache: what it gives back, what it refuses, and that it may be missing."""

import errno
import json
import os

import numpy as np
import platformdirs
import pytest

from shared.core import cache
from shared.core.cache import main, read_cached, write_cached

ARRAYS = {"tokens": np.arange(5), "facts": np.array("a fact")}
FACTS = {"milliseconds": {"keras": 1.5, "compiled": 0.5}, "cores": 2}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_RECIPES_CACHE", str(tmp_path / "cache"))
    cache._leave_out.cache_clear()
    return tmp_path / "cache"


def same(content):
    return content


def test_the_cache_gives_back_what_it_got(folder, capsys):
    write_cached("baselines/a.npz", ARRAYS)
    write_cached("kernels/b.json", FACTS)
    arrays = read_cached("baselines/a.npz", same)
    assert arrays.keys() == ARRAYS.keys()
    assert arrays["tokens"].tolist() == [0, 1, 2, 3, 4]
    assert read_cached("kernels/b.json", same) == FACTS
    assert read_cached("kernels/c.json", same) is None
    assert capsys.readouterr().out == ""


def alter_arrays(path):
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["tokens"] = -arrays["tokens"]
    np.savez(path, **arrays)


def alter_facts(path):
    facts = json.loads(path.read_text())
    facts["milliseconds"]["keras"] = "fast"
    path.write_text(json.dumps(facts))


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def nest(path):
    path.write_text("[" * 100_000)


@pytest.mark.parametrize("damage", [alter_arrays, alter_facts, cut, nest])
def test_a_damaged_file_is_told_in_one_line_and_not_used(folder, capsys, damage):
    name = "a.json" if damage in (alter_facts, nest) else "a.npz"
    write_cached(name, FACTS if name == "a.json" else ARRAYS)
    damage(folder / name)
    assert read_cached(name, same) is None
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{folder / name}: damaged")


def test_content_that_cannot_be_right_is_damage(folder, capsys):
    write_cached("a.json", FACTS)
    assert read_cached("a.json", lambda content: content["none"]) is None
    assert "damaged" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a.json", "a.npz"])
def test_a_file_of_another_format_is_left_silently(folder, capsys, name):
    folder.mkdir()
    if name == "a.json":  # as version 0.1 wrote them
        (folder / name).write_text(json.dumps(FACTS))
    else:
        np.savez(folder / name, **ARRAYS)
    assert read_cached(name, same) is None
    assert capsys.readouterr().out == ""


def fill(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "place", ["a file", "a full disk", "a strange user", "no home"]
)
def test_a_folder_that_cannot_be_used_is_left_out(
    folder, tmp_path, monkeypatch, capsys, place
):
    if place == "a file":
        folder.write_text("mine")
    if place == "a full disk":
        monkeypatch.setattr(cache, "write_whole", fill)
    if place == "a strange user":
        monkeypatch.setenv("RNN_RECIPES_CACHE", "~no-such-user/cache")
    if place == "no home":

        def fail(_):
            raise RuntimeError

        monkeypatch.delenv("RNN_RECIPES_CACHE")
        monkeypatch.setattr(platformdirs, "user_cache_path", fail)
    for _ in range(2):
        write_cached("a.npz", ARRAYS)
        assert read_cached("a.npz", same) is None
    main()
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("Not cached (")
    assert last.startswith(("Removed 0", "No cache folder"))


def test_what_a_killed_process_left_is_removed(folder):
    for place in ("baselines", "kernels"):
        (folder / place).mkdir(parents=True)
    old = folder / "baselines" / ".part-abcdefgh-x.npz"
    new = folder / "baselines" / ".part-12345678-x.npz"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    write_cached("baselines/a.npz", ARRAYS)
    assert not old.exists()
    assert new.exists()


def test_only_what_the_suite_wrote_is_removed(folder, capsys):
    for name in (
        "baselines/reviews-1.npz", "kernels/2.json", "imdb-3-v1.npz",
        ".part-abcdefgh-imdb-3-v1.npz", "texts-4-v2.npz",
    ):  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text("x")
    (folder / "thesis.txt").write_text("mine")
    (folder / "imdb.npz").write_text("mine")
    main()
    assert sorted(path.name for path in folder.iterdir()) == ["imdb.npz", "thesis.txt"]
    assert "Removed 5" in capsys.readouterr().out


def test_no_cache_is_no_error(folder, capsys):
    main()
    assert "Removed 0" in capsys.readouterr().out
