"""Explain what a trained network reads in a text, or what a forecast leans on.

    make explain RUN=imdb-gru TEXT="It was not good."
    make explain RUN=text-gru ARGS="--example 17"
    make explain RUN=series-gru

Takes a recipe name (its newest finished run) or a run folder. For a text it shows, word
by word: the probability after the word, how much the word adds to the answer (gradient
times input, integrated gradients), the gates and the most active units of the first
recurrent layer. It then removes the words called important from test texts, and as many
random ones: if the explanation is right, the first costs more. For a forecast it shows
which steps and columns of the window each step ahead leans on. It writes
explanation.csv, explanation.png and, for a text, explanation.html into a new folder
`explanations/<time>` of the run.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from shared.core.backend import (
    import_keras,
    limit_threads,
    read_threads,
    set_up_numbers,
)
from shared.core.errors import UserError
from shared.core.files import check_place, read_umask, to_csv, write_text
from shared.core.flags import one_line_errors, parse
from shared.core.text import shorten
from shared.data.encodings import decode_text
from shared.data.series.config import SeriesConfig
from shared.data.unpack import read_packed
from shared.data.weather.config import WeatherConfig
from shared.inference.parts import list_parts
from shared.inference.predict import choose_run
from shared.inference.predictors import find_predictor
from shared.runs.reader import RUNS, Run

if TYPE_CHECKING:
    from shared.data.splits import Splits

MOST_CHARACTERS = 200_000
CHECKED = 200  # test texts of the deletion check


@dataclass(frozen=True)
class Options:
    """Which run explains what, and where the result goes."""

    run: tyro.conf.Positional[str]
    """Recipe name or run folder."""
    text: str | None = None
    """One text, for a text or IMDB recipe."""
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, explain, write and print. Exit status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.inference.explain", __doc__)
        run = choose_run(options.run, options.results_dir)
        reads_text = _check(options, run)
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%fZ")
        target = options.to or run.path / "explanations" / stamp
        if target.exists():
            raise UserError(f"--to {shorten(str(target))}: exists; name another.")
        check_place(target.parent)
        limit_threads(read_threads())
        import_keras()
        set_up_numbers(run.settings.get("precision", "float32"))
        print(f"Run: {run.path}")
        explain = _explain_text if reads_text else _explain_window
        files = explain(run, options)
        hidden = Path(tempfile.mkdtemp(prefix=".explanation-", dir=target.parent))
        try:
            for name, content in files.items():
                if isinstance(content, bytes):
                    (hidden / name).write_bytes(content)
                else:
                    write_text(hidden / name, content)
            hidden.chmod(0o777 & ~read_umask())
            hidden.rename(target)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        print(f"Saved {target}: {', '.join(files)}")


def _check(options: Options, run: Run) -> bool:
    """Refuse a bad question before TensorFlow starts; return whether it is a text."""
    parts = list_parts(run)
    given = [options.text, options.file, options.example]
    count = sum(one is not None for one in given)
    if SeriesConfig in parts or WeatherConfig in parts:
        if options.text is not None or options.file is not None:
            raise UserError(
                f"{run.recipe} reads no texts; use --example to choose a window."
            )
        return False
    predictor = find_predictor(run)
    if not predictor.reads_text:
        raise UserError(
            f"{run.recipe}: only text, IMDB, series and weather recipes can be "
            "explained."
        )
    if count != 1:
        raise UserError(
            'pass one of TEXT="..." (--text), FILE=... (--file) and --example 17.'
        )
    if options.checked < 0:
        raise UserError(f"--checked {options.checked}: takes 0 or more.")
    predictor.check(run)
    return True


def _explain_text(run: Run, options: Options) -> dict[str, Any]:
    """Return the files of the explanation of a text, and print it."""
    from shared.inference.explain.page import build_page
    from shared.inference.explain.texts import check_by_deletion, explain_text
    from shared.inference.load_model import load_model
    from shared.inference.text_run import read_text_reader
    from shared.plots.explanation_figure import draw_text_explanation

    reader = read_text_reader(run)
    data = None
    if options.example is not None or options.checked:
        data = _find_data(run, options)
    text = _read_text(options, reader, data)
    model = load_model(run.path, restore=False)
    classes = tuple(run.task.classes)
    found = explain_text(model, reader, classes, text)
    share = found.after[-1, found.chosen]
    answer = (
        f"The answer is {classes[found.chosen]}, with a probability of {share:.3f}."
    )
    print(answer)
    check = "The deletion check was not made."
    if data is not None and options.checked:
        texts = data.test.inputs[: options.checked]
        check = check_by_deletion(model, texts, reader.facts.padding).describe()
    print(check)
    rows = found.to_rows()
    _print_rows(rows)
    title = f"{run.recipe} on {run.data}"
    figure = draw_text_explanation(
        found.words, found.after, classes, found.chosen, found.attribution.integrated,
        {} if found.gates is None else found.gates.means, f"{title}: {answer}",
    )  # fmt: skip
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    page = build_page(found, title, answer, check, picture.getvalue())
    return {
        "explanation.csv": to_csv(rows),
        "explanation.png": picture.getvalue(),
        "explanation.html": page,
    }


def _explain_window(run: Run, options: Options) -> dict[str, Any]:
    """Return the files of the explanation of a forecast."""
    from shared.inference.explain.windows import explain_window
    from shared.inference.export.interface import describe, take_inputs
    from shared.inference.load_model import load_model
    from shared.plots.explanation_figure import draw_window_explanation

    data = _find_data(run, options)
    number = _choose_example(options, data)
    model = load_model(run.path, restore=False)
    columns = [
        one["column"] for one in describe(run, data, model).inputs[0]["features"]
    ]
    inputs = [one[0] for one in take_inputs(data.test, slice(number, number + 1))]
    shape = getattr(data, "output_shape", (1,))
    found = explain_window(model, inputs, columns, shape[0])
    title = f"{run.recipe} on {run.data}, test window {number}"
    figure = draw_window_explanation(found.by_step, columns, found.ahead, title)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    rows = found.to_rows()
    strongest = max(rows, key=lambda row: abs(row["integrated_gradients"]))
    print(
        f"Test window {number}: the forecast leans most on {strongest['column']} at "
        f"step {strongest['step']} (0 is the latest), "
        f"{strongest['integrated_gradients']:+.3g}."
    )
    return {"explanation.csv": to_csv(rows), "explanation.png": picture.getvalue()}


def _find_data(run: Run, options: Options) -> Splits:
    from shared.inference.rebuild import rebuild_run

    return rebuild_run(run, options.data_dir).data


def _choose_example(options: Options, data: Splits) -> int:
    count = len(data.test)
    number = count - 1 if options.example is None else options.example
    if not 0 <= number < count:
        raise UserError(
            f"--example {number}: the test part has the examples 0 to {count - 1}."
        )
    return number


def _read_text(options: Options, reader: Any, data: Splits | None) -> str:
    """Return the text of the question."""
    if options.example is not None:
        ids = data.test.inputs[_choose_example(options, data)]
        tokens = reader.vocabulary.decode(ids[ids > 1])
        join = "" if reader.facts.tokens == "characters" else " "
        return join.join(tokens)
    text = options.text
    if options.file is not None:
        text = decode_text(read_packed(options.file), options.file)
    if not text.strip():
        raise UserError("the text is empty; write at least one word.")
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            f"the text has {len(text):,} characters; at most {MOST_CHARACTERS:,} are "
            "explained. Take a part of it."
        )
    return text


def _print_rows(rows: list[dict[str, Any]]) -> None:
    """Print the words that add most to the answer, and those against it."""
    ordered = sorted(rows, key=lambda row: row["integrated_gradients"])
    for name, part in (("for it", ordered[::-1]), ("against it", ordered)):
        sign = 1 if name == "for it" else -1
        shown = [
            f"{row['word']} {row['integrated_gradients']:+.3f}"
            for row in part[:5]
            if sign * row["integrated_gradients"] > 0
        ]
        print(f"  {name}: {', '.join(shown) or 'no word'}")


if __name__ == "__main__":
    main()
