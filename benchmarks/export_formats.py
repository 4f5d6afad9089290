"""Export every recipe to every format, and compare size, difference and time.

make bench-export

Trains each recipe for one epoch on small data, as the tests do. Exports it to each
format and lets both networks predict the test examples. Writes
`results/benchmarks/export.csv` and `export.md`: the largest difference to the original,
bytes on disk, and milliseconds for one example (median), beside Keras' own `predict`.
"""

from __future__ import annotations

import contextlib
import csv
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


def train(recipe: str, folder: Path) -> Any:
    """Return a small run of a recipe (its name has underscores)."""
    from tests.recipes.own_texts import train_texts
    from tests.recipes.own_writings import train_writer
    from tests.recipes.training_runs import train_reviews, train_series

    ways: dict[str, Callable] = {
        "imdb": train_reviews, "text": train_texts, "writer": train_writer,
    }  # fmt: skip
    way = ways.get(recipe.partition("_")[0], train_series)
    words = {f"word{rank}": rank for rank in range(1, 31)}
    (folder / "imdb_word_index.json").write_text(json.dumps(words))
    with contextlib.redirect_stdout(io.StringIO()):
        return way(recipe, folder, "--epochs", "1")


def export(run: Any, form: str, quantize: str, folder: Path) -> dict[str, Any]:
    """Return the row of one export."""
    from shared.inference.export.__main__ import Options, export_run
    from shared.inference.export.formats import FORMATS
    from shared.inference.export.interface import take_inputs
    from shared.inference.load_model import load_model
    from shared.inference.rebuild import rebuild_run

    row: dict[str, Any] = {
        "recipe": run.recipe, "format": form, "quantize": quantize, "reason": "",
        "largest_difference": "", "bytes": "", "ms": "", "keras_ms": "",
    }  # fmt: skip
    folder.mkdir()
    options = Options(str(run.path), format=form, quantize=quantize, examples=50)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            manifest = export_run(run, options, folder)
    except UserError as error:
        return row | {"reason": str(error)}
    inputs = take_inputs(rebuild_run(run).data.test, slice(0, 1))
    model = load_model(run.path, restore=False)
    one = inputs if inputs[1:] else inputs[0]
    predict = FORMATS[form].load(folder / manifest["file"])
    return row | {
        "largest_difference": f"{manifest['check']['largest_difference']:.1e}",
        "bytes": manifest["bytes"],
        "ms": f"{measure(lambda: predict(inputs)):.3g}",
        "keras_ms": f"{measure(lambda: model.predict(one, verbose=0)):.3g}",
    }


def measure(call: Callable[[], Any]) -> float:
    """Return the median of milliseconds of a call, after two calls."""
    seconds = []
    for _ in range(REPEATS + 2):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[2:])


def write_tables(rows: list[dict[str, Any]]) -> None:
    """Write the CSV and the Markdown table."""
    write_text(RESULTS / "export.csv", to_csv(rows))
    names = list(dict.fromkeys(_name(row) for row in rows))
    lines = [
        "Made by `make bench-export`. Each cell: the largest difference to the "
        "original on 50 test examples; bytes; milliseconds for one example. The "
        "networks are small (3 units), so the times are those of the runtimes.",
        "",
        f"| recipe | {' | '.join(names)} | Keras' predict, ms |",
        f"|---|{'---|' * (len(names) + 1)}",
    ]
    reasons: dict[str, int] = {}
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        own = {_name(row): row for row in rows if row["recipe"] == recipe}
        cells = [_format(own[name], reasons) for name in names]
        times = [float(row["keras_ms"]) for row in own.values() if row["keras_ms"]]
        speed = f"{statistics.median(times):.3g}" if times else "-"
        lines.append(f"| {recipe} | {' | '.join(cells)} | {speed} |")
    lines += ["", *(f"{k}: {reason}" for reason, k in reasons.items())]
    write_text(RESULTS / "export.md", "\n".join(lines) + "\n")


def _name(row: dict[str, Any]) -> str:
    parts = (row["format"], row["quantize"])
    return " ".join(part for part in parts if part != "none")


def _format(row: dict[str, Any], reasons: dict[str, int]) -> str:
    if row["reason"]:
        return f"refused ({reasons.setdefault(row['reason'], len(reasons) + 1)})"
    return f"{row['largest_difference']}; {int(row['bytes']):,}; {row['ms']}"


def main() -> None:
    """Export all, or the recipes that the command line names."""
    from shared.core.recipes import list_recipes

    wanted = [name.replace("-", "_") for name in sys.argv[1:]]
    recipes = [
        name.replace("-", "_") for name, one in list_recipes().items() if one.reference
    ]
    rows = []
    for recipe in wanted or recipes:
        with tempfile.TemporaryDirectory() as folder:
            run = train(recipe, Path(folder))
            for form, quantize in (
                ("keras", "none"), ("savedmodel", "none"), ("onnx", "none"),
                ("litert", "none"), ("litert", "float16"), ("litert", "int8"),
            ):  # fmt: skip
                target = Path(folder, f"{form}-{quantize}")
                rows.append(export(run, form, quantize, target))
                shown = rows[-1]["reason"] or rows[-1]["largest_difference"]
                print(f"{run.recipe} {form} {quantize}: {shown}", flush=True)
    if not wanted:
        write_tables(rows)
        with (RESULTS / "export.csv").open() as file:
            print(f"Saved {RESULTS}/export.csv, {len(list(csv.reader(file)))} lines")


if __name__ == "__main__":
    main()
