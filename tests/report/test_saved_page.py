"""The page of the last call is used as long as nothing has changed."""

import shutil

import pytest
from filelock import FileLock

from shared.report import render, saved_page
from shared.report.__main__ import main
from shared.report.published import OWN, REFERENCE
from shared.report.saved_page import MADE, identify
from shared.runs import index
from shared.runs.reader import LOCK
from tests.runs.test_damaged_runs import copy_run, edit


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Files that have just been written count as settled."""
    monkeypatch.setattr(index, "SETTLED", 0)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    for seed in (1, 2):
        copy_run(tmp_path / "runs", seed)
    monkeypatch.setattr(saved_page, "OTHERS", ())
    return {OWN: tmp_path / "runs", REFERENCE: tmp_path / "reference"}


@pytest.fixture
def report(folders, tmp_path, monkeypatch):
    """Return whether the page was built, and the page without its time."""
    built = []
    real = render.build_page

    def build(*arguments, **named):
        built.append(arguments)
        return real(*arguments, **named)

    monkeypatch.setattr(render, "build_page", build)

    def run(*flags):
        built.clear()
        to = tmp_path / "report.html"
        to.unlink(missing_ok=True)
        places = ["--results-dir", folders[OWN], "--reference", folders[REFERENCE]]
        main([*map(str, places), "--to", str(to), *flags])
        page = to.read_text(encoding="utf-8")
        assert len(MADE.findall(page)) == 1
        return bool(built), MADE.sub("", page)

    return run


def test_the_page_is_built_once_and_stays_the_same(report):
    is_built, page = report()
    assert is_built
    assert report() == (False, page)
    assert "2 training runs on 1 data set" in page


def test_each_change_builds_the_page_again(report, folders):
    report()
    new = copy_run(folders[OWN], 3)
    is_built, page = report()
    assert is_built
    assert "3 training runs on 1 data set" in page
    shutil.rmtree(new)
    assert report()[0]
    edit(next(folders[OWN].glob("*/*")) / "summary.json", lambda s: s.update(seconds=1))
    assert report()[0]
    assert report("--no-verdicts")[0]
    assert not report("--no-verdicts")[0]
    assert not report()[0]


def test_the_lock_of_a_run_counts(report, folders):
    folder = next(folders[OWN].glob("*/*"))
    edit(folder / "summary.json", lambda s: s.update(state="unfinished"))
    with FileLock(folder / LOCK):
        assert '"state": "running"' in report()[1]
        assert not report()[0]
        (folder / LOCK).touch()
    is_built, page = report()
    assert is_built
    assert '"state": "running"' not in page
    assert '"state": "interrupted"' in page


def test_every_file_of_a_run_counts(folders):
    seen = {identify(folders), identify(folders)}
    assert len(seen) == 1
    folder = next(folders[OWN].glob("*/*"))
    for name in ("classes.csv", "forecast.png", "history.csv"):
        (folder / name).write_text("x")
        seen.add(identify(folders))
    (folder / "classes.csv").unlink()
    seen.add(identify(folders))
    assert len(seen) == 5
    assert "" not in seen


def test_a_page_with_a_link_in_a_run_is_never_kept(folders, tmp_path):
    folder = next(folders[OWN].glob("*/*"))
    (folder / "forecast.png").symlink_to(tmp_path / "elsewhere.png")
    assert identify(folders) == ""


def test_a_page_of_runs_that_have_just_changed_is_not_kept(folders, monkeypatch):
    monkeypatch.setattr(index, "SETTLED", 3_600_000_000_000)
    assert identify(folders) == ""


def test_a_damaged_page_is_built_again(report, tmp_path):
    page = report()[1]
    (path,) = (tmp_path / "cache" / "index").glob("page-*")
    path.write_bytes(path.read_bytes()[:-9])
    assert report() == (True, page)
