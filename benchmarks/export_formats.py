"""Export every recipe to every format, and compare difference, size and time.

make bench-export
make bench-export ARGS=--times

Trains each recipe for one epoch on small data, as the tests do. Exports it to each
format and lets both networks predict the test examples. Writes
`results/benchmarks/export.csv` and `export.md`: the largest difference to the original
and bytes on disk.

With --times, it trains three recipes at their default sizes for one epoch on few
examples, and writes `export_times.csv`: milliseconds for one example (median), beside
Keras' own `predict`.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from shared.core.errors import UserError  # noqa: E402
from shared.core.files import to_csv, write_text  # noqa: E402

RESULTS = PROJECT / "results" / "benchmarks"
REPEATS = 30


VARIANTS = (
    ("keras", "none"), ("savedmodel", "none"), ("onnx", "none"), ("litert", "none"),
    ("litert", "float16"), ("litert", "int8"),
)  # fmt: skip
SIZED = {
    "imdb_gru": ("--data", "sample", "--limit", "400", "--length", "500"),
    "weather_gru": ("--data", "sample", "--limit", "4000"),
    "series_gru": ("--data", "sample"),
}
"""Recipe -> flags that keep its default size and need little time."""


def train(recipe: str, folder: Path, *flags: str) -> Any:
    """Return a run of a recipe after one epoch.

    Args:
        recipe: Its name, with underscores.
        folder: Gets its data and its run.
        flags: Without any, network and data are small, as in the tests.
    """
    from shared.commands.recipe import main as run_recipe
    from shared.runs.reader import find_runs
    from tests.recipes.own_texts import train_texts
    from tests.recipes.own_writings import train_writer
    from tests.recipes.training_runs import load, train_reviews, train_series

    with contextlib.redirect_stdout(io.StringIO()):
        if flags:
            module, place = load(recipe), str(folder / "runs")
            own = [*flags, "--epochs", "1", "--results-dir", place]
            run_recipe(module.Config, module.run, own)
            return find_runs(folder / "runs")[0]
        ways: dict[str, Callable] = {
            "imdb": train_reviews, "text": train_texts, "writer": train_writer,
        }  # fmt: skip
        way = ways.get(recipe.partition("_")[0], train_series)
        words = {f"word{rank}": rank for rank in range(1, 31)}
        (folder / "imdb_word_index.json").write_text(json.dumps(words))
        return way(recipe, folder, "--epochs", "1")


def export(run: Any, form: str, quantize: str, folder: Path) -> dict[str, Any]:
    """Return the row of one export."""
    from shared.inference.export.__main__ import Options, export_run

    row: dict[str, Any] = {
        "recipe": run.recipe, "format": form, "quantize": quantize, "reason": "",
        "largest_difference": "", "bytes": "",
    }  # fmt: skip
    folder.mkdir()
    options = Options(str(run.path), format=form, quantize=quantize, examples=50)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            manifest = export_run(run, options, folder)
    except UserError as error:
        return row | {"reason": str(error)}
    return row | {
        "largest_difference": f"{manifest['check']['largest_difference']:.1e}",
        "bytes": manifest["bytes"],
    }


def time_formats(run: Any, folder: Path) -> list[dict[str, Any]]:
    """Return a row for each format of one run: milliseconds of one example."""
    from shared.inference.export.formats import FORMATS
    from shared.inference.export.interface import take_inputs
    from shared.inference.load_model import load_model
    from shared.inference.rebuild import rebuild_run

    with contextlib.redirect_stdout(io.StringIO()):
        inputs = take_inputs(rebuild_run(run).data.test, slice(0, 1))
    model = load_model(run.path, restore=False)
    one = inputs if inputs[1:] else inputs[0]
    calls = {"keras_predict": lambda: model.predict(one, verbose=0)}
    sizes = {}
    for form, quantize in VARIANTS:
        name = _name({"format": form, "quantize": quantize})
        row = export(run, form, quantize, folder / name)
        if row["reason"]:
            continue
        predict = FORMATS[form].load(folder / name / FORMATS[form].file)
        calls[name] = functools.partial(predict, inputs)
        sizes[name] = row["bytes"]
    found = measure(calls)
    shape = " x ".join(map(str, inputs[0].shape[1:]))
    return [
        {"recipe": run.recipe, "inputs": shape, "format": name,
         "milliseconds": f"{value:.3g}", "bytes": sizes.get(name, "")}
        for name, value in found.items()
    ]  # fmt: skip


def measure(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median milliseconds of each call. They take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for k in range(REPEATS + 2):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if k >= 2:
                seconds[name].append(time.perf_counter() - start)
    return {name: 1000 * statistics.median(each) for name, each in seconds.items()}


def write_tables(rows: list[dict[str, Any]]) -> None:
    """Write the CSV and the Markdown table."""
    write_text(RESULTS / "export.csv", to_csv(rows))
    names = list(dict.fromkeys(_name(row) for row in rows))
    lines = [
        "Made by `make bench-export`, on small networks (3 units). Each cell: the "
        "largest difference to the original on 50 test examples, and bytes.",
        "",
        f"| recipe | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    reasons: dict[str, int] = {}
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        own = {_name(row): row for row in rows if row["recipe"] == recipe}
        cells = [_format(own[name], reasons) for name in names]
        lines.append(f"| {recipe} | {' | '.join(cells)} |")
    lines += ["", *(f"{k}: {reason}" for reason, k in reasons.items())]
    write_text(RESULTS / "export.md", "\n".join(lines) + "\n")


def _name(row: dict[str, Any]) -> str:
    parts = (row["format"], row["quantize"])
    return " ".join(part for part in parts if part != "none")


def _format(row: dict[str, Any], reasons: dict[str, int]) -> str:
    if row["reason"]:
        return f"refused ({reasons.setdefault(row['reason'], len(reasons) + 1)})"
    return f"{row['largest_difference']}; {int(row['bytes']):,}"


def main() -> None:
    """Export all recipes, or those that the command line names; or measure times."""
    from shared.core.recipes import list_recipes

    if sys.argv[1:] == ["--times"]:
        rows = []
        for recipe, flags in SIZED.items():
            with tempfile.TemporaryDirectory() as folder:
                rows += time_formats(train(recipe, Path(folder), *flags), Path(folder))
        write_text(RESULTS / "export_times.csv", to_csv(rows))
        print((RESULTS / "export_times.csv").read_text(encoding="utf-8"))
        return
    wanted = [name.replace("-", "_") for name in sys.argv[1:]]
    recipes = [
        name.replace("-", "_") for name, one in list_recipes().items() if one.reference
    ]
    rows = []
    for recipe in wanted or recipes:
        with tempfile.TemporaryDirectory() as folder:
            run = train(recipe, Path(folder))
            for form, quantize in VARIANTS:
                target = Path(folder, f"{form}-{quantize}")
                rows.append(export(run, form, quantize, target))
                shown = rows[-1]["reason"] or rows[-1]["largest_difference"]
                print(f"{run.recipe} {form} {quantize}: {shown}", flush=True)
    if not wanted:
        write_tables(rows)
        print(f"Saved {RESULTS / 'export.csv'} and export.md")


if __name__ == "__main__":
    main()
