"""Measure what a sweep on Ray costs beyond its trainings. Needs requirements-ray.txt.

    python benchmarks/ray_sweeps.py schedule     # 1,000 trials of a second
    python benchmarks/ray_sweeps.py memory       # 10,000 trials that do nothing
    python benchmarks/ray_sweeps.py listing      # reading 10,000 run folders
    python benchmarks/ray_sweeps.py start        # CPU of a small sweep, both ways
    python benchmarks/ray_sweeps.py overhead     # trials of 30 s, both ways: 8 minutes

`schedule` and `memory` replace the training by a task that sleeps or does nothing. All
else is what `make sweep` does: Ray is started on this machine with logical cores.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from shared.core.environment import count_cores, peak_memory_mb
from shared.runs.reader import scan_runs
from shared.sweeps import ray_pool
from shared.sweeps.ray_cluster import RayOptions
from shared.sweeps.ray_task import NodeResult
from shared.sweeps.trial import Trial
from shared.sweeps.workers import Worker

PROJECT = Path(__file__).resolve().parents[1]
MARK = "RNN_RECIPES_MEASURED"  # environment variable of all measured processes
TINY = ["--grid", "train_windows=64", "--grid", "validation_windows=32", "--grid",
        "test_windows=32", "--grid", "units=2"]  # fmt: skip
LONG = ["--grid", "units=32"]
SECONDS = 30.0  # of a trial, for `overhead`


@dataclass(frozen=True)
class Options:
    """What to measure."""

    what: tyro.conf.Positional[
        Literal["schedule", "memory", "listing", "start", "overhead"]
    ]
    """Which measurement."""
    trials: int | None = None
    """Trials; None: as many as the title says."""
    cores: int = 10
    """Logical cores of the cluster, for `schedule` and `memory`."""
    repeats: int = 2
    """Sweeps of each kind, for `overhead`."""


def main() -> None:
    """Measure, and print a line for each figure."""
    options = tyro.cli(Options, description=__doc__)
    measure = {"schedule": measure_schedule, "memory": measure_memory,
               "listing": measure_listing, "start": measure_start,
               "overhead": measure_overhead}  # fmt: skip
    measure[options.what](options)


def measure_schedule(options: Options) -> None:
    """Print the time of trials that sleep for a second, against the ideal."""
    count = options.trials or 1000
    seconds, cpu = run_fake(count, options.cores, 1.0, lambda done: None)
    ideal = count / options.cores
    print(
        f"{count:,} trials of 1 s on {options.cores} logical cores: {seconds:.1f} s, "
        f"{seconds / ideal:.2f} times their work divided by the cores. Driver: "
        f"{1000 * cpu / count:.1f} ms of CPU per trial."
    )


def measure_memory(options: Options) -> None:
    """Print the memory of the driver after every tenth of the trials."""
    count = options.trials or 10_000

    def show(done: int) -> None:
        if done % (count // 10) == 0:
            print(f"{done:,} trials done: driver {read_memory():.0f} MB", flush=True)

    seconds, cpu = run_fake(count, options.cores, 0.0, show)
    print(
        f"{count:,} trials that do nothing: {seconds:.0f} s, {count / seconds:.0f} per "
        f"second, driver {1000 * cpu / count:.1f} ms of CPU per trial, peak "
        f"{peak_memory_mb():.0f} MB"
    )


def run_fake(count: int, cores: int, seconds: float, show) -> tuple[float, float]:
    """Run trials that sleep. Return seconds and CPU seconds of the driver."""
    os.environ["RAY_DISABLE_IMPORT_WARNING"] = "1"
    done = 0
    began: list[float] = []

    def report(worker: Worker, line: str) -> None:
        nonlocal done
        if worker.status is not None:
            done += 1
            show(done)

    def task(job, contents, monitor):
        time.sleep(seconds)
        return NodeResult(0, [f"epoch 1 of 1, {job.label}"], seconds, None, "here")

    def queue() -> Iterator[tuple[Worker, Trial]]:
        for seed in range(count):
            if seed == 0:
                began.extend((time.perf_counter(), time.process_time()))
            trial = Trial("sum-gru", {}, seed, f"trial {seed}")
            yield Worker(seed, [], trial.label), trial

    ray_pool._train = task
    with tempfile.TemporaryDirectory() as folder:
        ray_pool.run_on_ray(
            queue(), RayOptions(cluster_cpus=cores), Path(folder), report
        )
    assert done == count
    return time.perf_counter() - began[0], time.process_time() - began[1]


def read_memory() -> float:
    """Return the memory of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def measure_listing(options: Options) -> None:
    """Print the time to read many run folders, copies of one."""
    count = options.trials or 10_000
    with tempfile.TemporaryDirectory() as place:
        run_sweep(Path(place), "local", 1)
        (one,) = (Path(place) / "runs" / "sum-gru").iterdir()
        many = Path(place) / "many" / "sum-gru"
        for number in range(count):
            to = many / f"{one.name}-{number}"
            to.mkdir(parents=True)
            for name in ("config.json", "summary.json", "history.csv", "kernels.json"):
                if (one / name).exists():
                    os.link(one / name, to / name)
        began = time.process_time()
        found = scan_runs(Path(place) / "many")
        cpu = time.process_time() - began
    assert len(found.runs) == count
    print(
        f"{count:,} run folders: {cpu:.1f} s of CPU, {1000 * cpu / count:.2f} ms each, "
        f"memory {read_memory():.0f} MB"
    )


