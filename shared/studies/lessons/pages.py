"""The pages of the lessons: their parts, and the programs that their commands start."""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from shared.core.environment import PROJECT
from shared.core.errors import UserError

FOLDER = PROJECT / "docs" / "lessons"
COMMAND, EXERCISE = "Command", "Exercise"
NOWHERE = ".lesson"  # an environment that `make -n` only names
READY = f"{NOWHERE}/.ready"
PYTHON = f"{NOWHERE}/bin/python"


@dataclass(frozen=True)
class Lesson:
    """A page.

    Attributes:
        number: From 1.
        path: The page.
        title: Without its number.
        question: The one question.
        commands: Lines for a terminal, of the lesson.
        exercise: Lines for a terminal, of the exercise.
        picture: File of the picture.
        source: Where a command writes it, as a pattern relative to the project.
        text: The whole page.
    """

    number: int
    path: Path
    title: str
    question: str
    commands: list[str]
    exercise: list[str]
    picture: Path
    source: str
    text: str


def read_lessons(folder: Path = FOLDER) -> list[Lesson]:
    """Return the lessons of a folder in their order.

    Raises:
        UserError: If a page lacks one of its parts.
    """
    return [read_lesson(path) for path in sorted(folder.glob("[0-9]-*.md"))]


def read_lesson(path: Path) -> Lesson:
    """Return one page in its parts.

    Raises:
        UserError: If it lacks one of them.
    """
    text = path.read_text(encoding="utf-8")
    number, title = _find(r"^# \D*(\d)\D*?[:\uff1a] *(.+)$", text, path, "title")
    (question,) = _find(r"^\*\*(.+[?\uff1f])\*\*$", text, path, "question")
    picture, source = _find(
        r"^!\[[^\]]+\]\(([^)]+)\)\n\n\*`([^`]+)`", text, path, "picture"
    )
    before, _, answer = text.partition("<details>")
    if not answer:
        raise UserError(f"{path}: has no folded answer (<details>).")
    blocks = re.findall(r"^```sh\n(.*?)^```$", before, re.DOTALL | re.MULTILINE)
    if not blocks:
        raise UserError(f"{path}: has no command (```sh).")
    lines = [block.replace("\\\n", " ").strip().splitlines() for block in blocks]
    exercise = [line for block in lines[1:] for line in block]
    return Lesson(
        int(number), path, title, question, lines[0], exercise,
        (path.parent / picture).resolve(), source, text,
    )  # fmt: skip


def list_programs(command: str) -> list[list[str]]:
    """Return the arguments of Python for each program that a command starts.

    The Makefile says which. Nothing is run.

    Args:
        command: A line of a page: `make ...`.

    Raises:
        UserError: If make has no such target.
    """
    words = shlex.split(command, comments=True)
    if not words or words[0] != "make":
        raise UserError(f"{command}: a command of a lesson starts with make.")
    if shutil.which("make") is None:
        raise UserError("make is not installed; the lessons are run by it.")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    made = subprocess.run(
        ["make", "-n", f"VENV={NOWHERE}", "-o", READY, *words[1:]],
        cwd=PROJECT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    programs = [_split(line) for line in made.stdout.splitlines()]
    if made.returncode or not programs or any(p[0] != PYTHON for p in programs):
        raise UserError(f"{command}: make does not know it. {made.stderr.strip()}")
    return [program[1:] for program in programs]


def _split(line: str) -> list[str]:
    """Return the words of a line, with patterns of files replaced as a shell does."""
    words = shlex.split(line)
    found = [sorted(glob.glob(w, root_dir=PROJECT)) or [w] for w in words]  # noqa: PTH207
    return [word for words in found for word in words]


def _find(pattern: str, text: str, path: Path, what: str) -> tuple[str, ...]:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise UserError(f"{path}: has no {what} of the usual form.")
    return found.groups()
