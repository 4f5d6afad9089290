"""Ctrl-C and kills: one line and status 130, whatever the program does just then."""

import os
import signal
import subprocess
import sys
import time

import pytest

from shared.core.signals import INTERRUPTED, kill_as_interrupt
from tests.helpers import run_python, start


@pytest.fixture(autouse=True)
def _signals_of_a_terminal():
    """Have the handlers of a terminal, also under a `nohup` in the background."""
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {
        number: signal.signal(number, handler) for number, handler in usual.items()
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_signal_interrupts(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), kill_as_interrupt():
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert signal.getsignal(number) is before


def test_an_ignored_signal_stays_ignored_and_a_kill_still_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with pytest.raises(KeyboardInterrupt), kill_as_interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)


def test_an_interrupt_that_native_code_turned_into_an_error_is_one_again():
    with pytest.raises(KeyboardInterrupt), kill_as_interrupt():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt as error:
            raise RuntimeError("UNKNOWN: KeyboardInterrupt") from error


def test_without_a_signal_an_error_stays_what_it_is():
    with pytest.raises(RuntimeError), kill_as_interrupt():
        raise RuntimeError


@pytest.mark.parametrize("program", [["recipes/sum_gru.py"], ["-m", "recipes.sum_gru"]])
def test_ctrl_c_in_the_first_seconds_is_one_line(program, tmp_path):
    """It comes while modules are imported."""
    process = start(
        [sys.executable, *program, "--results-dir", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert output == ""
    assert errors == "Interrupted.\n"


LOST = """
import sys, time
sys.argv = ["-m"]
sys.orig_argv = ["python", "-m", "shared.compare"]
from shared.core.flags import one_line_errors
class Noisy:
    def __del__(self):
        raise KeyboardInterrupt
with one_line_errors("--to"):
    Noisy()
    time.sleep(30)
"""


def test_a_ctrl_c_in_a_destructor_is_not_lost():
    done = run_python("-c", LOST)
    assert done.returncode == INTERRUPTED
    assert done.stderr == "Interrupted.\n"
