"""A long table reads as rich prints it, letter by letter."""

import io

import numpy as np
import pytest
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.runs.long_table import LONG, print_table

WORDS = (
    "--units 64",
    "imdb-gru",
    "--learning-rate 0.001",
    "数据集",
    "x" * 45,
    "a b",
    "",
)


def make_table(rows, padding=(0, 1), title=None, flexible=0, numbers=3):
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False,
        padding=padding,
    )  # fmt: skip
    for k in range(numbers + 1):
        if k == flexible:
            table.add_column("run", overflow="fold")
        else:
            table.add_column(f"weights\npeak {k}", justify="right", no_wrap=True)
    random = np.random.default_rng(0)
    for k in range(rows):
        cells = [f"{random.random():.4f}\n±{k}" if k % 3 else "-"] * numbers
        text = " ".join(random.choice(WORDS, random.integers(1, 4)))
        if k % 40 == 0:
            table.add_section()
            table.add_row(Text("imdb-gru", style="bold"), *[""] * numbers)
        else:
            cells.insert(flexible, text)
            table.add_row(*cells, style="dim" if k % 7 == 0 else None)
    return table


def show(width, do):
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, markup=False, emoji=False)
    do(console)
    return out.getvalue()


@pytest.mark.parametrize("rows", [LONG - 1, LONG + 1, 3 * LONG])
@pytest.mark.parametrize("width", [40, 60, 61, 80, 100, 250])
@pytest.mark.parametrize(
    "form",
    [
        {"title": "imdb: accuracy, mean ± standard deviation over n seeds"},
        {"padding": (0, 1, 0, 0), "flexible": 3},
        {"padding": (0, 1, 0, 0), "flexible": 5, "numbers": 6},
    ],
)
def test_it_is_what_rich_prints(rows, width, form):
    table = make_table(rows, **form)
    expected = show(width, lambda console: console.print(table))
    assert show(width, lambda console: print_table(console, table)) == expected
    assert len(expected.splitlines()) > rows
