"""Every lesson has its parts. Its commands parse, and its notebook is its page."""

import collections
import csv
import dataclasses
import importlib
import itertools
import json
import os
import re
import statistics
import sys
from pathlib import Path

import pytest

from recipes.sine_gru import Config, run
from shared.commands import notebook
from shared.commands.options import parse_recipe
from shared.core.errors import UserError
from shared.core.flags import parse
from shared.runs.reader import read_run
from shared.studies.lessons import __main__ as builder
from shared.studies.lessons.__main__ import LARGEST_PICTURE
from shared.studies.lessons.notebooks import make_notebook, name_notebook
from shared.studies.lessons.pages import (
    FOLDER,
    list_programs,
    read_lesson,
    read_lessons,
)

LESSONS = read_lessons()
MOST_LINES = 90
SCORES = ("best_validation", "last_validation", "test", "test_last_epoch")
HEADINGS = (
    "Problem", "Command", "Picture", "Baseline", "The same in Python", "Exercise",
    "What was learnt",
)  # fmt: skip
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one.path.stem)


def test_there_are_seven_lessons_and_the_list_has_them_in_order():
    assert [lesson.number for lesson in LESSONS] == list(range(1, 8))
    rows = re.findall(
        r"^\| (\d) \| \[(.+)\]\((.+)\) \| (.+) \|$",
        (FOLDER / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert rows == [
        (str(one.number), one.title, one.path.name, one.question) for one in LESSONS
    ]
    for lesson, following in itertools.pairwise(LESSONS):
        assert f"]({following.path.name})" in lesson.text.splitlines()[-1]


@each_lesson
def test_a_lesson_has_one_of_each_part(lesson):
    lines = lesson.text.splitlines()
    assert len(lines) <= MOST_LINES
    assert len([n for n in lines if re.fullmatch(r"\*\*.+\?\*\*", n)]) == 1
    headings = [n.removeprefix("## ") for n in lines if n.startswith("## ")]
    assert [name for name in headings if name in HEADINGS] == list(HEADINGS)
    command = re.search(r"^## Command\n(.*?)^## ", lesson.text, re.M | re.S)[1]
    assert command.count("```sh\n") == 1
    assert lesson.text.count("![") == 1
    assert lesson.text.count("```python\n") == 1
    assert lesson.text.count("<details><summary>Answer</summary>\n\n") == 1
    answer = re.search(r"</summary>\n\n(.*?)\n\n</details>", lesson.text, re.S)[1]
    assert len(answer.split()) >= 30
    assert lesson.text.index("## Exercise") < lesson.text.index("<details>")


@each_lesson
def test_the_picture_is_there_and_small(lesson):
    content = lesson.picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) <= LARGEST_PICTURE
    assert lesson.picture.parent == FOLDER / "images"


def test_no_picture_is_left_over():
    pictures = {lesson.picture for lesson in LESSONS}
    assert set((FOLDER / "images").iterdir()) == pictures


def parse_program(program: list[str]) -> None:
    """Parse the flags of a program as it would, and stop there."""
    if program[0] == "-m":
        module = importlib.import_module(f"{program[1]}.__main__")
        parse(module.Options, program[2:], program[1], "")
        return
    recipe = importlib.import_module(f"recipes.{Path(program[0]).stem}")
    config, options = parse_recipe(recipe.Config, program[1:], program[0], "")
    options.validate()
    if hasattr(config, "validate"):
        config.validate()


@each_lesson
def test_every_command_is_accepted(lesson):
    assert lesson.commands
    for command in [*lesson.commands, *lesson.exercise]:
        for program in list_programs(command):
            parse_program(program)


def test_a_command_with_an_unknown_target_or_flag_is_not_accepted():
    with pytest.raises(UserError, match="make does not know it"):
        list_programs("make no-such-recipe")
    with pytest.raises(UserError, match="starts with make"):
        list_programs("python recipes/sine_gru.py")
    (program,) = list_programs('make sine-gru ARGS="--unitss 3"')
    with pytest.raises(UserError, match="--unitss"):
        parse_program(program)


def test_a_page_without_a_part_is_refused(tmp_path):
    for part in ("# Lesson 1:", "**When", "![", "<details>", "```sh"):
        page = tmp_path / "1-page.md"
        page.write_text(LESSONS[0].text.replace(part, ""), encoding="utf-8")
        with pytest.raises(UserError, match="has no"):
            read_lesson(page)


def read_known_numbers(lesson) -> list[float]:
    with (FOLDER / "runs.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if int(r["lesson"]) == lesson.number]
    assert rows, "run make lessons"
    groups = collections.defaultdict(list)
    for row in rows:
        for name in SCORES:
            if row[name]:
                groups[row["part"], row["run"], row["model"], name].append(row[name])
    known = []
    for seeds in (list(map(float, group)) for group in groups.values()):
        known += seeds
        if len(seeds) > 1:
            known += [statistics.mean(seeds), statistics.stdev(seeds)]
    return known


def list_unknown(text: str, known: list[float]) -> list[str]:
    """Return the numbers with four decimals, or an exponent, that no run has."""
    shown = {f"{number:.4f}" for number in known} | {f"{n:.1e}" for n in known}
    return [
        n for n in re.findall(r"\b\d+\.\d{4}\b|\b\d\.\de-\d+", text) if n not in shown
    ]


@each_lesson
def test_the_scores_of_a_page_are_those_of_its_runs(lesson):
    """Else: make lessons, then correct the page."""
    known = read_known_numbers(lesson)
    assert list_unknown(lesson.text, known) == []
    assert list_unknown("a score of 0.1234 and one of 7.7e-05", known) != []


@each_lesson
def test_the_notebook_is_that_of_its_page(lesson):
    """Else: make lessons ARGS=--no-train."""
    pytest.importorskip("jupytext")
    text = name_notebook(lesson).read_text(encoding="utf-8")
    assert text == make_notebook(lesson)
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) == 2  # the set-up, and the cell of the page
    assert all(cell["outputs"] == [] for cell in code)
    block = re.search(r"^```python\n(.*?)\n```$", lesson.text, re.M | re.S)[1]
    assert "".join(code[1]["source"]) == block


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Return a function that runs cells in one kernel, one epoch for each training."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("RNN_RECIPES_SHORT", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    elsewhere = (
        "from pathlib import Path\n"
        "from shared.commands import notebook\n"
        f"notebook.ROOT = Path({str(tmp_path)!r})"
    )

    def run_cells(lessons, blocks=()):
        cells = []
        for lesson in lessons:
            made = nbformat.read(name_notebook(lesson), as_version=4)
            cells += [cell for cell in made.cells if cell.cell_type == "code"]
        cells.insert(1, nbformat.v4.new_code_cell(elsewhere))
        cells += map(nbformat.v4.new_code_cell, blocks)
        client = nbclient.NotebookClient(
            nbformat.v4.new_notebook(cells=cells),
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(FOLDER / "notebooks")}},
        )
        client.execute()
        return [cell.outputs for cell in cells]

    return run_cells


