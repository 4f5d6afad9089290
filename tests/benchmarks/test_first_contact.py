"""The steps of a first contact, and what a command printed when."""

import os
import sys

import pytest

from benchmarks.first_contact import Line, list_silences, run, table

LINES = [
    Line(1.0, 0.5, "Setting up .venv (once): TensorFlow"),
    Line(6.0, 5.0, "  finding and downloading packages, 0 s"),
    Line(14.0, 9.0, "  finding and downloading 2 packages, 585 MB, 8 s"),
    Line(20.0, 12.0, "  installing 63 packages, 613 MB, 14 s"),
    Line(50.0, 40.0, "Kernels (kernels.json records what ran)"),
]


def test_a_step_lasts_until_the_next_one_begins():
    assert table(LINES, Line(61.0, 50.0, "")) == [
        ("git clone", 1.0, 0.5, 1.0),
        ("virtual environment", 5.0, 4.5, 5.0),
        ("find and download packages", 14.0, 7.0, 8.0),
        ("install packages", 30.0, 28.0, 30.0),
        ("train", 11.0, 10.0, 11.0),
    ]


def test_the_longest_silence_names_the_line_before_it():
    assert max(list_silences(LINES)) == (30.0, LINES[3].text)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
@pytest.mark.parametrize("terminal", [False, True])
def test_lines_are_read_from_pipes_and_terminals(terminal):
    program = (
        "import sys; print('one'); print('moving', end='', flush=True);"
        "print('\\r\\x1b[2Kmoving on'); print(sys.stdout.isatty()); sys.exit(3)"
    )
    command = [sys.executable, "-c", program]
    lines, total, status = run(command, dict(os.environ), terminal)
    assert [line.text for line in lines] == ["one", "moving on", str(terminal)]
    assert status == 3
    assert 0 < lines[0].second <= total.second
