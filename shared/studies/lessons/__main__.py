"""Run the commands of the lessons, collect their pictures, and write the notebooks.

    make lessons                          # all seven
    make lessons ARGS="--only 3 4"
    make lessons ARGS=--no-train          # only the notebooks, from the pages

The pages in docs/lessons say which commands these are. The runs go to a folder of their
own, so that other runs change no picture. docs/lessons/runs.csv gets the scores of all
runs, and time.csv what each lesson took.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.core.environment import PROJECT
from shared.core.errors import UserError
from shared.core.files import to_csv, write_text
from shared.core.flags import one_line_errors, parse
from shared.runs.groups import group_runs
from shared.runs.reader import Run, find_runs
from shared.studies.lessons.notebooks import make_notebook, name_notebook
from shared.studies.lessons.pages import (
    COMMAND,
    EXERCISE,
    FOLDER,
    Lesson,
    list_programs,
    read_lessons,
)

LARGEST_PICTURE = 150_000  # bytes
RESULTS = "results"  # first part of the places that the pages name
PICTURES = {
    "-m shared.compare": "comparisons",
    "-m shared.studies.horizon": "comparisons/horizon",
}
"""Program -> the folder below results where it writes pictures by default."""


@dataclass(frozen=True)
class Options:
    """Which lessons, and what of them."""

    only: tuple[int, ...] = ()
    """Numbers of lessons; none means all."""
    train: bool = True
    """Run the commands; --no-train only writes the notebooks."""
    keep: Path | None = None
    """Keep the runs in this folder; None: they are removed."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, run, write and print. Exit status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--keep"):
        options = parse(Options, flags, "python -m shared.studies.lessons", __doc__)
        lessons = read_lessons()
        if unknown := set(options.only) - {lesson.number for lesson in lessons}:
            raise UserError(f"--only {min(unknown)}: takes 1 to {len(lessons)}.")
        for lesson in lessons:
            if options.only and lesson.number not in options.only:
                continue
            if options.train:
                _train(lesson, options.keep)
            path = name_notebook(lesson)
            path.parent.mkdir(exist_ok=True)
            write_text(path, make_notebook(lesson))
            print(f"Saved {path}")


def _train(lesson: Lesson, keep: Path | None) -> None:
    """Run the commands of a lesson and keep the picture, the scores and the times."""
    with tempfile.TemporaryDirectory() as folder:
        results = keep / f"lesson-{lesson.number}" if keep else Path(folder)
        results = results.resolve()
        scores: list[dict[str, Any]] = []
        times = []
        for part, commands in ((COMMAND, lesson.commands), (EXERCISE, lesson.exercise)):
            if not commands:
                continue
            begin, cpu = time.perf_counter(), _count_cpu_seconds()
            known = {run.path for run in find_runs(results / "runs")}
            for command in commands:
                _run(command, results)
            if part == COMMAND:
                _keep_picture(lesson, results)
            runs = [r for r in find_runs(results / "runs") if r.path not in known]
            scores += [row for run in runs for row in _list_scores(lesson, part, run)]
            times.append(
                {
                    "lesson": lesson.number,
                    "part": part.lower(),
                    "cpu_seconds": round(_count_cpu_seconds() - cpu),
                    "seconds": round(time.perf_counter() - begin),
                }
            )
        _replace_rows("runs.csv", lesson, scores)
        _replace_rows("time.csv", lesson, times)


def _run(command: str, results: Path) -> None:
    print(f"$ {command}", flush=True)
    for program in list_programs(command):
        places = ["--results-dir", str(results / "runs")]
        if (folder := PICTURES.get(" ".join(program[:2]))) is not None:
            places += ["--to", str(results / folder)]
        environment = os.environ | {"PYTHONPATH": str(PROJECT)}
        ended = subprocess.run(
            [sys.executable, *program, *places], cwd=PROJECT, env=environment,
            check=False,
        )  # fmt: skip
        if ended.returncode:
            raise UserError(f"{command}: stopped with status {ended.returncode}.")


def _keep_picture(lesson: Lesson, results: Path) -> None:
    pattern = Path(lesson.source).relative_to(RESULTS)
    found = sorted(results.glob(str(pattern)))
    if not found:
        raise UserError(f"{lesson.path}: no command made {lesson.source}.")
    size = found[-1].stat().st_size
    if size > LARGEST_PICTURE:
        raise UserError(f"{found[-1]}: {size:,} bytes; at most {LARGEST_PICTURE:,}.")
    lesson.picture.parent.mkdir(exist_ok=True)
    shutil.copy(found[-1], lesson.picture)
    print(f"Saved {lesson.picture}")


def _list_scores(lesson: Lesson, part: str, run: Run) -> list[dict[str, Any]]:
    """Return a row for the network of a run and one for each of its baselines."""
    metric = run.score.metric
    summary = run.summary
    test = summary["test"] or {}
    first = {
        "lesson": lesson.number,
        "part": part.lower(),
        "run": group_runs([run])[0].label,
        "seed": run.seed,
        "metric": metric,
    }
    network = {
        "model": "network",
        "best_epoch": summary["best"]["epoch"],
        "best_validation": summary["best"][f"val_{metric}"],
        "last_validation": summary["last"][f"val_{metric}"],
        "test": test.get("best", {}).get(f"test_{metric}"),
        "test_last_epoch": test.get("last", {}).get(f"test_{metric}"),
    }
    baselines = [
        {
            "model": baseline["name"],
            "best_epoch": "",
            "best_validation": baseline["validation"].get(metric),
            "last_validation": "",
            "test": baseline["test"].get(metric),
            "test_last_epoch": "",
        }
        for baseline in summary["baselines"]
    ]
    return [first | row for row in (network, *baselines)]


def _replace_rows(name: str, lesson: Lesson, rows: list[dict[str, Any]]) -> None:
    """Write a table again with new rows of one lesson."""
    path = FOLDER / name
    kept = []
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            kept = list(csv.DictReader(file))
    others = [row for row in kept if int(row["lesson"]) != lesson.number]
    write_text(path, to_csv(sorted([*others, *rows], key=lambda r: int(r["lesson"]))))


def _count_cpu_seconds() -> float:
    """Return the seconds that ended child processes have computed."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
