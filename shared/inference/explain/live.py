"""Type a text or paste rows, and watch what a trained network makes of them.

    make try RUN=imdb-gru
    make try RUN=series-gru
    python -m shared.inference.explain.live results/runs/text-gru/FOLDER --port 0

Takes a recipe name (its newest finished run) or a run folder, of a text, IMDB or series
recipe. Serves the page of `make explain` with a field, on 127.0.0.1 only: for a text,
or for rows of a table, which it forecasts. Nothing is kept, and nothing leaves this
machine. Ctrl-C stops it.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import tyro

from shared.core.errors import UserError
from shared.core.flags import one_line_errors, parse
from shared.core.local_server import (
    HOST,
    MOST_BYTES,
    LocalHandler,
    LocalServer,
    open_local_server,
)
from shared.data.series.config import SeriesConfig
from shared.inference.explain.kinds import find_kind, start_tensorflow
from shared.inference.explain.page import Field, describe_text, render_page
from shared.inference.explain.text_remarks import list_remarks
from shared.inference.explain.texts import TextExplainer, tokenize
from shared.inference.parts import list_parts
from shared.inference.predict import choose_run
from shared.inference.text_run import TextReader, read_text_reader
from shared.runs.reader import RUNS, Run

EXAMPLE = "This is a text."


@dataclass(frozen=True)
class Options:
    """Which run answers, and where."""

    run: tyro.conf.Positional[str]
    """Recipe name or run folder."""
    port: int = 8766
    """Port of the page; 0 takes any free one."""
    results_dir: Path = RUNS
    """Folder of all runs."""

    def validate(self) -> None:
        """Check the flags.

        Raises:
            UserError: With the flag and the accepted values.
        """
        if not 0 <= self.port <= 65535:
            raise UserError(f"--port {self.port}: takes 0 to 65535, e.g. 8766.")


class Live(Protocol):
    """What the server needs of a network.

    Attributes:
        page: With a field.
        most_bytes: Of a question.
    """

    page: str
    most_bytes: int

    def answer(self, text: str, whole: bool) -> dict[str, Any]:
        """Return what the page shows, or an `error` in a sentence."""


class LiveText:
    """Answers the questions of the page with one network."""

    most_bytes = MOST_BYTES

    def __init__(self, explainer: TextExplainer, reader: TextReader, title: str,
                 remarks: Sequence[str] = (),
                 quick: TextExplainer | None = None) -> None:  # fmt: skip
        """Keep the network.

        Args:
            explainer: Of a run.
            reader: Turns a text into ids.
            title: Of the page.
            remarks: What the reader of the page should know.
            quick: A copy that computes the curves. So a curve does not wait for an
                explanation. None: it may wait.
        """
        self.page = render_page(title, None, Field())
        self._reader, self._remarks = reader, remarks
        whole = explainer, threading.Lock()  # one question after the other
        self._whole = whole
        self._quick = whole if quick is None else (quick, threading.Lock())

    def answer(self, text: str, whole: bool) -> dict[str, Any]:
        """Return what the page shows, or an `error` in a sentence.

        Args:
            text: Of the field.
            whole: Whether all is computed, and not the curve only.
        """
        explainer, lock = self._whole if whole else self._quick
        try:
            with lock:
                tokens = tokenize(self._reader, text)
                found = (explainer.explain if whole else explainer.read_curve)(tokens)
        except UserError as error:
            return {"error": str(error)}
        remarks = [*list_remarks(tokens, self._reader), *self._remarks]
        spaced = self._reader.facts.tokens == "words"
        return describe_text(found, spaced, remarks).to_dict()


def open_try(live: Live, port: int) -> LocalServer:
    """Return a server that listens: `/` is the page, it asks `/curve` and `/explain`.

    Raises:
        UserError: If the port is not available.
    """

    class Handler(LocalHandler):
        most_bytes = live.most_bytes

        def get(self) -> None:
            if self.path == "/":
                self.answer(live.page, "text/html")
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def post(self, body: bytes) -> None:
            if self.path not in ("/curve", "/explain"):
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            try:
                text = json.loads(body)["text"]
                text.encode()  # refuses half of a pair of surrogates
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                self.send_error(HTTPStatus.BAD_REQUEST)
                return
            found = live.answer(text, whole=self.path == "/explain")
            self.answer(json.dumps(found, ensure_ascii=False), "application/json")

    return open_local_server(Handler, port)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags and serve until Ctrl-C. Exit status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--results-dir"):
        prog = "python -m shared.inference.explain.live"
        options = parse(Options, flags, prog, __doc__)
        options.validate()
        run = choose_run(options.run, options.results_dir)
        live = load_live(run)
        with open_try(live, options.port) as server:
            print(
                f"Run: {run.path}\n"
                f"Open http://{HOST}:{server.server_port}/ and type or paste. Ctrl-C "
                "stops it.",
                flush=True,
            )
            server.serve_forever()


def load_live(run: Run) -> Live:
    """Return what answers for a run.

    Raises:
        UserError: If it is no run of a text or series, or what it keeps is missing or
            damaged.
    """
    if SeriesConfig in list_parts(run):
        from shared.inference.explain.live_series import load_live_series

        return load_live_series(run)
    if find_kind(run) == "text":
        return load_live_text(run)
    raise UserError(
        f"{run.path}: make try works with runs of text-*, imdb-* and series-* recipes; "
        f"make explain RUN={run.recipe} explains this one."
    )


def load_live_text(run: Run) -> LiveText:
    """Load the network of a text run, and compute once, so the first answer is fast.

    Raises:
        UserError: If what the run keeps is missing or damaged.
    """
    from shared.inference.explain.text_remarks import remark_on_model
    from shared.inference.load_model import load_model

    reader = read_text_reader(run)
    start_tensorflow(run)
    classes = tuple(run.task.classes)
    model, copy = (load_model(run.path, restore=False) for _ in range(2))
    explainer, quick = (
        TextExplainer(one, reader.facts.padding, classes) for one in (model, copy)
    )
    title = f"{run.recipe} on {run.data}"
    live = LiveText(explainer, reader, title, remark_on_model(model), quick)
    word = next(filter(None, reader.vocabulary.tokens), EXAMPLE)
    for count in (1, 2, 3):  # other sizes need no new graph after these
        for whole in (True, False):
            live.answer(" ".join([word] * count), whole)
    return live


if __name__ == "__main__":
    main()
