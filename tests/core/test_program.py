"""The start of a program: native messages, no home, no screen for all letters."""

import os

import pytest

from tests.helpers import run_python

HOLD = """
import os, sys
from shared.core.messages import hold_messages
with hold_messages():
    os.write(2, b"reason\\n")
    {end}
print("done")
"""


def test_messages_of_native_code_are_hidden_if_all_is_well():
    done = run_python("-c", HOLD.format(end="pass"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.parametrize(
    "end", ["os.abort()", "os._exit(1)", "os.kill(os.getpid(), 9)"]
)
def test_messages_are_shown_if_native_code_ends_the_process(end):
    done = run_python("-c", HOLD.format(end=end))
    assert done.returncode != 0
    assert done.stderr.startswith("reason\nerror: ")
    assert done.stderr.count("\n") == 2


def test_messages_are_shown_before_an_error():
    done = run_python("-c", HOLD.format(end="raise OSError('broken')"))
    assert done.stderr.startswith("reason\nTraceback")


def test_messages_do_not_follow_ctrl_c():
    done = run_python("-c", HOLD.format(end="raise KeyboardInterrupt"))
    assert "reason" not in done.stderr


def test_what_tensorflow_says_before_it_aborts_is_shown():
    code = "from shared.core.backend import import_keras; import_keras()"
    done = run_python("-c", code, TF_XLA_FLAGS="--no-such-flag")
    assert done.returncode != 0
    assert "Unknown flag in TF_XLA_FLAGS: --no-such-flag" in done.stderr


DRAW = """
import sys
from pathlib import Path
from shared.plots.panels import make_panels
figure, _ = make_panels(1, 1)
figure.savefig(Path(sys.argv[1]))
assert "matplotlib.pyplot" not in sys.modules
"""


@pytest.mark.parametrize(
    "backend", ["module://no_such_package.backend", "Qt4Agg", "nonsense"]
)
def test_figures_go_to_files_whatever_the_backend(backend, tmp_path):
    done = run_python("-c", DRAW, str(tmp_path / "x.png"), MPLBACKEND=backend)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x.png").stat().st_size > 1000


OWN = """
import os, pathlib, sys
def fail(*_):
    raise RuntimeError("Could not determine home directory.")
pathlib.Path.home = fail
sys.orig_argv = ["python", "-m", sys.argv[1]]
sys.argv = ["-m"]
import shared
print(os.environ.get("HOME"), os.environ.get("MPLBACKEND"), "±")
"""


def test_a_program_of_the_suite_needs_no_home_and_no_unicode_screen():
    done = run_python("-c", OWN, "shared.compare", PYTHONIOENCODING="ascii")
    assert (done.stdout, done.stderr) == (f"{os.devnull} agg ?\n", "")


def test_a_program_of_someone_else_is_left_as_it_is():
    done = run_python("-c", OWN, "ipykernel_launcher", MPLBACKEND="svg", HOME="/here")
    assert (done.stdout, done.stderr) == ("/here svg ±\n", "")
