"""A page of a lesson as a Jupyter notebook, without outputs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from shared.core.errors import UserError
from shared.studies.lessons.pages import Lesson

ABOUT = (
    "This notebook has the text of a lesson. Lines that start with `make` are for a "
    "terminal. The cells do the same in Python. Run the next cell first."
)
SET_UP = """\
import sys
from pathlib import Path

ADDRESS = ""  # in Colab: the address of the project, from which git can clone it
if ADDRESS:
    !git clone --quiet --depth 1 {ADDRESS} rnn-recipes
    %pip install --quiet -r rnn-recipes/requirements.txt

here = Path.cwd()
folders = [here / "rnn-recipes", here, *here.parents]
sys.path.insert(0, str(next(f for f in folders if (f / "recipes").is_dir())))"""


def make_notebook(lesson: Lesson) -> str:
    """Return the notebook of a page as JSON text, the same every time.

    Python blocks become cells of code, and everything else becomes text.

    Raises:
        UserError: If jupytext is not installed.
    """
    try:
        import jupytext
    except ImportError:
        raise UserError(
            "jupytext is not installed. Run: pip install -e '.[test]', or make lint."
        ) from None

    # Jupytext makes a cell of what Jupyter can run, and it knows sh, not shell.
    text = lesson.text.replace("```sh\n", "```shell\n")
    # A notebook is one folder deeper than its page.
    text = re.sub(r"\]\((?!https?:|#)([^)]+)\)", r"](../\1)", text)
    made = json.loads(jupytext.writes(jupytext.reads(text, fmt="md"), fmt="ipynb"))
    text_cell, code_cell = (
        {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
        for kind, source in (("markdown", ABOUT), ("code", SET_UP))
    )
    code_cell |= {"execution_count": None, "outputs": []}
    cells = [text_cell, code_cell, *made["cells"]]
    for k, cell in enumerate(cells):
        cell["id"] = f"lesson-{lesson.number}-cell-{k}"
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3", "language": "python", "name": "python3",
            },
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def name_notebook(lesson: Lesson) -> Path:
    """Return the file of the notebook of a page."""
    return lesson.path.parent / "notebooks" / f"{lesson.path.stem}.ipynb"
