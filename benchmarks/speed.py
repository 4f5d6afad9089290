"""How fast the recipes train, technique by technique, compared with others.

    make bench ARGS="--data-dir FOLDER --repeats 3"
    make bench ARGS="--only cost"            # epochs, runs, cost, products, pictures

Every case runs in a new process, and each repeat runs every case once. `epochs`:
seconds of an epoch after the first, with its validation, on --reviews reviews. `runs`:
ten epochs on all reviews, from the start of the process to its end, and five seeds.
`cost`: one layer, forward and backward, for several lengths, units and batch sizes.
`products`: a layer, compared with its matrix products alone in NumPy. PyTorch and Keras
on JAX run where they are installed (benchmarks/peers/requirements.txt; --peer-python
names the Python that has them).

Writes results/benchmarks/speed.csv, runs.csv, cost.csv, products.csv and pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import ThreadpoolController

from recipes.weather_stacked_gru import Config as WeatherRecipe
from shared.core.environment import (
    PROJECT,
    count_cores,
    describe_machine,
    peak_memory_mb,
    reset_peak_memory,
)
from shared.core.files import to_csv, write_text
from shared.data.imdb.reviews import ReviewsConfig, load_reviews
from shared.data.weather.dataset import load_weather
from shared.runs.reader import find_runs

RESULTS = PROJECT / "results" / "benchmarks"
PEERS = PROJECT / "benchmarks" / "peers"
FIXED = ("--batching", "fixed")
KERAS = ("--kernel", "keras", *FIXED)
BUCKETED = ("--batching", "bucketed")
ALL_REVIEWS = 20_000  # training reviews without a limit
TOGETHER = "10"  # steps per execution
WEATHER = WeatherRecipe().weather


@dataclass(frozen=True)
class BenchCase:
    """One row of the table.

    Attributes:
        table: Which table it belongs to.
        name: What runs.
        recipe: File name of a recipe, or of a script below `peers`.
        flags: Of the recipe, or the arguments of the script.
        backend: Of Keras.
    """

    table: str
    name: str
    recipe: str
    flags: tuple[str, ...] = ()
    backend: str = "tensorflow"

    @property
    def is_plain(self) -> bool:
        """Whether the other cases are compared with this one."""
        return self.recipe.startswith("plain_")

    @property
    def is_script(self) -> bool:
        """Whether it is a script of others, not a recipe."""
        return self.is_plain or self.recipe == "torch_gru"


STACKED = "imdb-gru, one technique after the other"
ALONE = "imdb-gru, each technique alone"
PEER = "imdb-gru, others"
RECIPES = "recipes"
CASES = [
    BenchCase(STACKED, "plain Keras script", "plain_keras", ("gru",)),
    BenchCase(STACKED, "recipe on Keras' loop", "imdb_gru", KERAS),
    BenchCase(STACKED, "+ compiled loop, one core", "imdb_gru",
              (*FIXED, "--threads", "1")),
    BenchCase(STACKED, "+ all cores", "imdb_gru", FIXED),
    BenchCase(STACKED, "+ bucketed, masked batches", "imdb_gru", BUCKETED),
    BenchCase(STACKED, f"+ {TOGETHER} steps per execution", "imdb_gru",
         (*BUCKETED, "--steps-per-execution", TOGETHER)),
    BenchCase(STACKED, "+ dense embedding gradient", "imdb_gru",
         (*BUCKETED, "--steps-per-execution", TOGETHER, "--embedding-gradient",
          "dense")),
    BenchCase(ALONE, "compiled loop", "imdb_gru", FIXED),
    BenchCase(ALONE, "bucketed, masked batches", "imdb_gru",
         ("--kernel", "keras", *BUCKETED)),
    BenchCase(ALONE, "dense embedding gradient", "imdb_gru",
         ("--kernel", "keras", "--batching", "fixed", "--embedding-gradient", "dense")),
    BenchCase(ALONE, f"{TOGETHER} steps per execution", "imdb_gru",
         (*KERAS, "--steps-per-execution", TOGETHER)),
    BenchCase(ALONE, "implementation 1", "imdb_gru", (*KERAS, "--implementation", "1")),
    BenchCase(ALONE, "XLA", "imdb_gru", (*FIXED, "--jit", "on")),
    BenchCase(ALONE, "XLA and bucketed", "imdb_gru", (*BUCKETED, "--jit", "on")),
    BenchCase(PEER, "PyTorch nn.GRU, padded", "torch_gru", ("padded",)),
    BenchCase(PEER, "PyTorch nn.GRU, packed", "torch_gru", ("packed",)),
    BenchCase(PEER, "plain Keras script on JAX", "plain_keras", ("gru",), "jax"),
    *(
        BenchCase(RECIPES, f"{name}, {which}", script, flags)
        for name, layer in (
            ("imdb-lstm", "lstm"), ("imdb-simple-rnn", "simple-rnn"),
            ("imdb-bidirectional-lstm", "bidirectional-lstm"),
            ("imdb-gru-dropout", "gru-dropout"),
        )
        for which, script, flags in (
            ("plain Keras script", "plain_keras", (layer,)),
            ("compiled, bucketed", name.replace("-", "_"), BUCKETED),
        )
    ),
    BenchCase(RECIPES, "weather-stacked-gru, plain Keras script", "plain_weather"),
    BenchCase(RECIPES, "weather-stacked-gru, compiled", "weather_stacked_gru"),
]  # fmt: skip


PARTS, PICTURES = ("epochs", "runs", "cost", "products"), "pictures"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", default=os.environ.get("RNN_RECIPES_DATA"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--reviews", type=int, default=ALL_REVIEWS)
    parser.add_argument("--run-repeats", type=int, default=1)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--only", choices=[*PARTS, PICTURES])
    options = parser.parse_args()
    if options.only == PICTURES:  # again, from the tables
        _draw_epochs(_read_rows("speed"))
        _draw_cost(_read_rows("cost"))
        return
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(options, Path(scratch))
        parts: dict[str, Callable[[], None]] = {
            "products": bench.time_products,
            "epochs": bench.time_epochs,
            "runs": bench.time_runs,
            "cost": bench.time_cost,
        }
        for name, part in parts.items():
            if options.only in (None, name):
                part()


class Bench:
    """Run cases and write their times."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        """Remember where data and results are.

        Args:
            options: Parsed flags.
            scratch: Folder for runs and arrays, removed at the end.
        """
        self.options = options
        self.scratch = scratch
        self.count = itertools.count()

    def time_epochs(self) -> None:
        """Time an epoch of every case."""
        arrays = self._write_arrays(self.options.reviews)
        cases = [case for case in CASES if self._can_run(case)]
        figures: dict[BenchCase, list[dict]] = {case: [] for case in cases}
        for repeat in range(self.options.repeats):
            for case in cases:
                try:
                    took = self._run(case, arrays, epochs=3, limit=self.options.reviews)
                except RuntimeError as error:
                    print(f"Left out: {error}", flush=True)
                    continue
                figures[case].append(took)
                times = f"{took['epoch']:.2f} s, first epoch {took['first']:.1f} s"
                print(repeat + 1, case.table, "|", case.name, times, flush=True)
            self._write_epochs(figures)

    def _write_epochs(self, figures: dict[BenchCase, list[dict]]) -> None:
        rows: list[dict] = []
        plain = before = None
        for case, found in figures.items():
            if not found:
                continue
            value = statistics.median(took["epoch"] for took in found)
            if plain is None or (case.table == RECIPES and case.is_plain):
                plain, plain_name = value, case.name
            gain = before / value if case.table == STACKED and before else None
            rows.append(
                {
                    "table": case.table,
                    "case": case.name,
                    "flags": " ".join(case.flags),
                    "repeats": len(found),
                    "epoch_seconds": round(value, 3),
                    "min": round(min(took["epoch"] for took in found), 3),
                    "max": round(max(took["epoch"] for took in found), 3),
                    "times_faster": round(plain / value, 2),
                    "than": plain_name,
                    "gain_over_row_before": "" if gain is None else round(gain, 2),
                    "first_epoch_more_seconds": round(
                        statistics.median(t["first"] - t["epoch"] for t in found), 1
                    ),
                    "peak_mb": round(statistics.median(t["peak_mb"] for t in found)),
                    "training_reviews": self.options.reviews,
                }
            )
            before = value
        write_text(RESULTS / "speed.csv", to_csv(rows))
        conditions = (
            f"Seconds of an epoch after the first, with its validation, on "
            f"{self.options.reviews:,} training reviews (weather: one year): median "
            f"and range of {max(row['repeats'] for row in rows)} interleaved repeats, "
            "each case in a process of its own."
        )
        _write_table("speed", conditions, rows)
        _draw_epochs(rows)

    def time_runs(self) -> None:
        """Time ten epochs of a plain script, of the recipe, and of five seeds."""
        arrays = self._write_arrays(None)
        seeds = ("--seeds", "0-4", "--workers", str(count_cores()))
        cases = {
            "plain Keras script": CASES[0],
            "imdb-gru": BenchCase(STACKED, "", "imdb_gru"),
            "imdb-gru, five seeds, all cores": BenchCase(
                STACKED, "", "imdb_gru", seeds
            ),
        }
        rows: list[dict] = []
        for repeat in range(self.options.run_repeats):
            for name, case in cases.items():
                took = self._run(case, arrays, epochs=10, limit=None)
                rows.append(
                    {
                        "repeat": repeat + 1,
                        "case": name,
                        "epochs": 10,
                        "seconds": round(took["whole"], 1),
                        "epoch_seconds": round(took["epoch"], 2),
                        "test_accuracy": round(took["test"], 4),
                        "times_faster": "",
                    }
                )
                plain = rows[len(cases) * repeat]["seconds"]
                if "five" in name:
                    plain *= 5  # plain scripts, one after the other
                rows[-1]["times_faster"] = round(plain / rows[-1]["seconds"], 2)
                print(rows[-1], flush=True)
                write_text(RESULTS / "runs.csv", to_csv(rows))
        conditions = (
            "Ten epochs on all reviews, from the start of the process to its end; five "
            "seeds against five plain scripts one after the other."
        )
        _write_table("runs", conditions, rows)

    def time_products(self) -> None:
        """Time a step of a layer, and its matrix products alone in NumPy."""
        from keras import layers

        rows = []
        for name, cell in (("GRU", layers.GRU), ("LSTM", layers.LSTM),
                           ("SimpleRNN", layers.SimpleRNN)):  # fmt: skip
            for steps in (220, 500):
                shape = (128, steps, 32)
                products, ours, keras_ = [], [], []
                step, plain = _make_step(cell, 32, shape), _make_step(
                    cell, 32, shape, compiled=False
                )  # fmt: skip
                multiply = _make_products(name, 32, shape)
                for _ in range(2 + 5 * self.options.repeats):
                    products.append(multiply())
                    time.sleep(0.2)  # BLAS threads stay active for a while
                    ours.append(_seconds(step))
                    keras_.append(_seconds(plain))
                found = [statistics.median(t[2:]) for t in (products, ours, keras_)]
                rows.append({
                    "layer": name, "units": 32, "batch": 128, "steps": steps,
                    "products_ms": round(1000 * found[0], 2),
                    "compiled_ms": round(1000 * found[1], 2),
                    "keras_ms": round(1000 * found[2], 2),
                    "compiled_over_products": round(found[1] / found[0], 2),
                    "keras_over_products": round(found[2] / found[0], 2),
                })  # fmt: skip
                print(rows[-1], flush=True)
        write_text(RESULTS / "products.csv", to_csv(rows))
        conditions = (
            "A layer forward and backward, in milliseconds, and its matrix products "
            f"alone in NumPy: medians of {5 * self.options.repeats} interleaved calls."
        )
        _write_table("products", conditions, rows)

    def time_cost(self) -> None:
        """Time one layer while length, units or batch size changes."""
        from keras import layers

        usual = {"steps": 200, "units": 32, "batch": 128}
        ranges = {
            "steps": (50, 100, 200, 500, 1000, 2000),
            "units": (16, 32, 64, 128, 256, 512),
            "batch": (16, 32, 64, 128, 256, 512),
        }
        paths = {
            "Keras": {"compiled": False},
            "Keras under XLA": {"compiled": False, "xla": True},
            "compiled": {"compiled": True},
        }
        rows = []
        for axis, values in ranges.items():
            for value in values:
                size = usual | {axis: value}
                shape = (size["batch"], size["steps"], 32)
                steps, times = {}, {path: [] for path in paths}
                for path, how in paths.items():
                    steps[path] = _make_step(layers.GRU, size["units"], shape, **how)
                    built = _seconds(steps[path])
                    reset_peak_memory()
                    held = peak_memory_mb()
                    steps[path]()
                    rows.append({"axis": axis, **size, "path": path,
                                 "first_seconds": round(built, 2),
                                 "peak_mb": round(peak_memory_mb() - held, 1),
                                 })  # fmt: skip
                for _ in range(2 + self.options.repeats):
                    for path, step in steps.items():
                        times[path].append(_seconds(step))
                for row in rows[-len(paths) :]:
                    found = times[row["path"]][1:]
                    row["milliseconds"] = round(1000 * statistics.median(found), 2)
                    row["min"] = round(1000 * min(found), 2)
                    row["max"] = round(1000 * max(found), 2)
                    print(row, flush=True)
        write_text(RESULTS / "cost.csv", to_csv(rows))
        conditions = (
            "A GRU layer forward and backward, in milliseconds, with one size changed "
            f"at a time: median and range of {self.options.repeats + 1} interleaved "
            "calls; the first call compiles. Peak memory is what a call needs in "
            "addition to the memory of the process before."
        )
        _write_table("cost", conditions, rows)
        _draw_cost(rows)

    def _can_run(self, case: BenchCase) -> bool:
        wanted = {"torch_gru": "torch"}.get(case.recipe, "")
        wanted = "jax" if case.backend == "jax" else wanted
        if not wanted:
            return True
        code = f"import importlib.util as u, sys; sys.exit(not u.find_spec('{wanted}'))"
        there = subprocess.run([self.options.peer_python, "-c", code]).returncode == 0
        if not there:
            print(f"Left out, since {wanted} is not installed: {case.name}")
        return there

    def _run(
        self, case: BenchCase, arrays: Path, epochs: int, limit: int | None
    ) -> dict:
        """Run a case in a process; return seconds, memory and test accuracy."""
        folder = self.scratch / f"run-{next(self.count)}"
        python, env = sys.executable, os.environ | {"KERAS_BACKEND": case.backend}
        weather = "weather" in case.recipe
        if case.is_script:
            if case.recipe == "torch_gru" or case.backend != "tensorflow":
                python = self.options.peer_python
            command = [python, str(PEERS / f"{case.recipe}.py")]
            command += [str(self._write_weather())] if weather else [str(arrays)]
            command += [*case.flags, str(epochs)] + ([] if weather else ["0"])
        else:
            command = [python, str(PROJECT / "recipes" / f"{case.recipe}.py")]
            command += ["--epochs", str(epochs), "--results-dir", str(folder)]
            command += ["--data", "jena-2020" if weather else "imdb", *case.flags]
            if limit is not None and not weather and limit < ALL_REVIEWS:
                command += ["--limit", str(limit)]
            if self.options.data_dir:
                command += ["--data-dir", self.options.data_dir]
        folder.mkdir()
        output = folder / "output.txt"
        started = time.perf_counter()
        with output.open("w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, env=env)
            _, status, usage = os.wait4(process.pid, 0)
        whole = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        lines = output.read_text().splitlines()
        if process.returncode:
            raise RuntimeError(f"{case.name}: {lines[-1] if lines else 'no output'}")
        if case.is_script:
            result = json.loads(lines[-1])
            seconds, test = result["epochs"], result.get("test")
        else:
            runs = find_runs(folder)
            seconds = runs[0].history["seconds"]
            tests = [run.summary["test"]["best"] for run in runs]
            test = statistics.fmean(test.get("test_accuracy", 0) for test in tests)
        return {
            "whole": whole,
            "first": seconds[0],
            "epoch": statistics.median(seconds[1:]),
            "peak_mb": usage.ru_maxrss * 1024 / 1e6,  # of the largest process
            "test": test,
        }

    def _write_weather(self) -> Path:
        """Write the input of the plain weather script: the series and its parts."""
        path = self.scratch / "weather.npz"
        if path.exists():
            return path
        data_dir = self.options.data_dir and Path(self.options.data_dir)
        config = dataclasses.replace(WEATHER, data="jena-2020", data_dir=data_dir)
        splits = load_weather(config)
        parts = {}
        for part in ("train", "validation"):
            windows = getattr(splits, part).inputs
            stop = windows.starts[-1] + config.span + 1
            parts[part] = np.array([windows.starts[0], stop])
        sizes = [config.lookback, config.sampling, config.delay * config.sampling]
        arrays = {"series": windows.series, "degrees": splits.target, "sizes": sizes}
        np.savez(path, **arrays, **parts)
        return path

    def _write_arrays(self, limit: int | None) -> Path:
        """Write the input of the plain scripts: the recipe's split, padded to 500."""
        data_dir = self.options.data_dir and Path(self.options.data_dir)
        config = ReviewsConfig(
            vocabulary=10_000, length=500, keep="end", padding="left", mask=False,
            embedding_size=32, validation_share=0.2, data="imdb", data_dir=data_dir,
            limit=limit if limit is not None and limit < ALL_REVIEWS else None,
        )  # fmt: skip
        splits = load_reviews(config, seed=0)
        path = self.scratch / "reviews.npz"
        arrays = {"x_train": splits.train.inputs, "y_train": splits.train.targets,
                  "x_val": splits.validation.inputs,
                  "y_val": splits.validation.targets}  # fmt: skip
        if limit is None:
            arrays |= {"x_test": splits.test.inputs, "y_test": splits.test.targets}
        np.savez(path, **arrays)
        return path


