"""Trials on a Ray cluster: each once, whole, with the numbers of this machine."""

import dataclasses
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from shared.core.environment import list_versions
from shared.core.errors import UserError
from shared.core.files import hash_file
from shared.runs.reader import find_runs
from shared.studies.sweep.__main__ import main
from shared.sweeps import ray_cluster, ray_task
from shared.sweeps.ray_cluster import check_address, copy_project
from shared.sweeps.ray_pool import KILLED, name_run
from shared.sweeps.ray_task import (
    REFUSED,
    NodeJob,
    check_versions,
    fetch_stored,
    pack,
    publish,
    store,
    train_on_node,
    unpack,
)
from shared.sweeps.trial import Trial
from tests.helpers import PROJECT, start

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="needs Ray: requirements-ray.txt")
SMALL = ["--grid", "train_windows=64", "--grid", "validation_windows=32", "--grid",
         "test_windows=32"]  # fmt: skip


def make_job(root, **changes):
    facts = {
        "label": "sum-gru, seed 0", "recipe": "sum-gru", "flags": ["--epochs", "1"],
        "name": "2026-01-01T00-00-00Z-seed0-abc", "versions": list_versions(),
        "results_dir": str(root), "token": "token",
    }  # fmt: skip
    return NodeJob(**facts | changes)


def make_folder(path, text="a"):
    (path / "deep").mkdir(parents=True)
    (path / "config.json").write_text(text)
    (path / "deep" / "file").write_text("b")
    return path


def test_a_run_is_packed_and_placed_once(tmp_path):
    archive = pack(make_folder(tmp_path / "run"))
    root = tmp_path / "runs"
    assert unpack(archive, root, "sum-gru", "one") == root / "sum-gru" / "one"
    again = pack(make_folder(tmp_path / "other", "c"))
    assert unpack(again, root, "sum-gru", "one") is None
    assert (root / "sum-gru" / "one" / "config.json").read_text() == "a"
    assert (root / "sum-gru" / "one" / "deep" / "file").read_text() == "b"
    assert [path.name for path in (root / "sum-gru").iterdir()] == ["one"]


def test_a_node_that_shares_the_folder_writes_into_it(tmp_path):
    folder = make_folder(tmp_path / "run")
    job = make_job(tmp_path / "runs")
    where, archive = publish(folder, job)
    assert (where, archive is None) == ("the driver", False)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "token").touch()
    where, archive = publish(folder, job)
    assert (where, archive) == (str(tmp_path / "runs"), None)
    assert (tmp_path / "runs" / "sum-gru" / job.name / "config.json").exists()


def test_runs_at_an_address_come_home_whole(tmp_path):
    pytest.importorskip("pyarrow")
    address = (tmp_path / "bucket").as_uri()
    store(pack(make_folder(tmp_path / "run")), address, "sum-gru", "one")
    (tmp_path / "bucket" / "sum-gru" / "two.tar.7.part").touch()  # killed meanwhile
    root = tmp_path / "runs"
    assert fetch_stored(address, root) == 1
    assert fetch_stored(address, root) == 0
    assert (root / "sum-gru" / "one" / "config.json").read_text() == "a"
    assert fetch_stored((tmp_path / "none").as_uri(), root) == 0


def test_a_node_with_other_versions_is_refused_in_one_line(tmp_path):
    versions = list_versions()
    assert check_versions(versions) == ""
    job = make_job(tmp_path, versions=versions | {"keras": "3.0.0"})
    result = train_on_node(job)
    assert result.status == REFUSED
    (line,) = result.tail
    assert f"keras {versions['keras']} (the driver has 3.0.0)" in line


def test_a_node_gets_the_data_once(tmp_path):
    file = tmp_path / "sales.csv"
    file.write_text("1")
    fetched = []

    def fetch():
        fetched.append(1)
        return b"1"

    here = (str(file), hash_file(file), "data_dir", True)
    job = make_job(tmp_path, data=here)
    assert ray_task._find_data(job, fetch) == ["--data-dir", str(tmp_path)]
    elsewhere = (str(tmp_path / "no" / "sales.csv"), here[1], "file", False)
    job = make_job(tmp_path, data=elsewhere)
    flag, path = ray_task._find_data(job, fetch)
    assert ray_task._find_data(job, fetch) == [flag, path]
    assert (flag, Path(path).read_bytes(), fetched) == ("--file", b"1", [1])


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import os; print('epoch 1', flush=True); os.kill(os.getpid(), 9)", KILLED),
        ("import sys; print('epoch 1'); sys.exit(2)", 2),
    ],
)
def test_a_node_tells_a_kill_from_a_failure(code, status, tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "sum_gru.py").write_text(code)
    monkeypatch.chdir(tmp_path)  # the project on a node
    result = train_on_node(make_job(tmp_path / "runs"))
    assert (result.status, result.tail, result.published) == (status, ["epoch 1"], "")


