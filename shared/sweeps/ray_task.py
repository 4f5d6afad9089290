"""One trial on a node of a Ray cluster: train it here, then publish its run whole.

This module is all that a node imports before it has checked its versions.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.core.environment import THREADS, list_versions
from shared.core.files import hash_file
from shared.core.signals import ASKS, GO, PRUNE, WORKER

SAVED = "Saved in "
EPOCH = re.compile(r"epoch \d+ of \d+, ")
ASKED = re.compile(r"asks after \d+ of \d+, ")
REFUSED = 78  # exit status for a node with other versions, as EX_CONFIG of sysexits.h
PAUSE = 1.0  # seconds between two reports of a training that is not asked


@dataclass(frozen=True)
class NodeJob:
    """What a node must know of a trial. All of it can be pickled.

    Attributes:
        label: Name of the training in one line.
        recipe: Name of the recipe, with dashes.
        flags: Flags of the recipe, without folders and threads.
        name: Name that the run folder gets.
        versions: Versions that the node must have.
        results_dir: Folder of all runs as the driver sees it.
        token: Name of a file in it. A node that sees this file shares the folder.
        storage: Address for the runs, such as `s3://bucket/runs`; empty for none.
        data: Path, SHA-256, flag and whether the flag names the folder; None for
            generated data.
        threads: Cores for the training.
        asks: Whether the training asks after each epoch if it shall go on.
    """

    label: str
    recipe: str
    flags: Sequence[str]
    name: str
    versions: dict[str, str]
    results_dir: str
    token: str
    storage: str = ""
    data: tuple[str, str, str, bool] | None = None
    threads: int = 1
    asks: bool = False


@dataclass
class NodeResult:
    """How a trial ended on a node.

    Attributes:
        status: Exit status; negative: the signal that ended the training.
        tail: The last lines that it printed.
        seconds: Time of the training.
        archive: The run as a tar file, if the driver must write it.
        published: Where the run is, in words; empty without a run.
    """

    status: int
    tail: list[str] = field(default_factory=list)
    seconds: float = 0.0
    archive: bytes | None = None
    published: str = ""


def train_on_node(
    job: NodeJob,
    fetch_data: Callable[[], bytes] | None = None,
    report: Callable[[str, str, bool], bool] | None = None,
) -> NodeResult:
    """Train one trial in a process of its own, and publish its run.

    Args:
        job: The trial.
        fetch_data: Returns the content of the data file, from the object store.
        report: Gets the label, a line of an epoch and whether an answer is needed.
            Returns whether the training stops.
    """
    if problem := check_versions(job.versions):
        return NodeResult(REFUSED, [problem])
    project = Path.cwd()
    place = Path(tempfile.mkdtemp(prefix="rnn-recipes-"))
    try:
        flags = [*job.flags, *_find_data(job, fetch_data)]
        flags += ["--results-dir", str(place / "runs"), "--threads", str(job.threads)]
        recipe = project / "recipes" / f"{job.recipe.replace('-', '_')}.py"
        began = time.perf_counter()
        status, tail, folder = _run([sys.executable, str(recipe), *flags], job, report)
        result = NodeResult(status, tail, time.perf_counter() - began)
        if status == 0 and folder is not None:
            result.published, result.archive = publish(folder, job)
        return result
    finally:
        shutil.rmtree(place, ignore_errors=True)


def check_versions(versions: dict[str, str]) -> str:
    """Return a line if this node has other versions than the driver; else empty."""
    try:
        here = list_versions()
    except ImportError as error:
        return f"a package is missing on this node: {error}"
    differ = [
        f"{name} {here.get(name, 'none')} (the driver has {version})"
        for name, version in versions.items()
        if here.get(name) != version
    ]
    return f"the node has other versions: {', '.join(differ)}" if differ else ""


def _run(
    command: list[str], job: NodeJob, report: Callable[[str, str, bool], bool] | None
) -> tuple[int, list[str], Path | None]:
    """Run a training to its end. Return status, last lines and run folder."""
    environment = {WORKER: "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    environment["PYTHONPATH"] = str(Path.cwd())  # not another copy of the project
    if job.asks:
        environment[ASKS] = "1"
    kept = {k: v for k, v in os.environ.items() if k != THREADS}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # it ends with this process: see end_with_parent
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=kept | environment,
        start_new_session=True,
    )
    tail: deque[str] = deque(maxlen=20)
    folder, reported = None, 0.0
    try:
        for line in process.stdout:
            if job.asks and ASKED.search(line):
                stops = report is not None and report(job.label, line, True)
                with contextlib.suppress(OSError):
                    process.stdin.write(f"{PRUNE if stops else GO}\n")
                    process.stdin.flush()
                continue
            tail.append(line.rstrip())
            if SAVED in line:
                folder = Path(line.partition(SAVED)[2].strip())
            if report is None or not EPOCH.search(line):
                continue
            now = time.perf_counter()
            if now - reported > PAUSE:
                reported = now
                report(job.label, line, False)
        return process.wait(), list(tail), folder
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def _find_data(job: NodeJob, fetch: Callable[[], bytes] | None) -> list[str]:
    """Return the flag that names the data file on this node; fetch it if needed."""
    if job.data is None:
        return []
    name, sha256, flag, is_folder = job.data
    path = Path(name)
    if not (path.is_file() and hash_file(path) == sha256):
        path = _cache() / sha256[:16] / path.name
        if not (path.is_file() and hash_file(path) == sha256):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(prefix=".part-", dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(fetch())
            Path(part).replace(path)
    return ["--" + flag.replace("_", "-"), str(path.parent if is_folder else path)]


def _cache() -> Path:
    """Return the folder of this node for data files of sweeps."""
    from shared.core.cache import cache_dir

    return (cache_dir() or Path(tempfile.gettempdir())) / "sweep-data"


def publish(folder: Path, job: NodeJob) -> tuple[str, bytes | None]:
    """Put a finished run where it belongs, whole or not at all.

    The name of the run is the name of the trial. So a trial that was trained twice,
    because its node was lost, is published once.

    Returns:
        Where it is, in words, and its archive if the driver must write it.
    """
    if job.storage:
        store(pack(folder), job.storage, job.recipe, job.name)
        return job.storage, None
    root = Path(job.results_dir)
    if (root / job.token).is_file():
        place_run(lambda to: shutil.copytree(folder, to), root, job.recipe, job.name)
        return str(root), None
    return "the driver", pack(folder)


def place_run(
    fill: Callable[[Path], Any], root: Path, recipe: str, name: str
) -> Path | None:
    """Fill a hidden folder, then rename it. None if the run is there already."""
    parent = root / recipe
    parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".opening-", dir=parent))
    try:
        fill(hidden / "run")
        (hidden / "run").rename(parent / name)
        return parent / name
    except OSError:
        if (parent / name).is_dir():
            return None
        raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def pack(folder: Path) -> bytes:
    """Return a run folder as a tar file."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(folder, arcname=".")
    return content.getvalue()


