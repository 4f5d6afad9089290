"""A Ray cluster: whether it is there, and the code of this project sent to it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.core.environment import PROJECT
from shared.core.errors import UserError
from shared.core.text import shorten

INSTALL = "pip install -r requirements-ray.txt"
ANSWER = 5.0  # seconds that a cluster has to take a connection, and to answer
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""What a client of gRPC, which Ray uses, says first (RFC 9113, 3.4)."""
SETTINGS = b"\x04"
"""Type of the frame that a server answers with."""
OOM_RETRIES = "RAY_task_oom_retries"


@dataclass(frozen=True)
class RayOptions:
    """How to use a cluster.

    Attributes:
        address: `auto`, host:port, or None for a cluster on this machine only.
        num_cpus: Cores of each trial.
        num_gpus: GPUs of each trial; a fraction shares one.
        memory_gb: Memory of each trial, for the choice of the node; None: any.
        max_retries: How often a trial starts again after its node or worker was lost.
        storage: Address for the runs that `pyarrow.fs` knows; empty: the folder of all
            runs, shared or through the driver.
        created: Time of the sweep, as the names of run folders have it.
        ahead: Trials that wait in the cluster for each one that runs there.
        cluster_cpus: Cores of a cluster that is started here; None: all.
    """

    address: str | None = None
    num_cpus: float = 1
    num_gpus: float = 0
    memory_gb: float | None = None
    max_retries: int = 3
    storage: str = ""
    created: str = "2026-01-01T00-00-00Z"
    ahead: float = 1.0
    cluster_cpus: int | None = None


def check_ray() -> None:
    """Refuse to go on without Ray.

    Raises:
        UserError: With the command that installs it.
    """
    if importlib.util.find_spec("ray") is None:
        raise UserError(f"--on ray: needs Ray, which is not installed. {INSTALL}")


def check_address(address: str) -> None:
    """Refuse an address at which no cluster answers.

    Raises:
        UserError: After at most twice `ANSWER` seconds.
    """
    name = f"--address {shorten(address)}"
    if address.startswith("ray://"):
        raise UserError(
            f"{name}: Ray Client is not supported. Run make sweep on the head node "
            "with --address auto."
        )
    place = _find_running() if address == "auto" else address
    if place is None:
        return  # Ray looks at the processes of this machine, and says if there is none
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"{name}: takes auto or HOST:PORT, e.g. 10.0.0.5:6379.")
    try:
        with socket.create_connection((host, int(port)), timeout=ANSWER) as connection:
            if os.environ.get("RAY_USE_TLS") != "1":
                connection.sendall(HELLO)
                if connection.recv(9)[3:4] != SETTINGS:
                    raise OSError("another program listens there")
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{name}: no Ray cluster answers there ({reason}). Start one with ray "
            "start --head, or omit --address to use this machine."
        ) from None


def _find_running() -> str | None:
    """Return the address of the cluster that was last started on this machine."""
    named = os.environ.get("RAY_ADDRESS", "")
    if ":" in named:
        return named
    place = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir()))
    try:
        return (place / "ray" / "ray_current_cluster").read_text().strip() or None
    except OSError:
        return None


@contextlib.contextmanager
def connect(options: RayOptions) -> Iterator[Any]:
    """Connect to a cluster, and send the project there. Yields the module `ray`.

    Raises:
        UserError: If Ray is not installed, or no cluster answers.
    """
    check_ray()
    if options.address is not None:
        check_address(options.address)
    # This process, as the owner of the tasks, starts trials again.
    os.environ.setdefault(OOM_RETRIES, "0")
    import ray

    project = Path(tempfile.mkdtemp(prefix="rnn-recipes-project-"))
    try:
        copy_project(project)
        environment = {"working_dir": str(project)}
        arguments: dict[str, Any] = {"runtime_env": environment}
        if options.address is None:
            arguments |= {"address": "local", "include_dashboard": False}
            arguments |= {"num_cpus": options.cluster_cpus}
        else:
            arguments |= {"address": options.address}
        host = (options.address or "").rpartition(":")[0]
        if host.startswith("127."):  # all nodes are on this machine
            arguments["_node_ip_address"] = host
        try:
            ray.init(
                logging_level="error",
                log_to_driver=False,
                configure_logging=True,
                **arguments,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UserError(
                f"--address {options.address or 'of this machine'}: Ray cannot start: "
                f"{shorten(str(error))}"
            ) from None
        try:
            yield ray
        finally:
            ray.shutdown()
    finally:
        shutil.rmtree(project, ignore_errors=True)


def copy_project(to: Path) -> None:
    """Copy the code that trains, and nothing else of the project."""
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")
    for name in ("recipes", "shared"):
        shutil.copytree(PROJECT / name, to / name, ignore=ignored)


@contextlib.contextmanager
def share_token(folder: Path) -> Iterator[str]:
    """Write a file by which a node sees that it shares the folder of all runs."""
    handle, name = tempfile.mkstemp(prefix=".sweep-", dir=folder)
    os.close(handle)
    try:
        yield Path(name).name
    finally:
        Path(name).unlink(missing_ok=True)