def test_equal_trials_have_one_name():
    trial = Trial("sum-gru", {"units": 3}, 1, "label")
    versions = {"keras": "3"}
    name = name_run(trial, versions, "2026-01-01T00-00-00Z")
    assert name.startswith("2026-01-01T00-00-00Z-seed1-")
    same = dataclasses.replace(trial, label="other")
    assert name_run(same, versions, "2026-01-01T00-00-00Z") == name
    others = [
        name_run(dataclasses.replace(trial, changes={"units": 4}), versions, name[:20]),
        name_run(dataclasses.replace(trial, sha256="ab"), versions, name[:20]),
        name_run(trial, {"keras": "4"}, name[:20]),
    ]
    assert len({name, *others}) == 4


def test_only_code_travels(tmp_path):
    copy_project(tmp_path / "project")
    found = {path.name for path in (tmp_path / "project").iterdir()}
    assert found == {"recipes", "shared"}
    assert not list((tmp_path / "project").rglob("*.pyc"))


def test_without_ray_one_line_says_how_to_install_it(tmp_path, monkeypatch, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *r: None if n == "ray" else real(n, *r)
    )
    with pytest.raises(SystemExit) as exit_:
        main(["sum-gru", "--on", "ray", "--to", str(tmp_path / "to"),
              "--results-dir", str(tmp_path)])  # fmt: skip
    assert exit_.value.code == 2
    errors = capsys.readouterr().err
    assert "pip install -r requirements-ray.txt" in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense", "takes auto or HOST:PORT"),
        ("127.0.0.1:1", "no Ray cluster answers there"),
        ("ray://127.0.0.1:10001", "Ray Client is not supported"),
    ],
)
def test_an_address_without_a_cluster(address, message):
    with pytest.raises(UserError, match=message) as error:
        check_address(address)
    assert "\n" not in str(error.value)


