"""Forecast the steps after the end of a series, or classify texts, with a trained run.

    make predict RUN=series-gru
    make predict RUN=series-gru FILE=sales-march.csv
    python -m shared.inference.predict results/runs/series-gru/FOLDER --file newer.csv

Takes a recipe name (its newest finished run) or a run folder, of a series, weather or
sine recipe. All flags of the training are known from the run. Without a file, it reads
the file of the run, as it is now, or else the last steps that the run has kept. A sine
goes on from the end of its generated test series. It writes forecast.csv and
forecast.png into a new folder `forecasts/<time>` of the run.

    make predict RUN=text-gru TEXT="I expected more."
    make predict RUN=text-gru FILE=new.csv

A text recipe tells the class of one text, or of all texts of a file. For a file it
writes predictions.csv into a new folder `predictions/<time>` of the run.
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
from rich.table import Table

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
from shared.inference.file_form import AS_TRAINED, FileForm
from shared.inference.predictors import Forecast, Predictor, find_predictor
from shared.inference.text_predict import TextPredictions
from shared.plots.colours import recipe_colour
from shared.plots.forecast_figure import draw_forecast_beyond
from shared.runs.groups import choose_runs
from shared.runs.reader import RUNS, Run
from shared.runs.terminal import make_console

FIRST_ROWS = 6  # that are printed
MOST_COLUMNS = 10
LARGE = 1e5  # a number with more digits is printed whole


@dataclass(frozen=True)
class Options:
    """Which run forecasts what, and where the result goes."""

    run: tyro.conf.Positional[str]
    """Recipe name or run folder."""
    file: Path | None = None
    """Table with the columns of the run, maybe newer; None: the file of the run. For a
    text recipe: a table, a .txt file with a text a line, or a folder."""
    text: str | None = None
    """One text to classify, for a text recipe."""
    results_dir: Path = RUNS
    """Folder of all runs."""
    to: Path | None = None
    """Folder for the forecast; None: a new one in the run folder."""
    form: FileForm = AS_TRAINED


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the flags, forecast, write and print. Exit status 2 on bad input."""
    flags = sys.argv[1:] if arguments is None else list(arguments)
    with one_line_errors("--to"):
        options = parse(Options, flags, "python -m shared.inference.predict", __doc__)
        run = choose_run(options.run, options.results_dir)
        predictor = find_predictor(run)
        predictor.check(run)
        if options.text is not None and not predictor.reads_text:
            raise UserError(f"--text: {run.recipe} reads no texts; omit the flag.")
        options.form.check(predictor.form, run.recipe)
        target = options.to or _name_folder(run, predictor)
        if target.exists() and not target.is_dir():
            raise UserError(f"--to {shorten(str(target))}: is no folder; name another.")
        if options.to is not None:
            check_place(target.parent)
        limit_threads(read_threads())
        import_keras()
        set_up_numbers(run.settings.get("precision", "float32"))
        print(f"Run: {run.path}")
        question = (options.file, options.text)[: 1 + predictor.reads_text]
        form = {"form": options.form} if predictor.form else {}
        found = predictor.forecast(run, *question, **form)
        print(f"Read: {found.source}")
        for sentence in found.remarks:
            print(f"  {sentence}")
        _show(found)
        if options.text is not None and options.to is None:
            return
        _write(found, run, target, predictor)
        picture = "" if predictor.reads_text else " and forecast.png"
        print(f"Saved {target / _name_table(predictor)}{picture}")


def choose_run(name: str, root: Path) -> Run:
    """Return the run that a recipe name or a folder names: the newest finished one.

    Raises:
        UserError: If there is none.
    """
    runs, _ = choose_runs([name], root)
    run = runs[-1]
    if run.state != "finished" or run.summary["best"] is None:
        raise UserError(
            f"{run.path}: the run is {run.state}, and a prediction needs a finished "
            "one."
        )
    return run


def _name_folder(run: Run, predictor: Predictor) -> Path:
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%fZ")
    return run.path / ("predictions" if predictor.reads_text else "forecasts") / stamp


def _name_table(predictor: Predictor) -> str:
    return "predictions.csv" if predictor.reads_text else "forecast.csv"


def _write(
    found: Forecast | TextPredictions, run: Run, target: Path, predictor: Predictor
) -> None:
    """Write table and picture. A new folder appears complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".forecast-", dir=target.parent))
    try:
        write_text(hidden / _name_table(predictor), to_csv(found.to_rows()))
        if not predictor.reads_text:
            title = f"{run.recipe} on {run.data}: forecast beyond the last value"
            colour = recipe_colour(run.recipe)
            figure = draw_forecast_beyond(found.to_panels(), title, colour)
            figure.savefig(hidden / "forecast.png")
        if target.is_dir():
            for file in hidden.iterdir():
                file.replace(target / file.name)
        else:
            hidden.chmod(0o777 & ~read_umask())
            hidden.rename(target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _show(found: Forecast | TextPredictions) -> None:
    """Print the first rows; the intervals stand for the quantiles of the file."""
    rows = found.to_rows()
    shown = [name for name in rows[0] if not name.startswith("quantile_")]
    if len(shown) > MOST_COLUMNS:  # many classes; the file has all probabilities
        shown = [name for name in shown if not name.startswith("p(")]
    table = Table()
    for name in shown:
        words = name.replace("_", " ")
        table.add_column(words, no_wrap=name == "time", overflow="fold")
    clock = " 00:00:00"
    is_dates = all(str(row.get("time")).endswith(clock) for row in rows)
    for row in rows[:FIRST_ROWS]:
        cells = [_format_cell(row[name]) for name in shown]
        table.add_row(*(c.removesuffix(clock) if is_dates else c for c in cells))
    make_console().print(table)
    if len(rows) > FIRST_ROWS:
        print(f"... and {len(rows) - FIRST_ROWS:,} more rows")


def _format_cell(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if LARGE <= abs(cell) < 1e15 else f"{cell:.5g}"
    return shorten(str(cell), 40)


if __name__ == "__main__":
    main()
