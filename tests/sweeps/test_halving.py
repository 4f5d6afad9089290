"""Successive halving, by hand, and the question that a training asks."""

import math
import subprocess
import sys

import pytest

from recipes import sum_gru
from shared.commands.recipe import main
from shared.core.signals import PrunedError
from shared.runs.reader import find_runs
from shared.sweeps.halving import Halving
from shared.sweeps.progress import describe_end
from shared.sweeps.workers import Worker, run_workers


def test_rungs_are_powers_of_the_reduction():
    halving = Halving(first=2, reduction=3)
    assert [e for e in range(1, 60) if halving.is_rung(e)] == [2, 6, 18, 54]


def test_only_the_best_third_goes_on():
    """Errors 5, 4, 6, 1, 2, 3: each against those before it at the rung."""
    halving = Halving(first=1, reduction=3)
    stops = [halving.add(str(k), 1, e, 9) for k, e in enumerate([5, 4, 6, 1, 2, 3])]
    #  5: the first.  4: best of two.  6: third of three.  1: best of four.
    #  2: second of five, and one goes on.  3: third of six, and two go on.
    assert stops == [False, False, True, False, True, True]


def test_nothing_stops_between_rungs_or_after_the_last_epoch():
    halving = Halving(first=1, reduction=3)
    halving.add("good", 3, 1.0, 3)
    assert not halving.add("bad", 2, 9.0, 3)
    assert not halving.add("bad", 3, 9.0, 3)


def test_the_best_epoch_so_far_counts_and_nan_is_the_worst():
    halving = Halving(first=3, reduction=2)
    for epoch, error in ((1, 1.0), (2, 5.0), (3, 5.0)):
        assert not halving.add("early", epoch, error, 9)
    assert halving.add("late", 3, 2.0, 9)
    assert halving.add("broken", 3, math.nan, 9)
    assert halving.rungs[3] == {"early": 1.0, "late": 2.0, "broken": math.inf}


CHILD = """
import sys
from shared.core.signals import PrunedError, ask_parent, end_with_parent
end_with_parent()
for epoch in (1, 2, 3):
    print(f"epoch {epoch} of 3, loss 1.0", flush=True)
    try:
        ask_parent(epoch, 3, float(sys.argv[1]))
    except PrunedError:
        print(f"stopped after {epoch}", flush=True)
        sys.exit(0)
print("ran to the end", flush=True)
"""


def test_a_process_stops_when_others_are_better():
    workers = [
        Worker(k, [sys.executable, "-c", CHILD, str(error)], label=f"trial {k}")
        for k, error in enumerate([1.0, 2.0, 0.5])
    ]
    run_workers(workers, 1, 1, lambda worker, line: None, Halving(reduction=3))
    assert [worker.tail[-1] for worker in workers] == [
        "ran to the end", "stopped after 1", "ran to the end",
    ]  # fmt: skip
    assert [worker.pruned for worker in workers] == [False, True, False]
    assert [worker.status for worker in workers] == [0, 0, 0]


def test_a_process_that_nobody_asks_runs_to_its_end():
    worker = Worker(0, [sys.executable, "-c", CHILD, "1"], label="alone")
    run_workers([worker], 1, 1, lambda worker, line: None)
    assert worker.tail[-1] == "ran to the end"
    done = subprocess.run([*worker.command], capture_output=True, text=True)
    assert "asks after" not in done.stdout


def test_a_pruned_run_is_interrupted_says_so_and_has_no_test(
    tmp_path, monkeypatch, capsys
):
    def stop_after_two(epoch, epochs, error):
        assert error > 0  # a mean squared error: lower is better
        if epoch == 2:
            raise PrunedError

    monkeypatch.setattr("shared.training.recorder.ask_parent", stop_after_two)
    flags = ["--units", "3", "--train-windows", "64", "--validation-windows", "32",
             "--test-windows", "32", "--epochs", "5"]  # fmt: skip
    main(sum_gru.Config, sum_gru.run, [*flags, "--results-dir", str(tmp_path)])
    (run,) = find_runs(tmp_path)
    assert run.state == "interrupted"
    assert run.summary["pruned"] is True
    assert run.summary["test"] is None
    assert run.history["epoch"] == [1.0, 2.0]
    assert "Pruned after epoch 2" in run.summary["note"]
    assert f"Saved in {run.path}" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["", "epoch 1 of 3, loss 2", "asks nothing"])
def test_other_lines_prune_nothing(line):
    assert not Halving().is_pruned("trial", line)


def test_a_pruned_training_does_not_say_how_long_it_would_take():
    worker = Worker(0, [], status=0, pruned=True)
    last = "epoch 3 of 9, val_mae 2.9, the best so far, 44.4 s, 4 min 27 s left"
    assert describe_end(worker, last) == (
        "pruned, epoch 3 of 9, val_mae 2.9, the best so far, 44.4 s"
    )
    worker.pruned = False
    assert describe_end(worker, last) == last
