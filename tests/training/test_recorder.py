"""The record of a training that is stopped."""

import os
import signal

import pytest

from shared.core.signals import INTERRUPTED
from shared.runs.reader import find_runs
from shared.runs.writer import RunFolder
from tests.recipes.training_runs import train_series


def test_a_ctrl_c_that_a_library_catches_ends_the_run_at_the_next_epoch(
    tmp_path, monkeypatch
):
    write = RunFolder.write_progress

    def write_and_catch(folder, rows, best):
        write(folder, rows, best)
        if len(rows) == 2:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunFolder, "write_progress", write_and_catch)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as exit_:
            train_series("sum_gru", tmp_path, "--epochs", "5")
    finally:
        signal.signal(signal.SIGINT, before)
    assert exit_.value.code == INTERRUPTED
    (run,) = find_runs(tmp_path / "runs")
    assert run.state == "interrupted"
    assert run.history["epoch"] == [1, 2]
