"""Tables of `series.py` and `series_recipes.py`: errors, intervals, and a verdict.

    python benchmarks/series_table.py

Reads results/benchmarks/series_peers.csv and series_recipes.csv, and writes
series_table.md beside them. A cell is the mean over the seeds.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections import defaultdict
from pathlib import Path

from shared.core.environment import PROJECT
from shared.core.files import write_text

FOLDER = PROJECT / "results" / "benchmarks"
CONFIDENCE = 0.95
FEWEST = 3  # seeds of a series that counts in the mean of all

Rows = list[dict[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    peers = read(folder / "series_peers.csv", "peer")
    ours = read(folder / "series_recipes.csv", "recipe")
    content = "\n".join(
        [
            "# Forecasts of public series",
            "",
            "Made by `python benchmarks/series_table.py`. Columns: series and horizon.",
            "A cell is the mean over the seeds; their number stands in brackets.",
            "",
            *write_table(ours + peers, "mae", "Mean absolute error, test part"),
            *write_table(ours + peers, "coverage_80", "Coverage of 80 % intervals"),
            *write_table(ours + peers, "width_80", "Mean width of 80 % intervals"),
            *write_table(ours + peers, "coverage_95", "Coverage of 95 % intervals"),
            *compare_with_ridge(ours),
        ]
    )
    write_text(folder / "series_table.md", content + "\n")
    print(content)


def read(path: Path, column: str) -> Rows:
    """Return the rows of a csv file, with the forecaster's name as `name`."""
    with path.open(newline="") as lines:
        return [row | {"name": row[column]} for row in csv.DictReader(lines)]


def write_table(rows: Rows, column: str, title: str) -> list[str]:
    """Return a table of a column: a row per forecaster, a column per series."""
    values = defaultdict(list)
    for row in rows:
        if row[column] not in ("", "nan"):
            values[row["name"], task(row)].append(float(row[column]))
    tasks = list(dict.fromkeys(task(row) for row in rows))
    names = list(dict.fromkeys(row["name"] for row in rows))
    lines = [f"## {title}", "", f"| | {' | '.join(tasks)} |", "|---" * (len(tasks) + 1)]
    lines[-1] += "|"
    for name in names:
        cells = [format_cell(values.get((name, one), [])) for one in tasks]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def compare_with_ridge(rows: Rows) -> list[str]:
    """Return, for each recipe and series, the lead over its own ridge in MASE."""
    leads = defaultdict(dict)
    for row in rows:
        scale = float(row["mase"]) / float(row["mae"])
        lead = (float(row["ridge_mae"]) - float(row["mae"])) * scale
        leads[row["name"], task(row)][int(row["seed"])] = lead
    lines = [
        "## Lead over ridge, in MASE",
        "",
        "Above 0: the network is better. In brackets: the 95 % interval over the seeds",
        "(Student's t). Ridge reads the same windows and columns, the calendar too.",
        "The ridge in the tables above reads the values alone. The mean is over series",
        f"with at least {FEWEST} seeds.",
        "",
        "| recipe | series | lead | seeds |",
        "|---|---|---|---|",
    ]
    for (name, one), by_seed in leads.items():
        values = list(by_seed.values())
        lines.append(f"| {name} | {one} | {format_interval(values)} | {len(values)} |")
    for name in dict.fromkeys(name for name, _ in leads):
        found = [
            by_seed
            for (recipe, _), by_seed in leads.items()
            if recipe == name and len(by_seed) >= FEWEST
        ]
        if not found:
            continue
        seeds = set.intersection(*(set(by_seed) for by_seed in found))
        means = [statistics.mean(one[seed] for one in found) for seed in sorted(seeds)]
        if means:
            lines.append(
                f"| {name} | mean of {len(found)} | {format_interval(means)} "
                f"| {len(means)} |"
            )
    return lines


def task(row: dict[str, str]) -> str:
    """Return series and horizon of a row: `co2, 13`."""
    return f"{row['series']}, {row['horizon']}"


def format_cell(values: list[float]) -> str:
    """Return a mean with the number of seeds."""
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.4g}"
    return mean if len(values) == 1 else f"{mean} ({len(values)})"


def format_interval(values: list[float]) -> str:
    """Return a mean with its interval, if there are two values or more."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:+.3f}"
    from scipy.stats import t

    error = statistics.stdev(values) / len(values) ** 0.5
    half = t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * error
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


if __name__ == "__main__":
    main()