def measure_start(options: Options) -> None:
    """Print the CPU time of one small grid on this machine and on Ray."""
    count = options.trials or 2
    used = {}
    for where in ("local", "ray"):
        with tempfile.TemporaryDirectory() as place:
            used[where] = run_sweep(Path(place), where, count).cpu
        print(f"--on {where}, {count} trials: {used[where]:.1f} s of CPU", flush=True)
    extra = used["ray"] - used["local"]
    print(f"Ray: {extra:.1f} s of CPU more, of which its start is a fixed part.")


def measure_overhead(options: Options) -> None:
    """Print the time of trials of 30 s on this machine and on Ray, taken in turns.

    The whole time has the start of Ray, which each sweep pays once. The time per trial
    is measured from the end of the first round of trials to the end of the last one,
    when both are busy with nothing but trials.
    """
    workers = count_cores()
    count = options.trials or 3 * workers
    if count < 2 * workers:
        sys.exit(f"--trials {count}: takes {2 * workers} or more, two for each core.")
    epochs = choose_epochs(workers)
    print(f"{count} trials of {epochs} epochs, {workers} at a time", flush=True)
    found: dict[str, list[Timed]] = {"local": [], "ray": []}
    for turn in range(options.repeats):
        for where in ("local", "ray") if turn % 2 == 0 else ("ray", "local"):
            with tempfile.TemporaryDirectory() as place:
                timed = run_sweep(Path(place), where, count, epochs, LONG, workers)
            found[where].append(timed)
            print(
                f"--on {where}: {timed.seconds:.1f} s in all, "
                f"{timed.per_trial(workers):.1f} s per trial, {timed.cpu:.1f} s of CPU",
                flush=True,
            )
    each = {
        where: [one.per_trial(workers) for one in some] for where, some in found.items()
    }
    local, ray = (statistics.median(each[where]) for where in ("local", "ray"))
    here, there = (statistics.median(t.seconds for t in found[w]) for w in found)
    start = there - here - (ray - local) * count / workers
    print(
        f"Per trial: {local:.1f} s on this machine, {ray:.1f} s on Ray, "
        f"{100 * (ray / local - 1):+.1f} %. The whole sweep: {here:.1f} s and "
        f"{there:.1f} s, so Ray's start costs about {start:.1f} s once. Median of the "
        "repeats."
    )


def choose_epochs(workers: int) -> int:
    """Return the epochs with which a trial takes `SECONDS`, when all cores train."""
    few = 3
    with tempfile.TemporaryDirectory() as place:
        timed = run_sweep(Path(place), "local", workers, few, LONG, workers)
        runs = scan_runs(Path(place) / "runs").runs
        epoch = statistics.median(s for run in runs for s in run.history["seconds"][1:])
    return max(few, round(few + (SECONDS - timed.seconds) / epoch))


@dataclass(frozen=True)
class Timed:
    """How long a sweep took.

    Attributes:
        seconds: In all.
        ends: When each trial ended, in seconds from the start.
        cpu: CPU seconds of all its processes.
    """

    seconds: float
    ends: list[float]
    cpu: float

    def per_trial(self, workers: int) -> float:
        """Return the seconds of a trial, without the first of each worker."""
        first, last = self.ends[workers - 1], self.ends[-1]
        return (last - first) * workers / (len(self.ends) - workers)


def run_sweep(
    place: Path, where: str, count: int, epochs: int = 1, flags: Sequence[str] = TINY,
    workers: int | None = None,
) -> Timed:  # fmt: skip
    """Run a sweep of trials of sum-gru, and measure it."""
    command = [sys.executable, "-m", "shared.studies.sweep", "sum-gru", *flags,
               "--grid", f"epochs={epochs}", "--seeds", f"0-{count - 1}",
               "--on", where, "--results-dir", str(place / "runs"), "--to",
               str(place / "to")]  # fmt: skip
    if workers is not None:
        command += ["--workers", str(workers)]
        command += ["--threads", "1"] if where == "local" else []
    mark = f"{where}-{os.getpid()}-{time.time_ns()}"
    environment = os.environ | {MARK: mark, "PYTHONPATH": str(PROJECT)}
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    )
    used: dict[int, float] = {}
    ended = threading.Event()
    watcher = threading.Thread(target=watch, args=(mark, used, ended))
    watcher.start()
    ends = [
        time.perf_counter() - began
        for line in process.stdout
        if line.startswith("  sum-gru ")
    ]
    status = process.wait()
    seconds = time.perf_counter() - began
    ended.set()
    watcher.join()
    if status:
        sys.exit(f"the sweep ended with status {status}")
    return Timed(seconds, ends, sum(used.values()))


def watch(mark: str, used: dict[int, float], ended: threading.Event) -> None:
    """Keep the CPU time of every process that has a mark in its environment."""
    ticks = os.sysconf("SC_CLK_TCK")
    wanted = f"{MARK}={mark}".encode()
    while True:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if wanted not in (folder / "environ").read_bytes():
                    continue
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                used[int(folder.name)] = (int(fields[11]) + int(fields[12])) / ticks
            except OSError:
                continue
        if ended.wait(0.3):
            return


if __name__ == "__main__":
    main()
