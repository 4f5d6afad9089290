"""The index of run folders: what has changed is read again, and nothing else.

The runs are those of `test_damaged_runs`.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from shared.core import store
from shared.runs import index, reader
from shared.runs.reader import LOCK, scan_runs
from tests.helpers import start
from tests.runs.test_damaged_runs import DAMAGES, TODAY, copy_run, edit

RECIPE = TODAY.parent.name


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Files that have just been written count as settled."""
    monkeypatch.setattr(index, "SETTLED", 0)


@pytest.fixture
def root(tmp_path):
    for seed in (1, 2, 3):
        copy_run(tmp_path / "runs", seed)
    return tmp_path / "runs"


@pytest.fixture
def read(monkeypatch):
    """Names of the folders whose files were read."""
    names = []
    real = index.read_content

    def note(path):
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(index, "read_content", note)
    return names


def scan_without(root, monkeypatch):
    """Scan with an empty cache folder."""
    with monkeypatch.context() as patched:
        patched.setenv("RNN_RECIPES_CACHE", str(root.parent / "empty"))
        found = scan_runs(root)
    shutil.rmtree(root.parent / "empty", ignore_errors=True)
    return found


def describe(found):
    """All that a scan tells, with each field that `==` leaves out."""
    runs = [
        (r.path, r.config, r.summary, r.history, r.state, r.problems, r.kernels)
        for r in found.runs
    ]
    return repr(runs), found.unreadable  # NaN equals NaN in a text


def list_files(tmp_path):
    return sorted((tmp_path / "cache" / "index").glob("*"))


def test_a_second_scan_reads_no_run_and_finds_the_same(root, read):
    first = scan_runs(root)
    assert len(read) == len(first.runs) == 3
    second = scan_runs(root)
    assert len(read) == 3
    assert describe(second) == describe(first)
    assert second.runs[0].kernels["ran"]
    assert second.runs[0].history["epoch"] == [1.0, 2.0]


