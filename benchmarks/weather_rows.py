"""One epoch of weather-gru on a year of weather, and on ten: seconds and memory.

    make bench-weather ARGS="--data-dir FOLDER --repeats 2"

Needs weather_jena_2020.csv[.gz]. The ten years are its rows ten times, one year after
the other. Each repeat runs both once, for two epochs, in new processes. Only the second
epoch counts, because the first one also builds the graph. The memory is the peak
between the opening and the end of the run folder. Writes
results/benchmarks/weather_rows.csv.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text
from shared.data.weather.dataset import FILES
from shared.runs.reader import find_runs

TIMES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", default=os.environ.get("RNN_RECIPES_DATA"))
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    found = [Path(options.data_dir or ".") / name for name in FILES["jena-2020"]]
    found = [path for path in found if path.is_file()]
    if not found:
        parser.error(f"--data-dir: no {' or '.join(FILES['jena-2020'])} found there")
    runs = {1: [], TIMES: []}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {1: found[0].parent, TIMES: _repeat(found[0], Path(scratch))}
        for repeat in range(options.repeats):
            for times, folder in folders.items():
                runs[times].append(_run(folder, Path(scratch) / f"{times}-{repeat}"))
                epoch, memory = runs[times][-1][:2]
                print(repeat + 1, f"{times} x", f"{epoch:.1f} s", f"{memory} MB")
    rows = [_summarise(times, figures, runs[1]) for times, figures in runs.items()]
    target = PROJECT / "results" / "benchmarks" / "weather_rows.csv"
    write_text(target, to_csv(rows))
    print(to_csv(rows))
    print(f"Saved {target}")


def _repeat(path: Path, folder: Path) -> Path:
    """Write the rows of a file several times, in time order."""
    table = pd.read_csv(path, encoding_errors="replace")
    date = table.columns[0]
    times = pd.to_datetime(table[date])
    length = times.iloc[-1] - times.iloc[0] + pd.Timedelta(minutes=10)
    years = [table.assign(**{date: times + k * length}) for k in range(TIMES)]
    pd.concat(years).to_csv(folder / FILES["jena-2020"][0], index=False)
    return folder


def _run(folder: Path, results: Path) -> tuple[float, int, int, int]:
    """Return seconds of the second epoch, peak MB, rows and training windows."""
    flags = ["--data", "jena-2020", "--data-dir", str(folder), "--epochs", "2"]
    recipe = str(PROJECT / "recipes" / "weather_gru.py")
    command = [sys.executable, recipe, *flags, "--results-dir", str(results)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (run,) = find_runs(results)
    facts = run.config["data_facts"]
    return (
        run.history["seconds"][1],
        run.summary["peak_memory_mb"],
        facts["rows"],
        facts["examples"]["train"],
    )


def _summarise(times: int, figures: list[tuple], single: list[tuple]) -> dict:
    """Return a row of the table: medians, and ratios to the single year."""

    def median(k: int, of: list[tuple]) -> float:
        return statistics.median(figure[k] for figure in of)

    rows, windows = figures[0][2:]
    num_features = 26  # columns of this file as the network reads them
    return {
        "years": times,
        "rows": rows,
        "training_windows": windows,
        "repeats": len(figures),
        "epoch_seconds": round(median(0, figures), 2),
        "ratio": round(median(0, figures) / median(0, single), 2),
        "peak_mb": round(median(1, figures)),
        "more_mb": round(median(1, figures) - median(1, single)),
        "rows_mb": round(rows * num_features * 4 / 1e6, 1),
        "windows_if_all_were_cut_mb": round(windows * 120 * num_features * 4 / 1e6),
    }


if __name__ == "__main__":
    main()