def _write_table(name: str, conditions: str, rows: Sequence[dict]) -> None:
    """Write a table as a page, with the conditions and the machine above it."""
    facts = describe_machine()
    device = facts["device"]
    versions = ", ".join(f"{key} {value}" for key, value in facts["versions"].items())
    machine = f"{device['machine']}, {device['cpu']}, {device['cores']} cores"
    machine += f", GPU: {', '.join(device['gpus']) or 'none'}"
    lines = [conditions, "", f"{machine}; {versions}.", ""]
    lines += ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    lines += ["| " + " | ".join(str(v) for v in row.values()) + " |" for row in rows]
    write_text(RESULTS / f"{name}.md", "\n".join(lines) + "\n")


def _seconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def _make_step(
    cell: type, units: int, shape: tuple, compiled: bool = True, xla: bool = False
) -> Callable[[], object]:
    """Return a function that runs a layer forward and backward once."""
    import tensorflow as tf
    from keras import layers

    from shared.kernels.compiled import use_compiled_loop

    options = {} if cell is layers.SimpleRNN else {"use_cudnn": False}
    layer = cell(units, **options)
    layer.build(shape)
    if compiled:
        use_compiled_loop(layer)
    inputs = tf.random.stateless_normal(shape, seed=(0, 0))

    @tf.function(jit_compile=xla)
    def step() -> list:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(outputs * outputs)
        return tape.gradient(loss, [inputs, *layer.trainable_variables])

    return lambda: step()[0].numpy()


