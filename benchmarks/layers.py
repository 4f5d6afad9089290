"""One recurrent layer at many sizes: ours beside Keras, XLA, BlockLSTM and PyTorch.

    make bench-layers                               # about a quarter of an hour
    make bench-layers ARGS="--peer-python PYTHON"   # one that has PyTorch
    make bench-layers ARGS="--inference"            # forward alone, with ONNX Runtime

Each library waits in a process of its own. For every size the processes take turns, so
a slow moment of the machine meets all of them. The table has medians, and two ratios:
how many times faster ours is than the best of the others, and which share of the
processor's peak it reaches. The peak is a large product of NumPy (BLAS), measured in
each turn, on as many cores.

Writes results/benchmarks/layers_512_bits.csv and .md, named by the vectors of the
processor, or layers_inference_512_bits.*.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from shared.core.environment import PROJECT, count_cores, describe_machine
from shared.core.files import to_csv, write_text
from shared.kernels.loop.vectors import count_bits

RESULTS = PROJECT / "results" / "benchmarks"
WORKER = PROJECT / "benchmarks" / "peers" / "layer.py"
OURS = "compiled"
CELLS = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
UNITS = (16, 32, 64, 128, 256, 512)
# Batch and steps. Each is varied alone, and the sizes of the published tables follow.
SIZES = ((64, 100), (16, 100), (128, 220), (512, 50), (128, 500))
LARGEST = 45e9  # multiplications and additions of a case
HERE = (OURS, "keras", "xla", "block")
PEERS = ("torch", "onnxruntime")
LSTM_ONLY, INFERENCE_ONLY = ("block",), ("onnxruntime",)
PAUSE = 0.2  # seconds; threads of BLAS and OpenMP stay active for a while
PEAK = 1024  # rows of the large product


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--inference", action="store_true", help="forward alone")
    parser.add_argument("--units", type=int, nargs="+", default=UNITS)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    parser.add_argument("--sizes", nargs="+", help="batch x steps, as 64x100")
    parser.add_argument("--without", nargs="+", default=["xla"],
                        choices=(*HERE[1:], *PEERS), help="leave out; XLA is slow to "
                        "compile for each size")  # fmt: skip
    parser.add_argument("--to", type=Path, default=RESULTS)
    options = parser.parse_args()
    sizes = SIZES
    if options.sizes:
        sizes = [tuple(map(int, size.split("x"))) for size in options.sizes]
    workers = dict(start_workers(options))
    rows = []
    for cell in options.cells:
        for units in options.units:
            for batch, steps in sizes:
                case = {"cell": cell, "batch": batch, "steps": steps, "units": units,
                        "backward": not options.inference}  # fmt: skip
                if count_work(case) <= LARGEST:
                    rows.append(measure(case, workers, options.repeats))
                    print(json.dumps(rows[-1]), flush=True)
    for worker in workers.values():
        worker.close()
    kind = "layers_inference" if options.inference else "layers"
    name = f"{kind}_{count_bits()}_bits"
    write_text(options.to / f"{name}.csv", to_csv(rows))
    write_text(options.to / f"{name}.md", write_table(rows, options.inference))


def count_work(case: dict) -> float:
    """Return the multiplications and additions of the products of a layer."""
    gates, units = CELLS[case["cell"]], case["units"]
    forward = 2 * case["batch"] * case["steps"] * 2 * units * gates * units
    return forward * (3 if case["backward"] else 1)


class Worker:
    """A process that runs a layer of one library when asked."""

    def __init__(self, python: str, library: str) -> None:
        """Start it."""
        self.library = library
        self.process = subprocess.Popen(
            [python, str(WORKER), library], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, cwd=PROJECT,
            env=None if python == sys.executable else clean_environment(),
        )  # fmt: skip
        self.ready = self.process.stdout.readline().strip() == "ready"

    def ask(self, case: dict) -> dict:
        """Run a case once; the answer has milliseconds, or why it cannot."""
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"problem": "the process ended"}

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait()


def clean_environment() -> dict[str, str]:
    """Return the environment without the paths of this Python's packages."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def start_workers(options: argparse.Namespace) -> Iterator[tuple[str, Worker]]:
    """Start a process per library that is there."""
    for library in ("peak", *HERE, *PEERS):
        if library in options.without:
            continue
        if library in INFERENCE_ONLY and not options.inference:
            continue
        python = options.peer_python if library in PEERS else sys.executable
        worker = Worker(python, library)
        if worker.ready:
            yield library, worker
        else:
            print(f"Left out: {library} is not installed in {python}", flush=True)