def test_a_changed_run_is_read_again_even_with_its_old_size_and_time(root, read):
    scan_runs(root)
    path = scan_runs(root).runs[1].path / "summary.json"
    before = path.stat()
    text = path.read_text()
    seconds = json.loads(text)["seconds"]
    longer = f"{9.0:0<{len(str(seconds))}}"  # 9.000
    changed = text.replace(f'"seconds": {seconds}', f'"seconds": {longer}')
    assert len(changed) == len(text)
    assert changed != text
    with path.open("r+") as file:  # the same inode
        file.write(changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    read.clear()
    run = scan_runs(root).runs[1]
    assert read == [run.path.name]
    assert run.summary["seconds"] == 9.0


def test_a_removed_run_is_gone_from_the_index_too(root, read, tmp_path):
    gone = scan_runs(root).runs[0].path
    kept = tmp_path / "kept"
    gone.rename(kept)
    assert len(scan_runs(root).runs) == 2
    read.clear()
    kept.rename(gone)
    assert len(scan_runs(root).runs) == 3
    assert read == [gone.name]


def test_a_new_run_is_the_only_one_that_is_read(root, read):
    scan_runs(root)
    read.clear()
    new = copy_run(root, 4)
    assert [run.seed for run in scan_runs(root).runs] == [1, 2, 3, 4]
    assert read == [new.name]


def test_a_run_that_trains_and_ends_is_told_right_each_time(root, read):
    folder = scan_runs(root).runs[0].path
    edit(folder / "summary.json", lambda s: s.update(state="unfinished"))

    def find_state():
        return scan_runs(root).runs[0].state

    with FileLock(folder / LOCK):
        assert find_state() == find_state() == "running"
        read.clear()
        assert find_state() == "running"
    assert find_state() == "interrupted"
    assert read == []  # the lock alone has changed
    edit(folder / "summary.json", lambda s: s.update(state="finished"))
    assert find_state() == "finished"


def test_a_run_that_ends_between_its_files_and_its_lock(root, monkeypatch):
    folder = scan_runs(root).runs[0].path
    edit(folder / "summary.json", lambda s: s.update(state="unfinished"))
    scan_runs(root)

    def end(path):
        edit(path / "summary.json", lambda s: s.update(state="finished"))
        return False

    monkeypatch.setattr(reader, "is_locked", end)
    assert scan_runs(root).runs[0].state == "finished"


def test_a_run_that_has_just_changed_is_not_remembered(root, read, monkeypatch):
    monkeypatch.setattr(index, "SETTLED", 3_600_000_000_000)
    assert [run.stamp for run in scan_runs(root).runs] == ["", "", ""]
    scan_runs(root)
    assert len(read) == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-40] + bytes(40),
        lambda content: content + b"x",
        lambda content: b"{}",
    ],
)
def test_a_damaged_index_is_made_again_without_a_word(
    root, read, tmp_path, damage, capsys
):
    first = scan_runs(root)
    (path,) = list_files(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert describe(scan_runs(root)) == describe(first)
    assert len(read) == 6
    scan_runs(root)
    assert len(read) == 6
    assert capsys.readouterr() == ("", "")


def test_another_version_of_the_code_reads_all_again(root, read, monkeypatch):
    scan_runs(root)
    monkeypatch.setattr(index, "identify_code", lambda *rooms: "another")
    scan_runs(root)
    assert len(read) == 6


def test_code_that_changes_gets_another_identity(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SHARED", tmp_path)
    (tmp_path / "room").mkdir()
    file = tmp_path / "room" / "x.py"
    identities = set()
    for text in ("a = 1", "a = 2"):
        file.write_text(text)
        store.identify_code.cache_clear()
        identities.add(store.identify_code("room"))
    store.identify_code.cache_clear()
    assert len(identities) == 2


def test_without_a_usable_cache_folder_all_is_read(
    root, read, tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RNN_RECIPES_CACHE", str(tmp_path / "file" / "below"))
    assert describe(scan_runs(root)) == describe(scan_runs(root))
    assert len(read) == 6
    assert capsys.readouterr() == ("", "")


def test_nothing_is_written_into_the_folder_of_runs(root):
    before = sorted(root.rglob("*"))
    for path in (root, *root.glob("*"), *root.glob("*/*")):
        path.chmod(0o555)
    try:
        assert len(scan_runs(root).runs) == len(scan_runs(root).runs) == 3
        assert sorted(root.rglob("*")) == before
    finally:
        for path in (root, *root.glob("*"), *root.glob("*/*")):
            path.chmod(0o755)


def test_a_link_to_a_file_is_followed_each_time(root, read, tmp_path):
    path = scan_runs(root).runs[0].path / "summary.json"
    path.rename(tmp_path / "summary.json")
    path.symlink_to(tmp_path / "summary.json")
    assert scan_runs(root).runs[0].stamp == ""
    read.clear()
    edit(tmp_path / "summary.json", lambda s: s.update(seconds=7.0))
    assert scan_runs(root).runs[0].summary["seconds"] == 7.0
    assert read == [path.parent.name]


def test_every_damage_is_seen_behind_an_index(tmp_path, monkeypatch):
    root = tmp_path / "runs"
    folder = root / RECIPE / TODAY.name
    for name, damage in DAMAGES[3::20]:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(TODAY, folder)
        scan_runs(root)
        damage(folder)
        with_index = describe(scan_runs(root))
        assert with_index == describe(scan_without(root, monkeypatch)), name
        assert describe(scan_runs(root)) == with_index, name


def test_two_commands_at_once_show_the_same(root, tmp_path):
    command = [sys.executable, "-m", "shared.runs.manage", "--results-dir", str(root)]
    options = {"stdout": -1, "stderr": -1, "text": True}
    both = [start(command, **options) for _ in range(3)]
    outputs = {process.communicate(timeout=120) for process in both}
    assert len(outputs) == 1
    ((out, errors),) = outputs
    assert errors == ""
    assert "3 runs" in out
    assert not [path for path in list_files(tmp_path) if path.name.startswith(".")]


def test_clean_caches_removes_the_index(root, tmp_path):
    from shared.core.cache import main

    scan_runs(root)
    assert list_files(tmp_path)
    main()
    assert not Path(tmp_path / "cache" / "index").exists()
