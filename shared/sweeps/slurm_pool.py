"""Trainings on a Slurm cluster through submitit: one job per trial."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.core.environment import PROJECT, list_versions
from shared.core.errors import UserError
from shared.core.text import shorten
from shared.sweeps.data_files import DataFile
from shared.sweeps.ray_cluster import share_token
from shared.sweeps.ray_pool import make_job, take_result
from shared.sweeps.ray_task import NodeJob, NodeResult, train_on_node
from shared.sweeps.trial import TrialBase
from shared.sweeps.workers import Worker

INSTALL = "pip install -r requirements-slurm.txt"
MINUTES = 120  # of a job, unless --slurm names a time
TRACE = re.compile(r"with trace:\n-+\n(.*?)\n-+\n", re.DOTALL)
PAUSE = 1.0  # seconds between two looks at the jobs


@dataclass(frozen=True)
class SlurmOptions:
    """How to use a Slurm cluster.

    Attributes:
        num_cpus: Cores of each trial.
        num_gpus: GPUs of each trial.
        memory_gb: Memory of each trial; None: the default of the cluster.
        most: Jobs that run or wait at a time.
        sbatch: Name -> value of further options of sbatch, such as `partition`. `time`
            is in minutes.
        created: Time of the sweep, as the names of run folders have it.
        logs: Folder for what the jobs print. All nodes must see it.
        executor: Of submitit. `local` starts the jobs on this machine, for tests.
    """

    num_cpus: int = 1
    num_gpus: int = 0
    memory_gb: float | None = None
    most: int = 100
    sbatch: Mapping[str, str] = field(default_factory=dict)
    created: str = "2026-01-01T00-00-00Z"
    logs: Path = Path("slurm")
    executor: str = "slurm"


def check_slurm() -> None:
    """Refuse to go on without submitit and Slurm.

    Raises:
        UserError: With the command that installs it.
    """
    if importlib.util.find_spec("submitit") is None:
        raise UserError(
            f"--on slurm: needs submitit, which is not installed. {INSTALL}"
        )
    if shutil.which("sbatch") is None:
        raise UserError(
            "--on slurm: there is no sbatch on this machine. Run make sweep on a login "
            "node of the cluster."
        )


def parse_sbatch(texts: Iterable[str]) -> dict[str, str]:
    """Return options of sbatch from NAME=VALUE.

    Raises:
        UserError: If a text has another form.
    """
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_")
        if not equals or not name.isidentifier() or not value:
            raise UserError(
                f"--slurm {shorten(text)}: takes NAME=VALUE, e.g. partition=short."
            )
        if name == "time" and not (value.isdigit() and int(value)):
            raise UserError(f"--slurm {shorten(text)}: takes minutes, e.g. time=120.")
        options[name] = value
    return options


def run_on_slurm(
    workers: Iterable[tuple[Worker, TrialBase]],
    options: SlurmOptions,
    results_dir: Path,
    report: Callable[[Worker, str], None],
    data: Mapping[str, DataFile | None] | None = None,
) -> None:
    """Run trials on a cluster to their end. Ctrl-C stops them all.

    Args:
        workers: Trials that have no run. An iterator is asked for the next one when a
            place is free.
        options: The cluster.
        results_dir: Folder of all runs. All nodes must see it.
        report: As for `run_workers`.
        data: Recipe -> its data file.
    """
    results_dir.mkdir(parents=True, exist_ok=True)
    executor = _make_executor(options)
    queue, running = iter(workers), {}
    with share_token(results_dir) as token:
        try:
            more = True
            while more or running:
                while more and len(running) < options.most:
                    item = next(queue, None)
                    if item is None:
                        more = False
                        break
                    worker, trial = item
                    job = make_job(
                        worker, trial, results_dir, token, list_versions(),
                        options.created, options.num_cpus,
                        (data or {}).get(trial.recipe),
                    )  # fmt: skip
                    submitted = executor.submit(_train, str(PROJECT), job)
                    running[submitted.job_id] = submitted, worker, job
                ended = [key for key, (job, _, _) in running.items() if job.done()]
                for key in ended:
                    submitted, worker, job = running.pop(key)
                    result = _read_result(submitted)
                    take_result(result, worker, job, results_dir, report)
                if running and not ended:
                    time.sleep(PAUSE)
        finally:
            for submitted, _, _ in running.values():
                with contextlib.suppress(Exception):
                    submitted.cancel()


def _make_executor(options: SlurmOptions) -> Any:
    import submitit

    further = dict(options.sbatch)
    executor = submitit.AutoExecutor(options.logs, cluster=options.executor)
    executor.update_parameters(
        name="rnn-recipes",
        timeout_min=int(further.pop("time", MINUTES)),
        cpus_per_task=options.num_cpus,
        gpus_per_node=options.num_gpus,
        **({} if options.memory_gb is None else {"mem_gb": options.memory_gb}),
        **({"slurm_additional_parameters": further} if further else {}),
    )
    return executor


def _train(project: str, job: NodeJob) -> NodeResult:
    """Run in a job of the cluster."""
    os.chdir(project)

    def fail() -> bytes:
        raise FileNotFoundError(f"{job.data[0]}: this node does not see the data file")

    return train_on_node(job, fail)


def _read_result(submitted: Any) -> NodeResult:
    """Return how a job ended, also if Slurm has stopped it."""
    from submitit.core.utils import UncompletedJobError

    try:
        return submitted.result()
    except UncompletedJobError as error:  # has the trace of what the job raised
        text = str(error)
        trace = TRACE.search(text)
        lines = (trace[1] if trace else text).strip().splitlines()
        reason = lines[-1 if trace else 0] if lines else type(error).__name__
        return NodeResult(1, [f"job {submitted.job_id}: {shorten(reason)}"])
