"""Sweeps on the report page, and the page of one sweep."""

import re

import msgspec
import pytest

from shared.report import saved_page
from shared.report import sweeps as sweeps_module
from shared.report.__main__ import main
from shared.report.render import build_page, render_sweep
from shared.report.serve import Page
from shared.report.sweeps import (
    FORMAT,
    Confirmed,
    Part,
    Row,
    Setting,
    Sweep,
    keep_best,
    read_sweeps,
    write_sweep,
)
from shared.runs import index
from tests.compare.test_compare import make_run
from tests.report.test_report import FIND_TOOLTIPS, HOSTILE, folders_of

SCORES = (3.0, 2.0, 2.5, 1.5, 90.0, 1.8)
PANELS = """[...document.querySelectorAll(".sweep .plot")].map((element) =>
  [...Bokeh.index].find((one) => element.contains(one.el))?.model)"""
MARKS = ".renderers.find((one) => one.glyph.type === 'Scatter').data_source.data"
BEST = ".renderers.find((one) => one.glyph.type === 'Step').data_source.data"


def make_sweep(name="weather", recipes=("weather-gru",), scores=SCORES, **changes):
    rows = [
        Row(
            k, recipes[k % len(recipes)], f"--units {k}",
            {"units": k, "rate": 10.0**-k, "calendar": ["day", "none"][k % 2]}, 0,
            score, 3, 10.0, 10.0 * k, k == 4, f"run-{k}",
        )
        for k, score in enumerate(scores, start=1)
    ]  # fmt: skip
    settings = [Setting("units"), Setting("rate", True), Setting("calendar")]
    facts = {
        "format": FORMAT, "name": name, "made": "2026-01-01 00:00 UTC",
        "kind": "a search by TPE", "recipes": list(recipes), "seeds": [0],
        "num_trials": len(rows), "tried": ["weather-gru: units 1 to 9"],
        "parts": [Part("jena-2020", "mae (deg C)", False, settings, rows)],
    }  # fmt: skip
    return Sweep(**facts | changes)


def save(tmp_path, *some):
    for sweep in some:
        folder = tmp_path / "sweeps" / sweep.name
        folder.mkdir(parents=True)
        write_sweep(sweep, folder)
    return tmp_path / "sweeps"


def test_a_sweep_is_read_as_it_was_written(tmp_path):
    confirmed = [Confirmed("chosen", 5, (2.0, 0.1), (2.1, None))]
    sweep = make_sweep(confirmed=confirmed, failures=[("one", "no file")])
    assert read_sweeps(save(tmp_path, sweep)) == ([sweep], [])
    assert read_sweeps(None) == read_sweeps(tmp_path / "none") == ([], [])


def test_the_report_shows_sweeps_and_names_damaged_ones(tmp_path):
    make_run(tmp_path / "runs")
    save(tmp_path, make_sweep())
    for name, text in (("bad", "{"), ("old", '{"format": 0}')):
        (tmp_path / "sweeps" / name).mkdir()
        (tmp_path / "sweeps" / name / "page.json").write_text(text)
    to = tmp_path / "report.html"
    main(["--results-dir", str(tmp_path / "runs"), "--reference",
          str(tmp_path / "none"), "--to", str(to)])  # fmt: skip
    page = to.read_text()
    assert '<a href="#sweep-0">Sweep weather</a>' in page
    assert "6 trials of weather-gru: a search by TPE, seed 0." in page
    assert len(re.findall("Not shown: the sweep (?:bad|old)/page.json: ", page)) == 2


def test_the_page_changes_with_a_sweep(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "SETTLED", 0)
    monkeypatch.setattr(saved_page, "OTHERS", ())
    make_run(tmp_path / "runs")
    folders = folders_of(tmp_path)
    sweeps = save(tmp_path, make_sweep())
    stamps, states = [], []
    for num_trials in (6, 7):
        write_sweep(make_sweep(num_trials=num_trials), sweeps / "weather")
        stamps.append(Page(folders, None, sweeps).read_stamp())
        states.append(saved_page.identify(folders, sweeps))
    stamps.append(Page(folders, None).read_stamp())
    states.append(saved_page.identify(folders))
    assert len(set(stamps)) == len(set(states)) == 3
    assert "" not in states


def test_text_of_a_sweep_is_escaped(tmp_path):
    sweep = make_sweep(HOSTILE.replace("/", ""), confirmation=[HOSTILE],
                       failures=[(HOSTILE, HOSTILE)], tried=[HOSTILE])  # fmt: skip
    make_run(tmp_path / "runs")
    for page in (
        render_sweep(sweep),
        build_page(folders_of(tmp_path), sweeps_folder=save(tmp_path, sweep)),
    ):
        assert "alert(1)" in page
        assert "<script>alert" not in page