def measure(case: dict, workers: dict[str, Worker], repeats: int) -> dict:
    """Return a row of the table: medians over the turns of all libraries."""
    times: dict[str, list[float]] = {library: [] for library in workers}
    for turn in range(repeats + 1):
        for library, worker in workers.items():
            if library in LSTM_ONLY and case["cell"] != "LSTM":
                continue
            time.sleep(PAUSE)
            answer = worker.ask(case)
            if turn and "ms" in answer:  # the first one builds and compiles
                times[library].append(answer["ms"])
    medians = {name: statistics.median(found) for name, found in times.items() if found}
    peak = 2 * PEAK**3 / medians.pop("peak")
    ratios = [
        min(others) / ours
        for ours, *others in zip(
            times[OURS], *(times[name] for name in medians if name != OURS),
            strict=False,
        )
    ]  # fmt: skip
    return (
        {key: value for key, value in case.items() if key != "backward"}
        | {f"{name}_ms": round(medians.get(name, math.nan), 3)
           for name in workers if name != "peak"}
        | {
            "faster_than_best": round(statistics.median(ratios), 2) if ratios else "",
            "share_of_peak": round(count_work(case) / medians[OURS] / peak, 3),
            "peak_gflops": round(peak / 1e6, 1),
        }
    )  # fmt: skip


def write_table(rows: list[dict], inference: bool) -> str:
    """Return the page with the table."""
    versions = describe_machine()["versions"]
    ratios = [row["faster_than_best"] for row in rows if row["faster_than_best"]]
    mean = math.exp(statistics.fmean(map(math.log, ratios))) if ratios else math.nan
    names = [key for key in rows[0] if key.endswith("_ms")]
    lines = [
        f"# One layer, {'forward alone' if inference else 'forward and backward'}",
        "",
        f"Made by `{write_command()}`.",
        f"Processor: {read_processor()}, {count_cores()} cores. TensorFlow "
        f"{versions['tensorflow']}, Keras {versions['keras']}.",
        "Milliseconds: medians of turns. Features are as many as units.",
        "Share of peak: of a large product of NumPy in the same turns.",
        "",
        f"Geometric mean over {len(ratios)} sizes: ours is {mean:.1f} times faster "
        "than the best of the others. Slower at "
        f"{sum(ratio < 1 for ratio in ratios)}.",
        "",
        "| layer | batch x steps | units | "
        + " | ".join(name.removesuffix("_ms") for name in names)
        + " | faster than best | share of peak |",
        "|---|---|---|" + "---|" * (len(names) + 2),
    ]
    for row in rows:
        cells = [
            row["cell"], f"{row['batch']} x {row['steps']}", row["units"],
            *("-" if math.isnan(row[name]) else f"{row[name]:.3g}" for name in names),
            row["faster_than_best"], f"{row['share_of_peak']:.0%}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def write_command() -> str:
    """Return the command of the table, without places of this machine."""
    flags = sys.argv[1:]
    for name in ("--peer-python", "--to"):
        if name in flags:
            place = flags.index(name)
            del flags[place : place + 2]
    return (
        f'make bench-layers ARGS="{" ".join(flags)}"' if flags else "make bench-layers"
    )


def read_processor() -> str:
    """Return the processor's name and its widest vectors."""
    name = platform.processor() or platform.machine()
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, vectors of {count_bits()} bits"


if __name__ == "__main__":
    started = time.time()
    main()
    print(f"{time.time() - started:.0f} s")
