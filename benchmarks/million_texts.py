"""Time and memory of loading, splitting and tokenising a million short texts.

    make bench-texts                          # ARGS="--texts 100000" for a quick look

Writes a table of generated texts, 4 to 20 words each, into a temporary folder. One text
of a hundred is a copy of another. Each load is a process of its own, as in `text-gru`:
it reads the table, groups copies, splits, cuts the texts into words, learns the
vocabulary and pads. The first load has an empty cache, and the second finds the tokens
in it. Imports count in the memory and not in the time. The goal is at most 90 seconds
and 4 GB. Writes results/benchmarks/million_texts.csv, with the number of texts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from shared.core.environment import PROJECT
from shared.core.files import to_csv, write_text

TARGET = PROJECT / "results" / "benchmarks" / "million_texts.csv"
GOAL_TEXTS, SECONDS, GIGABYTES = 1_000_000, 90, 4
WORDS = 50_000
LABELS = ("bad", "fair", "good")
CHUNK = 100_000  # texts that are written at a time
LOAD = """
import json, resource, sys, time
from pathlib import Path
from shared.data.text.config import TextConfig
from shared.data.text.dataset import load_text
start = time.perf_counter(), time.process_time()
data = load_text(TextConfig(file=Path(sys.argv[1]), text="text", label="label"), seed=0)
wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
parts = data.train, data.validation, data.test
print(json.dumps({
    "texts": sum(map(len, parts)), "seconds": round(wall, 1),
    "processor_seconds": round(cpu, 1), "peak_gb":
    round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2)}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=GOAL_TEXTS)
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args()
    if options.texts < 1000:
        parser.error("--texts: takes 1,000 or more.")
    with tempfile.TemporaryDirectory() as temporary:
        table = Path(temporary) / "texts.csv"
        write_table(table, options.texts)
        print(f"{options.texts:,} texts, {table.stat().st_size / 1e6:.0f} MB")
        environment = os.environ | {"RNN_RECIPES_CACHE": f"{temporary}/cache"}
        rows = [
            {"load": name} | load(table, environment)
            for name in ("first", "from cache")
        ]
    for row in rows:
        assert row["texts"] == options.texts, row
        print(", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in row))
    if options.texts >= GOAL_TEXTS:
        fits = all(r["seconds"] <= SECONDS and r["peak_gb"] <= GIGABYTES for r in rows)
        print(f"At most {SECONDS} s and {GIGABYTES} GB: {'yes' if fits else 'no'}")
    write_text(options.output, to_csv(rows))
    print(f"Saved {options.output}")


def write_table(path: Path, count: int) -> None:
    """Write a table with the columns `text` and `label`.

    Args:
        path: Of the table.
        count: Number of texts. Words are as frequent as in a language (Zipf's law).
    """
    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    names = np.array(
        ["".join(random.choice(letters, random.integers(2, 10))) for _ in range(WORDS)]
    )
    shares = 1 / np.arange(1, WORDS + 1)
    shares /= shares.sum()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for first in range(0, count, CHUNK):
            lengths = random.integers(4, 21, min(CHUNK, count - first))
            words = names[random.choice(WORDS, lengths.sum(), p=shares)].tolist()
            ends = np.cumsum(lengths)
            labels = random.integers(0, len(LABELS), len(lengths))
            rows = [
                (" ".join(words[end - length : end]).capitalize() + ".", LABELS[label])
                for end, length, label in zip(ends, lengths, labels, strict=True)
            ]
            for k in range(0, len(rows) - 1, 100):
                rows[k] = f"{rows[k + 1][0]}!", rows[k + 1][1]
            writer.writerows(rows)


def load(table: Path, environment: dict[str, str]) -> dict[str, float]:
    """Load the table in a process of its own; return its figures."""
    command = [sys.executable, "-c", LOAD, str(table)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True,
        cwd=PROJECT,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
