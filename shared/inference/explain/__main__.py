"""Explain what a trained network reads in a text, or what a forecast leans on.

    make explain RUN=imdb-gru TEXT="It was not good."
    make explain RUN=text-gru EXAMPLE=17
    make explain RUN=writer-gru TEXT="To be, or not to be"
    make explain RUN=series-gru

Takes a recipe name (its newest finished run) or a run folder. For a text with a class
it shows, word by word: the probability after the word, how much the word adds to the
answer (gradient times input, integrated gradients), the gates and the most active units
of the first recurrent layer. It then removes the words called important from test
texts, and as many random ones: if the explanation is right, the first costs more. For a
writer it shows how probable each character was, and what else it could have been. For a
forecast it shows which steps and columns of the window each step ahead leans on. It
writes explanation.csv, explanation.png and explanation.html into a new folder
`explanations/<time>` of the run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tyro

from shared.core.errors import UserError
from shared.core.files import check_place, read_umask, write_text
from shared.core.flags import one_line_errors, parse
from shared.core.text import shorten
from shared.data.encodings import decode_text
from shared.data.unpack import read_packed
from shared.inference.explain.answers import (
    Question,
    explain_text,
    explain_window,
    explain_writer,
)
from shared.inference.explain.kinds import Kind, find_kind, start_tensorflow
from shared.inference.predict import choose_run
from shared.runs.reader import RUNS, Run

MOST_CHARACTERS = 1_000_000
CHECKED = 200  # test texts of the deletion check


@dataclass(frozen=True)
class Options:
    """Which run explains what, and where the result goes."""

    run: tyro.conf.Positional[str]
    """Recipe name or run folder."""
    text: str | None = None
    """One text, for a text, IMDB or writer recipe."""
    file: Path | None = None
    """File with one text."""
    example: int | None = None
    """Number of a test example, from 0. For forecasts the default is the last one."""
    checked: int = CHECKED
    """Test texts from which words are removed, at most; 0 omits this check."""
    data_dir: Path | None = None
    """Folder of the data file of the run, if it has moved."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path | None = None
    """Folder for the explanation; None: a new one in the run folder."""

    def validate(self, run: Run, kind: Kind) -> None:
        """Refuse a question that the run cannot answer, before TensorFlow starts.

        Raises:
            UserError: With the flag, what it accepts and how to fix it.
        """
        if self.checked < 0:
            raise UserError(f"--checked {self.checked}: takes 0 or more.")
        if self.to is not None and self.to.exists():
            raise UserError(f"--to {shorten(str(self.to))}: exists; name another.")
        given = [self.text, self.file, self.example]
        if kind == "window":
            if self.text is not None or self.file is not None:
                raise UserError(
                    f"{run.recipe} reads no texts; omit --text and --file, and choose "
                    "a test window with EXAMPLE=17 (--example)."
                )
        elif sum(one is not None for one in given) != 1:
            raise UserError(
                f'{run.recipe} reads texts: pass one of TEXT="..." (--text), FILE=... '
                "(--file) and EXAMPLE=17 (--example)."
            )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, explain, write and print. Exit status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.inference.explain", __doc__)
        run = choose_run(options.run, options.results_dir)
        kind = find_kind(run)
        options.validate(run, kind)
        question = Question(run, options, _read_text(options))
        if options.to is not None:
            check_place(options.to.parent)
        start_tensorflow(run)
        print(f"Run: {run.path}")
        explain = {"text": explain_text, "window": explain_window,
                   "writer": explain_writer}[kind]  # fmt: skip
        files = explain(question)
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%fZ")
        target = options.to or run.path / "explanations" / stamp
        _write(files, target)
        print(f"Saved {target}: {', '.join(files)}")


def _read_text(options: Options) -> str | None:
    """Return the text of the question, None for a test example."""
    text, flag = options.text, "--text"
    if options.file is not None:
        text, flag = decode_text(read_packed(options.file), options.file), "--file"
    if text is None:
        return None
    if not text.strip():
        raise UserError(f"{flag}: the text is empty; write at least one word.")
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            f"{flag}: the text has {len(text):,} characters; at most "
            f"{MOST_CHARACTERS:,} are accepted. Take a part of it."
        )
    return text


def _write(files: dict[str, Any], target: Path) -> None:
    """Write a new folder. It appears complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".explanation-", dir=target.parent))
    try:
        for name, content in files.items():
            if isinstance(content, str):
                write_text(hidden / name, content)
            else:  # a figure
                content.savefig(hidden / name)
        hidden.chmod(0o777 & ~read_umask())
        hidden.rename(target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


if __name__ == "__main__":
    main()