def test_the_notebooks_that_use_every_function_run(tmp_path, monkeypatch):
    """In this process. In a kernel, all of them: make test-slow."""
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    capture = pytest.importorskip("IPython.utils.capture")
    for name, value in {notebook.SHORT: "1", "IPYTHONDIR": str(tmp_path / "i")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(notebook, "ROOT", tmp_path / "runs")
    monkeypatch.setattr(sys, "path", [*sys.path])  # the set-up changes it
    monkeypatch.chdir(FOLDER / "notebooks")
    shell = interactive.InteractiveShell.instance()
    outputs = []
    try:
        for lesson in (LESSONS[0], LESSONS[6]):
            for cell in json.loads(name_notebook(lesson).read_text())["cells"]:
                if cell["cell_type"] == "code":
                    with capture.capture_output() as found:
                        shell.run_cell("".join(cell["source"])).raise_error()
                    outputs.append(found)
    finally:
        interactive.InteractiveShell.clear_instance()
    # Set-up, lesson 1; set-up, lesson 7 with three pictures.
    pictures = [["image/png" in one.data for one in part.outputs] for part in outputs]
    assert pictures == [[], [True], [], [True] * 3]
    assert "epoch 1 of 1" in outputs[1].stdout
    assert "sine-gru on sine-0.03-noise-0.1-3-ahead, seed 0" in outputs[1].stdout
    assert len(list(tmp_path.glob("runs/*/*/curves.png"))) == 2


@pytest.mark.slow
def test_all_notebooks_and_the_examples_of_the_list_run(execute, tmp_path):
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(blocks) == 2
    outputs = execute(LESSONS, blocks)
    shown = [count_pictures(part) for part in outputs]
    assert shown == [0, 0, 1, *[0, 1] * 5, 0, 3, 2, 0]
    assert len(list(tmp_path.glob("imdb-lstm/*/curves.png"))) == 3


def count_pictures(outputs) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


SMALL = (
    "--epochs 1 --phase random --points 900 --train-points 300 "
    "--validation-points 200 --test-points 300"
)


@pytest.fixture
def small_lesson(tmp_path, monkeypatch):
    """A page of its own, with a command of seconds."""
    text = LESSONS[0].text.replace("make sine-gru\n", f'make sine-gru ARGS="{SMALL}"\n')
    page = tmp_path / "1-small.md"
    page.write_text(text.replace('"--schedule constant"', f'"{SMALL} --units 3"'))
    monkeypatch.setattr(builder, "FOLDER", tmp_path)
    monkeypatch.setattr(builder, "read_lessons", lambda: [read_lesson(page)])
    return read_lesson(page)


@pytest.mark.slow
def test_make_lessons_runs_commands_and_keeps_picture_and_scores(
    small_lesson, tmp_path
):
    pytest.importorskip("jupytext")
    builder.main(["--keep", str(tmp_path / "kept")])
    (first, second) = sorted(tmp_path.glob("kept/lesson-1/runs/sine-gru/*"))
    assert small_lesson.picture.read_bytes() == (first / "curves.png").read_bytes()
    assert name_notebook(small_lesson).is_file()
    with (tmp_path / "runs.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == "network"]
    assert [row["part"] for row in rows] == ["command", "exercise"]
    for row, folder in zip(rows, (first, second), strict=True):
        saved = read_run(folder)
        assert float(row["best_validation"]) == saved.history["val_mse"][0]
        assert float(row["test"]) == saved.summary["test"]["best"]["test_mse"]
    assert "--units 3" in rows[1]["run"]
    with (tmp_path / "time.csv").open(newline="") as file:
        times = list(csv.DictReader(file))
    assert [int(row["lesson"]) for row in times] == [1, 1]
    assert all(int(row["cpu_seconds"]) > 0 for row in times)


def test_make_lessons_stops_where_a_command_or_a_picture_fails(
    small_lesson, tmp_path, capsys
):
    text = small_lesson.path.read_text()
    for change, message in (
        ((SMALL, "--epochs 0"), "stopped with status 2"),
        ((SMALL, "--help"), "no command made results/runs"),
    ):
        small_lesson.path.write_text(text.replace(*change))
        with pytest.raises(SystemExit) as stopped:
            builder.main([])
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        builder.main(["--only", "9"])
    assert "--only 9: takes 1 to 1" in capsys.readouterr().err
    assert not (tmp_path / "runs.csv").exists()


def test_a_bad_input_in_a_notebook_is_one_line():
    for call, message in (
        (lambda: notebook.train("sine-gruu"), "sine-gruu: no such recipe"),
        (lambda: notebook.train("sine-gru", unitss=3), "--unitss"),
        (lambda: notebook.train("sine-gru", units=-3), "--units"),
        (lambda: notebook.train("sine-gru", seeds="0-4"), "once per seed"),
        (lambda: notebook.train("sine-gru", Config(), units=3), "beside a config"),
        (notebook.compare, "no run given"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            call()
        (line,) = caught.value._render_traceback_()
        assert line == f"error: {caught.value}"


def test_train_takes_a_config_as_well_as_flags(tmp_path, undrawn, monkeypatch):
    """Both ways write the same settings and train the same numbers."""
    monkeypatch.setattr(notebook, "ROOT", tmp_path)
    small = {"points": 900, "train_points": 300, "validation_points": 200}
    small |= {"test_points": 300, "phase": "random"}
    flags = notebook.train("sine-gru", epochs=1, units=3, **small)
    usual = Config()
    config = dataclasses.replace(
        usual,
        sine=dataclasses.replace(usual.sine, **small),
        gru=dataclasses.replace(usual.gru, units=3),
        training=dataclasses.replace(usual.training, epochs=1),
    )
    typed = notebook.train(run, config)
    assert typed.settings == flags.settings
    assert typed.config["changed"] == flags.config["changed"]
    assert typed.history["val_mse"] == flags.history["val_mse"]
    assert typed.path.parent.parent == tmp_path
