"""Time and memory of a table with five million rows, up to the first trained batch.

    python benchmarks/million_rows.py                 # --rows 100000 for a quick look

Writes a table of ten columns, a row a minute, into a temporary folder. One process
reads it as `series-gru` does with nine columns as `--inputs`, splits it in time, builds
the network and trains one batch of 32 windows in Keras' loop. Imports count in the
memory and not in the time. The goal is at most 30 seconds and 3 GB for five million
rows. Writes results/benchmarks/million_rows.csv.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text

TARGET = PROJECT / "results" / "benchmarks" / "million_rows.csv"
GOAL_ROWS, SECONDS, GIGABYTES = 5_000_000, 30, 3
COLUMNS = tuple("abcdefghij")
CHUNK = 250_000  # rows that are written at a time
TRAIN = """
import json, resource, sys, time
from pathlib import Path
import keras, numpy as np, pandas
from recipes.series_gru import Config, build_model, load_data
from shared.data.feeding import feed
from shared.data.series.config import SeriesConfig
from shared.layers.recurrent import GRUConfig
columns = tuple("bcdefghij")
series = SeriesConfig(
    horizon=24, file=Path(sys.argv[1]), time="time", target=("a",), inputs=columns
)
times = [(time.perf_counter(), time.process_time())]
config = Config(series, GRUConfig(units=64, kernel="keras"))
data = load_data(config)
times.append((time.perf_counter(), time.process_time()))
model = build_model(config, data)
model.compile("adam", data.task.loss)
first = feed(data.train, 32, shuffle_seed=0)["x"].take(1)
(loss,) = model.fit(first, verbose=0).history["loss"]
times.append((time.perf_counter(), time.process_time()))
assert np.isfinite(loss)
print(json.dumps({
    "windows": len(data.train) + len(data.validation) + len(data.test),
    "load_seconds": round(times[1][0] - times[0][0], 1),
    "seconds": round(times[2][0] - times[0][0], 1),
    "processor_seconds": round(times[2][1] - times[0][1], 1),
    "peak_gb": round(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2
    )}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=GOAL_ROWS)
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args()
    if options.rows < 10_000:
        parser.error("--rows: takes 10,000 or more.")
    with tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary) / "minutes.csv"
        write_table(table, options.rows)
        print(f"{options.rows:,} rows, {table.stat().st_size / 1e6:.0f} MB", flush=True)
        row = {"rows": options.rows, "columns": len(COLUMNS)} | train(table)
    print(", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in row))
    if options.rows >= GOAL_ROWS:
        fits = row["seconds"] <= SECONDS and row["peak_gb"] <= GIGABYTES
        print(f"At most {SECONDS} s and {GIGABYTES} GB: {'yes' if fits else 'no'}")
    write_text(options.output, to_csv([row]))
    print(f"Saved {options.output}")


def write_table(path: Path, count: int) -> None:
    """Write `count` minutes of daily waves with noise, in columns a to j."""
    random = np.random.default_rng(0)
    for first in range(0, count, CHUNK):
        steps = np.arange(first, min(first + CHUNK, count))
        waves = np.sin(2 * np.pi * steps / 1440)[:, None] * np.arange(1, 11)
        values = np.round(waves + random.normal(size=waves.shape), 3)
        times = np.datetime64("2010-01-01T00:00") + steps.astype("timedelta64[m]")
        part = pd.DataFrame(values, columns=list(COLUMNS))
        part.insert(0, "time", np.datetime_as_string(times))
        part.to_csv(path, mode="a", header=first == 0, index=False)


def train(table: Path) -> dict[str, float]:
    """Read the table and train one batch in a process of its own; return figures."""
    command = [sys.executable, "-c", TRAIN, str(table)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=PROJECT
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