def test_many_trials_and_sweeps_leave_room(tmp_path, monkeypatch):
    many = make_sweep(scores=[9 - k / 1000 for k in range(900)])
    (part,) = keep_best(many, 300).parts
    assert [row.number for row in part.rows] == list(range(601, 901))
    assert keep_best(many, 1000) == many
    some = [
        msgspec.structs.replace(many, name=f"s{k}", made=f"2026-01-0{k} 00:00 UTC")
        for k in range(1, 6)
    ]
    shown, (note,) = read_sweeps(save(tmp_path, *some))
    assert [one.name for one in shown] == ["s5", "s4", "s3"]
    assert "sweeps (2)" in note
    make_run(tmp_path / "runs")
    with_sweeps = build_page(folders_of(tmp_path), sweeps_folder=tmp_path / "sweeps")
    assert len(with_sweeps.encode()) < 5_000_000
    bare = build_page(folders_of(tmp_path))
    assert len(with_sweeps) - len(bare) < sweeps_module.ROOM


def open_sweep(browser, tmp_path, sweep, width=1200):
    (tmp_path / "s.html").write_text(render_sweep(sweep))
    browser.problems.clear()
    browser.requests.clear()
    browser.open((tmp_path / "s.html").as_uri(), width)
    count = browser.evaluate("document.querySelectorAll('.sweep .plot').length")
    browser.wait(f"{PANELS}.filter(Boolean).length === {count}")
    return count


def test_the_panels_of_a_sweep(browser, tmp_path):
    assert open_sweep(browser, tmp_path, make_sweep()) == 5
    # Trial 4 was pruned, so it is no best. Trial 5 lies far outside.
    assert browser.evaluate(f"{PANELS}[0]{BEST}.y") == [3, 2, 2, 2, 2, 1.8]
    assert browser.evaluate(f"{PANELS}[1]{MARKS}.x") == [10, 20, 30, 40, 50, 60]
    marks = browser.evaluate(f"{PANELS}[0]{MARKS}")
    assert marks["marker"] == ["circle"] * 4 + ["triangle", "circle"]
    assert [value == 0 for value in marks["fill"]] == [k == 4 for k in range(1, 7)]
    assert marks["value"] == list(SCORES)
    assert browser.evaluate(f"{PANELS}[0].y_range.end") < 10
    assert browser.evaluate(f"{PANELS}.map((one) => one.x_scale.type)") == [
        "LinearScale", "LinearScale", "LinearScale", "LogScale", "CategoricalScale",
    ]  # fmt: skip
    assert browser.evaluate(f"{PANELS}[4].x_range.factors") == ["day", "none"]
    colours = marks["colour"]
    assert len(set(colours)) == 6
    browser.prefer("dark")
    browser.wait(f"{PANELS}[0]{MARKS}.colour[0] !== '{colours[0]}'")
    browser.prefer("light")
    point = browser.evaluate(
        "(() => { const view = [...Bokeh.index][0], box = view.el"
        ".getBoundingClientRect(); return [box.left + view.frame.x_scale.compute(2),"
        " box.top + view.frame.y_scale.compute(2.0)]; })()"
    )
    browser.move(*point)
    assert "--units 2" in browser.wait(FIND_TOOLTIPS)
    assert browser.problems == []
    assert [one for one in browser.requests if not one.startswith("file:")] == []


def test_recipes_of_a_grid_have_their_colours(browser, tmp_path):
    sweep = make_sweep(recipes=("weather-gru", "weather-dense"), kind="a grid")
    open_sweep(browser, tmp_path, sweep)
    colours = browser.evaluate(f"{PANELS}[0]{MARKS}.colour")
    assert len(set(colours)) == 2
    assert colours[::2] == [colours[0]] * 3


@pytest.mark.parametrize("width", [1200, 390])
def test_a_sweep_in_the_report(browser, tmp_path, width):
    make_run(tmp_path / "runs")
    confirmed = [Confirmed("the chosen settings, seeds 10-14", 5, (2.0, 0.1), None)]
    sweep = make_sweep(confirmation=["Chosen: --units 4."], confirmed=confirmed)
    save(tmp_path, sweep)
    (tmp_path / "r.html").write_text(
        build_page(folders_of(tmp_path), sweeps_folder=tmp_path / "sweeps")
    )
    browser.problems.clear()
    browser.open((tmp_path / "r.html").as_uri(), width)
    browser.evaluate("document.getElementById('sweep-0').scrollIntoView()")
    browser.wait(f"{PANELS}.filter(Boolean).length === 5")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    rows = "[...document.querySelectorAll('#sweep-0-0-table tbody tr')].map((row) => "
    assert browser.evaluate(rows + "row.cells[1].textContent)") == list("462315")
    browser.evaluate("document.querySelector('#sweep-0-0-table thead button').click()")
    assert browser.evaluate(rows + "row.cells[1].textContent)") == list("123456")
    assert browser.problems == []
