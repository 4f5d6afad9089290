"""A long table of rich, printed as rich prints it, in a tenth of the time.

Rich measures and pads every cell several times. Here a cell is padded once, and cells
with the same text are wrapped once. Tables in which more than one column would have to
shrink, and short ones, are left to rich.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

LONG = 100  # rows
NARROW = 8  # cells of the column that shrinks


def print_table(console: Console, table: Table) -> None:
    """Print a table with at most one column that may wrap.

    Args:
        console: Where to print.
        table: Its cells are `str` or `Text`.
    """
    widths = _find_widths(console, table) if len(table.rows) > LONG else None
    if widths is None:
        console.print(table)
        return
    segments = [*_render_head(console, table, widths), *_render(console, table, widths)]
    console.print(Segments(segments), crop=False, end="")


def _find_widths(console: Console, table: Table) -> list[int] | None:
    """Return the cells of each column without padding; None to leave it to rich."""
    widths = []
    for column in table.columns:
        texts = [_plain(cell) for cell in (column.header, *column.cells)]
        if any("\t" in text or "\r" in text for text in texts):
            return None
        lines = {line for text in set(texts) for line in text.split("\n")}
        widths.append(max(map(cell_len, lines)))
    padding = sum(map(sum, _list_padding(table)))
    room = console.width - padding - len(widths) - 1  # with a space as each border
    excess = sum(widths) - room
    if excess > 0:
        flexible = [k for k, one in enumerate(table.columns) if not one.no_wrap]
        if len(flexible) != 1 or widths[flexible[0]] - excess < NARROW:
            return None
        widths[flexible[0]] -= excess
    return widths


def _list_padding(table: Table) -> list[tuple[int, int]]:
    """Return the spaces to the left and to the right of each column."""
    _, right, _, left = table.padding
    padding = [(left, right)] * len(table.columns)
    if not table.pad_edge:
        padding[0] = (0, padding[0][1])
        padding[-1] = (padding[-1][0], 0)
    return padding


def _render_head(
    console: Console, table: Table, widths: Sequence[int]
) -> Iterator[Segment]:
    """Yield the title and the header as rich renders them."""
    columns = [
        Column(
            header=one.header, justify=one.justify, no_wrap=one.no_wrap,
            overflow=one.overflow, width=width,
        )
        for one, width in zip(table.columns, widths, strict=True)
    ]  # fmt: skip
    head = Table(
        *columns, title=table.title, title_justify=table.title_justify, box=table.box,
        pad_edge=table.pad_edge, padding=table.padding,
    )  # fmt: skip
    for line in console.render_lines(head, pad=False)[:-1]:  # the last is the border
        yield from line
        yield Segment.line()


def _render(console: Console, table: Table, widths: Sequence[int]) -> Iterator[Segment]:
    padding = _list_padding(table)
    full = [sum(pad) + width for pad, width in zip(padding, widths, strict=True)]
    blank = Segment(table.box.get_row(full, "row"))

    @cache
    def align(k: int, text: str) -> list[str]:
        return _align(console, table.columns[k], text, widths[k], padding[k])

    rows = zip(*(column.cells for column in table.columns), strict=True)
    for facts, cells in zip(table.rows, rows, strict=True):
        aligned = [align(k, _plain(cell)) for k, cell in enumerate(cells)]
        style = console.get_style(facts.style or "")
        marked = [cell.style for cell in cells if isinstance(cell, Text) and cell.style]
        if marked:  # the only text of its row
            style += console.get_style(marked[0])
        for n in range(max(map(len, aligned))):
            parts = [
                lines[n] if n < len(lines) else " " * width
                for lines, width in zip(aligned, full, strict=True)
            ]
            yield Segment(f" {' '.join(parts)} ", style or Style.null())
            yield Segment.line()
        if facts.end_section and facts is not table.rows[-1]:
            yield blank
            yield Segment.line()
    yield Segment(table.box.get_bottom(full))
    yield Segment.line()


def _align(
    console: Console, column: Column, text: str, width: int, padding: tuple[int, int]
) -> list[str]:
    """Return the lines of a cell with its padding."""
    lines = text.split("\n")
    if any(cell_len(line) > width for line in lines):
        wrapped = Text(text).wrap(
            console, width, justify=column.justify, overflow=column.overflow
        )
        lines = [line.plain for line in wrapped]
    left, right = (" " * count for count in padding)
    aligned = []
    for line in lines:
        line = line.rstrip() if column.justify == "right" else line
        space = " " * (width - cell_len(line))
        line = space + line if column.justify == "right" else line + space
        aligned.append(f"{left}{line}{right}")
    return aligned


def _plain(cell: str | Text) -> str:
    return cell.plain if isinstance(cell, Text) else cell