def unpack(archive: bytes, root: Path, recipe: str, name: str) -> Path | None:
    """Write a packed run into the folder of all runs. None if it is there already."""

    def fill(to: Path) -> None:
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(to, filter="data")

    return place_run(fill, root, recipe, name)


def store(archive: bytes, storage: str, recipe: str, name: str) -> None:
    """Write a packed run to an address that `pyarrow.fs` knows."""
    from pyarrow import fs

    system, base = fs.FileSystem.from_uri(storage)
    system.create_dir(f"{base}/{recipe}", recursive=True)
    path = f"{base}/{recipe}/{name}.tar"
    part = f"{path}.{os.getpid()}.part"
    with system.open_output_stream(part) as file:
        file.write(archive)
    system.move(part, path)


def fetch_stored(storage: str, root: Path) -> int:
    """Bring the runs at an address into the folder of all runs.

    Returns:
        How many were missing there.
    """
    from pyarrow import fs

    system, base = fs.FileSystem.from_uri(storage)
    chosen = fs.FileSelector(base, allow_not_found=True, recursive=True)
    count = 0
    for found in system.get_file_info(chosen):
        if found.extension != "tar":
            continue
        recipe, name = Path(found.path).parent.name, Path(found.path).stem
        if (root / recipe / name).is_dir():
            continue
        with system.open_input_stream(found.path) as file:
            count += unpack(file.read(), root, recipe, name) is not None
    return count
