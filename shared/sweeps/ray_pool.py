"""Trainings on a Ray cluster: one plain task per trial."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shared.core.environment import list_versions
from shared.core.errors import UserError
from shared.core.flags import drop_flags
from shared.core.recipes import hash_recipe
from shared.core.text import shorten
from shared.runs.removal import remove_leftovers
from shared.sweeps.data_files import DataFile
from shared.sweeps.halving import ASKED, Halving
from shared.sweeps.ray_cluster import RayOptions, connect, share_token
from shared.sweeps.ray_task import (
    REFUSED,
    NodeJob,
    NodeResult,
    fetch_stored,
    train_on_node,
    unpack,
)
from shared.sweeps.trial import TrialBase
from shared.sweeps.workers import Worker

KILLED = -9  # exit status of a process that the system has killed


class Monitor:
    """Keeps the latest epoch of each training, and decides which ones stop."""

    def __init__(self, pruner: Halving | None) -> None:
        self.pruner = pruner
        self.lines: dict[str, str] = {}

    def report(self, label: str, line: str) -> bool:
        """Record a line, and return whether the training stops after it."""
        if ASKED.search(line):
            return self.pruner is not None and self.pruner.is_pruned(label, line)
        self.lines[label] = line
        return False

    def take(self) -> dict[str, str]:
        """Return what came since the last call."""
        lines, self.lines = self.lines, {}
        return lines


def run_on_ray(
    workers: Iterable[tuple[Worker, TrialBase]],
    options: RayOptions,
    results_dir: Path,
    report: Callable[[Worker, str], None],
    pruner: Halving | None = None,
    data: dict[str, DataFile | None] | None = None,
) -> None:
    """Run trials on a cluster to their end. Ctrl-C stops them all.

    Args:
        workers: Trials that have no run. An iterator is asked for the next one when a
            place is free.
        options: The cluster.
        results_dir: Folder of all runs.
        report: As for `run_workers`.
        pruner: Decides after each epoch which trainings stop; None: none.
        data: Recipe -> its data file.
    """
    results_dir.mkdir(parents=True, exist_ok=True)
    for parent in results_dir.glob("*/"):
        remove_leftovers(parent)  # of nodes that died while they published
    with connect(options) as ray, share_token(results_dir) as token:
        pool = _Pool(ray, options, results_dir, token, report, pruner, data or {})
        try:
            pool.run(iter(workers))
        finally:
            pool.cancel()
    if options.storage:
        fetch_stored(options.storage, results_dir)


@dataclass
class _Running:
    worker: Worker
    job: NodeJob
    num_cpus: float
    memory: float | None
    had_oom: bool = False


class _Pool:
    """The tasks that are in the cluster now."""

    def __init__(
        self, ray: Any, options: RayOptions, results_dir: Path, token: str,
        report: Callable[[Worker, str], None], pruner: Halving | None,
        data: dict[str, DataFile | None],
    ) -> None:  # fmt: skip
        self.ray, self.options, self.results_dir = ray, options, results_dir
        self.token, self.report, self.data = token, report, data
        self.asks = pruner is not None
        self.versions = list_versions()
        self.running: dict[Any, _Running] = {}
        self.by_label: dict[str, Worker] = {}
        self.contents: dict[str, Any] = {}  # sha256 -> reference in the object store
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = ray.get_runtime_context().get_node_id()
        here = NodeAffinitySchedulingStrategy(node, soft=True)
        self.monitor = (
            ray.remote(Monitor)
            .options(num_cpus=0, scheduling_strategy=here)
            .remote(pruner)
        )
        self.task = ray.remote(_train)

    def run(self, queue: Iterator[tuple[Worker, TrialBase]]) -> None:
        """Submit trials as places get free, and collect what they return."""
        more = True
        while more or self.running:
            while more and len(self.running) < self._count_places():
                item = next(queue, None)
                if item is None:
                    more = False
                    break
                self._submit(*item)
            if not self.running:
                continue
            ready, _ = self.ray.wait(list(self.running), num_returns=1, timeout=1.0)
            for reference in ready:
                self._collect(reference)
            if not ready:
                self._show_epochs()

    def cancel(self) -> None:
        """Stop all tasks that still run."""
        for reference in self.running:
            with contextlib.suppress(Exception):
                self.ray.cancel(reference, force=True)

    def _count_places(self) -> int:
        resources = self.ray.cluster_resources()
        places = resources.get("CPU", 1) / max(self.options.num_cpus, 1e-3)
        if self.options.num_gpus:
            places = min(places, resources.get("GPU", 0) / self.options.num_gpus)
        return max(1, int(places * (1 + self.options.ahead)))

    def _submit(self, worker: Worker, trial: TrialBase) -> None:
        job = make_job(
            worker, trial, self.results_dir, self.token, self.versions,
            self.options.created, self.options.num_cpus, self.data.get(trial.recipe),
        )  # fmt: skip
        job = replace(job, storage=self.options.storage, asks=self.asks)
        self.by_label[trial.label] = worker
        memory = self.options.memory_gb
        self._start(_Running(worker, job, self.options.num_cpus, memory))

    def _start(self, one: _Running) -> None:
        arguments: dict[str, Any] = {
            "num_cpus": one.num_cpus,
            "num_gpus": self.options.num_gpus,
            "max_retries": self.options.max_retries,
            "retry_exceptions": False,
            "name": one.job.label,
        }
        if one.memory:
            arguments["memory"] = one.memory * 1e9
        contents = self._put_data(one.job)
        task = self.task.options(**arguments)
        self.running[task.remote(one.job, contents, self.monitor)] = one

    def _put_data(self, job: NodeJob) -> list[Any]:
        """Return a list with the reference to the data file, put once."""
        if job.data is None:
            return []
        path, sha256 = job.data[:2]
        if sha256 not in self.contents:
            self.contents[sha256] = self.ray.put(Path(path).read_bytes())
        return [self.contents[sha256]]

    def _collect(self, reference: Any) -> None:
        one = self.running.pop(reference)
        exceptions = self.ray.exceptions
        try:
            result = self.ray.get(reference)
        except exceptions.OutOfMemoryError:
            result = NodeResult(KILLED, ["killed for lack of memory"])
        except exceptions.RayTaskError as error:
            result = NodeResult(1, [shorten(str(error.cause or error))])
        except exceptions.RayError as error:
            lines = str(error).splitlines() or [type(error).__name__]
            result = NodeResult(1, [f"its node or worker was lost: {lines[0]}"])
        if result.status == KILLED and not one.had_oom:
            self._start(self._make_larger(one))
            return
        if result.status == KILLED:
            result.tail.append("killed twice, probably for lack of memory: --memory")
        self.by_label.pop(one.job.label, None)
        take_result(result, one.worker, one.job, self.results_dir, self.report)

    def _make_larger(self, one: _Running) -> _Running:
        """Return a trial that lack of memory killed, with fewer others beside it."""
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        largest = max((node.get("CPU", 0) for node in nodes), default=one.num_cpus)
        memory = one.memory and one.memory * 2
        cpus = max(one.num_cpus, min(one.num_cpus * 2, largest))
        return replace(one, num_cpus=cpus, memory=memory, had_oom=True)

    def _show_epochs(self) -> None:
        with contextlib.suppress(Exception):  # the display is not worth an error
            for label, line in self.ray.get(
                self.monitor.take.remote(), timeout=5
            ).items():
                if label in self.by_label:
                    self.report(self.by_label[label], line)


def _train(job: NodeJob, contents: list[Any], monitor: Any) -> NodeResult:
    """Run in a worker of the cluster."""
    import ray

    def fetch() -> bytes:
        return ray.get(contents[0])

    def report(label: str, line: str, needs_answer: bool) -> bool:
        try:
            answer = monitor.report.remote(label, line)
            return needs_answer and ray.get(answer, timeout=30)
        except Exception:  # without the monitor, the training goes on
            return False

    return train_on_node(job, fetch, report)


def make_job(
    worker: Worker, trial: TrialBase, results_dir: Path, token: str,
    versions: dict[str, str], created: str, num_cpus: float, file: DataFile | None,
) -> NodeJob:  # fmt: skip
    """Return what a node must know of a trial."""
    flags = drop_flags(trial.command(results_dir)[2:], ["--results-dir"])
    data = None
    if file is not None and file.path.is_file():
        flags = drop_flags(flags, ["--" + file.flag.replace("_", "-")])
        data = (str(file.path), file.sha256, file.flag, file.is_folder_named)
    return NodeJob(
        label=trial.label,
        recipe=trial.recipe,
        flags=[*flags, *worker.extra],
        name=name_run(trial, versions, created),
        versions=versions,
        results_dir=str(results_dir.absolute()),
        token=token,
        data=data,
        threads=max(1, int(num_cpus)),
    )


def take_result(
    result: NodeResult,
    worker: Worker,
    job: NodeJob,
    results_dir: Path,
    report: Callable[[Worker, str], None],
) -> None:
    """Write the run that a node sent, and report how its training ended.

    Raises:
        UserError: If the node has other versions.
    """
    if result.archive is not None:
        unpack(result.archive, results_dir, job.recipe, job.name)
    worker.folder = results_dir / job.recipe / job.name if result.published else None
    worker.seconds = result.seconds
    worker.pruned = any("Pruned after epoch" in line for line in result.tail[-3:])
    for line in result.tail:
        report(worker, line)
        worker.tail.append(line)
    worker.status = abs(result.status)
    if result.status == REFUSED:
        raise UserError(f"{job.label}: {result.tail[-1]}. Install the same there.")
    report(worker, "")


def name_run(trial: TrialBase, versions: dict[str, str], created: str) -> str:
    """Return the name of the run folder of a trial. Equal trials have one name."""
    facts = [
        trial.recipe, sorted(trial.changes.items()), trial.seed, trial.sha256,
        sorted(versions.items()), hash_recipe(trial.recipe),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()
    return f"{created}-seed{trial.seed}-{digest[:10]}"