def _make_products(layer: str, units: int, shape: tuple) -> Callable[[], float]:
    """Return a function that times the products of a step: forward, two backward."""
    batch, steps, features = shape
    wide = units * {"GRU": 3, "LSTM": 4, "SimpleRNN": 1}[layer]
    random = np.random.default_rng(0)

    def draw(*size: int) -> np.ndarray:
        return random.normal(size=size).astype("float32")

    x, kernel, recurrent = draw(batch * steps, features), draw(features, wide), draw(
        units, wide
    )  # fmt: skip
    state, back, gates = draw(batch, units), draw(wide, units), draw(batch, wide)
    states, gradient = draw(batch * steps, units), draw(batch * steps, wide)

    every_core = ThreadpoolController()  # the compiled loop limits BLAS to one

    def multiply() -> None:
        x @ kernel
        for _ in range(steps):
            state @ recurrent
        for _ in range(steps):
            gates @ back
        x.T @ gradient
        states.T @ gradient
        gradient @ kernel.T

    def run() -> float:
        with every_core.limit(limits=count_cores(), user_api="blas"):
            return _seconds(multiply)

    return run


def _draw_epochs(rows: Sequence[dict]) -> None:
    rows = [row for row in rows if row["table"] != RECIPES]
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(rows) + 1.2), layout="tight")
    colors = {STACKED: "tab:blue", ALONE: "tab:gray", PEER: "tab:orange"}
    places = range(len(rows), 0, -1)
    values = [row["epoch_seconds"] for row in rows]
    low = [row["epoch_seconds"] - row["min"] for row in rows]
    high = [row["max"] - row["epoch_seconds"] for row in rows]
    axes.barh(places, values, xerr=[low, high], height=0.7,
              color=[colors[row["table"]] for row in rows])  # fmt: skip
    for place, row in zip(places, rows, strict=True):
        text = f"  {row['epoch_seconds']:.2f} s, {row['times_faster']:.1f}x"
        axes.text(row["max"], place, text, va="center", fontsize=8)
    axes.set_yticks(list(places), [row["case"] for row in rows], fontsize=8)
    axes.set_xlim(0, 1.25 * max(row["max"] for row in rows))
    axes.set_xlabel("seconds per epoch after the first (median, range)")
    for table, color in colors.items():
        axes.barh([0], [0], color=color, label=table)
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(RESULTS / "speed.png", dpi=120)
    plt.close(figure)


def _read_rows(name: str) -> list[dict]:
    """Return the rows of a table, with numbers where all cells are numbers."""
    with (RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for column in rows[0]:
        with contextlib.suppress(ValueError):
            numbers = [float(row[column]) for row in rows]
            for row, number in zip(rows, numbers, strict=True):
                row[column] = number
    return rows


def _draw_cost(rows: Sequence[dict]) -> None:
    ranges, paths = (list(dict.fromkeys(r[k] for r in rows)) for k in ("axis", "path"))
    figure, all_axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="tight")
    for axes, axis in zip(all_axes, ranges, strict=True):
        for path in paths:
            points = [r for r in rows if (r["axis"], r["path"]) == (axis, path)]
            values = [point["milliseconds"] for point in points]
            sizes = [point[axis] for point in points]
            axes.plot(sizes, values, marker="o", label=path)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(axis)
        axes.set_ylabel("ms, forward and backward")
        axes.grid(alpha=0.3)
    all_axes[0].legend()
    figure.savefig(RESULTS / "cost.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