def test_an_address_that_does_not_answer_is_given_up_within_20_seconds(monkeypatch):
    """A port that takes the connection and says nothing, here for a moment."""
    assert 2 * ray_cluster.ANSWER <= 20  # one for the connection, one for the answer
    monkeypatch.setattr(ray_cluster, "ANSWER", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(UserError, match="no Ray cluster answers there"):
            check_address(f"127.0.0.1:{silent.getsockname()[1]}")


def sweep_command(tmp_path, *flags):
    return [sys.executable, "-m", "shared.studies.sweep", "sum-gru", *SMALL,
            "--results-dir", str(tmp_path / "runs"), "--to", str(tmp_path / "to"),
            "--on", "ray", *flags]  # fmt: skip


@needs_ray
def test_one_node_trains_as_this_machine_does(tmp_path):
    """The short form: Ray on this machine, one trial, and the same numbers."""
    grid = ["--grid", "epochs=2", "--grid", "units=3"]
    done = subprocess.run(
        sweep_command(tmp_path, *grid, "--workers", "1"),
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stderr
    (on_ray,) = find_runs(tmp_path / "runs")
    assert on_ray.state == "finished"
    flags = ["sum-gru", *SMALL, *grid, "--results-dir", str(tmp_path / "here")]
    main([*flags, "--to", str(tmp_path / "to here"), "--threads", "1"])
    (here,) = find_runs(tmp_path / "here")
    for name, column in here.history.items():
        if name != "seconds":
            assert on_ray.history[name] == column
    assert on_ray.summary["test"] == here.summary["test"]


HOST = "127.0.0.2"  # Ray replaces 127.0.0.1 by the address of the machine


class Cluster:
    """Nodes on this machine, each with its own `ray start` processes."""

    def __init__(self):
        os.environ["RAY_BACKEND_LOG_LEVEL"] = "error"
        from ray.cluster_utils import Cluster as RayCluster

        self.node = {"num_cpus": 1, "object_store_memory": 100 * 2**20,
                     "node_ip_address": HOST}  # fmt: skip
        head = self.node | {"include_dashboard": False}
        self.cluster = RayCluster(initialize_head=True, head_node_args=head)
        self.others = [self.cluster.add_node(**self.node) for _ in range(2)]
        self.address = self.cluster.address


@pytest.fixture
def cluster():
    made = Cluster()
    yield made
    made.cluster.shutdown()


def check_each_once(root, num_units, seeds):
    runs = find_runs(root)
    assert {run.state for run in runs} == {"finished"}
    counts = Counter((run.settings["units"], run.seed) for run in runs)
    assert counts == {(u, s): 1 for u in range(2, 2 + num_units) for s in range(seeds)}
    for run in runs:
        assert run.summary["test"] is not None
        assert (run.path / "predictions.npz").exists()


def wait_for_runs(root, count, process):
    while len(find_runs(root)) < count:
        assert process.poll() is None
        time.sleep(0.5)


GRID = ["--grid", "epochs=1", "--grid", "units=2,3,4,5,6,7", "--seeds", "0-3"]


@needs_ray
@pytest.mark.slow  # 24 trainings, a minute or more
@pytest.mark.timeout(1800)
def test_a_node_dies_and_each_trial_is_there_once(cluster, tmp_path):
    command = sweep_command(tmp_path, "--address", cluster.address, *GRID)
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_runs(tmp_path / "runs", 4, process)
    cluster.cluster.remove_node(cluster.others[0], allow_graceful=False)
    printed, errors = process.communicate(timeout=1500)
    assert process.returncode == 0, errors
    assert "24 trials, 0 of them already trained" in printed
    check_each_once(tmp_path / "runs", 6, 4)


@needs_ray
@pytest.mark.slow  # 24 trainings, a minute or more
@pytest.mark.timeout(1800)
def test_the_driver_dies_and_each_trial_is_there_once(cluster, tmp_path):
    command = sweep_command(tmp_path, "--address", cluster.address, *GRID)
    process = start(command, stdout=subprocess.DEVNULL)
    wait_for_runs(tmp_path / "runs", 4, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT)
    assert done.returncode == 0, done.stderr
    assert "24 trials, 0 of" not in done.stdout
    check_each_once(tmp_path / "runs", 6, 4)


@needs_ray
def test_what_starts_again_and_what_does_not(tmp_path, monkeypatch):
    """Four trials without training: each writes a line when it starts."""
    from shared.sweeps import ray_pool
    from shared.sweeps.ray_cluster import RayOptions
    from shared.sweeps.ray_pool import run_on_ray
    from shared.sweeps.workers import Worker

    log = tmp_path / "log"

    def task(job, contents, monitor):
        import os

        import ray

        from shared.sweeps import ray_task
        from shared.sweeps.ray_task import NodeResult

        cpus = ray.get_runtime_context().get_assigned_resources()["CPU"]
        with log.open("a") as file:
            file.write(f"{job.label} on {cpus:g}\n")
        starts = log.read_text().count(f"{job.label} on")
        if job.label == "worker dies" and starts == 1:
            os._exit(1)
        if job.label in ("killed always", "killed once") and (
            starts == 1 or job.label == "killed always"
        ):
            code = "import os; os.kill(os.getpid(), 9)"  # as the system does
            status, tail, _ = ray_task._run([sys.executable, "-c", code], job, None)
            return NodeResult(status, tail)
        return NodeResult(1 if job.label == "recipe fails" else 0, ["the last line"])

    monkeypatch.setattr(ray_pool, "_train", task)
    labels = ["recipe fails", "killed once", "killed always", "worker dies"]
    workers = [Worker(k, [], label=label) for k, label in enumerate(labels)]
    trials = [Trial("sum-gru", {}, worker.seed, worker.label) for worker in workers]
    ended = []
    run_on_ray(
        zip(workers, trials, strict=True), RayOptions(cluster_cpus=2), tmp_path / "r",
        lambda worker, line: worker.status is not None and ended.append(worker.label),
    )  # fmt: skip
    assert Counter(log.read_text().splitlines()) == {
        "recipe fails on 1": 1,
        "killed once on 1": 1, "killed once on 2": 1,
        "killed always on 1": 1, "killed always on 2": 1,
        "worker dies on 1": 2,
    }  # fmt: skip
    assert sorted(ended) == sorted(labels)
    assert [worker.status for worker in workers] == [1, 0, 9, 0]
    assert "lack of memory" in workers[2].tail[-1]
    assert not list((tmp_path / "r").glob(".sweep-*"))
