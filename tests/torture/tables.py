"""Tables of any dirt: one line, or exactly the values that the file states."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from shared.core.errors import UserError
from shared.data.weather.cleaning import clean_records
from shared.data.weather.station_file import COLUMNS, read_records
from tests.data.test_weather import make_rows
from tests.torture.outcome import REFUSED, check, check_line, refuse_or

ROWS = 24
TIME = "date"
NO_NUMBERS = (
    "1_000", "0x1F", "True", "\u0661\u0662", "1 000", "--5", "1e", "1.2.3", "5f", "-",
    "\u00bd", "1\u00a05", "'5", "9" * 5000 + "x", "\x1b[31m5", "12:30", "inf", "1e400",
    "-Infinity", "1e12", "5%", "=1+1", "NULL NULL", "?", "\ufffd", "1.5.", "3..5",
)  # fmt: skip
NO_TIMES = (
    "2020-02-30 00:00:00", "2020-01-01 24:00:00", "01/02/2020 00:00", "yesterday", "",
    "2020-01-01", "20200101000000", "1577836800", "2020-13-01 00:00:00", "NaT",
    "01.01.2020 00:00:00", "2020-01-01T00:00:00+01:00", "0000-00-00 00:00:00",
)  # fmt: skip
MISSING = ("", "NA", "nan", "NaN")


@dataclass
class Sheet:
    """A table, how it is written, and what a careful reader finds in it.

    Attributes:
        header: Names of the columns.
        rows: The cells of each row, and the values that they state, NaN if missing.
        is_certain: Whether the file states these values beyond doubt. If not, it must
            be refused.
        dirt: What was done to it.
    """

    header: list[str] = field(default_factory=lambda: [TIME, *COLUMNS])
    rows: list[tuple[list[str], list[float]]] = field(
        default_factory=lambda: [
            (cells, list(map(float, cells[1:]))) for cells in make_rows(ROWS)
        ]
    )
    delimiter: str = ","
    line_end: str = "\n"
    encoding: str = "utf-8"
    quote: Callable[[str], bool] = lambda cell: False
    notes: dict[int, str] = field(default_factory=dict)
    end: str = ""
    is_certain: bool = True
    is_cut: bool = False
    dirt: list[str] = field(default_factory=list)

    def write(self) -> bytes:
        """Return the file."""
        lines = [self._write_row(self.header)]
        for k, (cells, _) in enumerate(self.rows):
            lines += [self.notes[k]] if k in self.notes else []
            lines.append(self._write_row(cells))
        text = "".join(line + self.line_end for line in lines)
        return text.encode(self.encoding, "replace")

    def _write_row(self, cells: list[str]) -> str:
        return self.delimiter.join(map(self._write_cell, cells)) + self.end

    def _write_cell(self, cell: str) -> str:
        return f'"{cell}"' if self.quote(cell) else cell


def attempt(random: Random, place: Path) -> str:
    """Write a table with up to five kinds of dirt, and read it.

    A tenth of the tables are cut short, but none whose fault the cut may remove.
    """
    sheet = make_sheet(random)
    print(" + ".join(sheet.dirt))
    path = place / "weather_jena_2020.csv"
    content = sheet.write()
    if sheet.is_certain and random.random() < 0.1:
        sheet.is_cut = True
        content = content[: random.randrange(1, len(content))]
        print("cut")
    path.write_bytes(content)
    harmless = set(sheet.dirt) <= HARMLESS and not sheet.is_cut
    try:
        records = read_records(path)
    except UserError as error:
        check(not harmless, f"refused without a reason: {error}")
        return check_line(str(error).replace(str(path), "FILE"))
    check(sheet.is_certain, "read, but nobody can know what it states")
    check_values(records, sheet)

    def clean() -> None:
        found = clean_records(records, path, max_gap=60)
        check((np.diff(found.times) > np.timedelta64(0)).all(), "times out of order")
        for name, values in found.columns.items():
            check(np.isfinite(values).all(), f"{name} is not finite")

    outcome = refuse_or(clean)
    check(not harmless or outcome != REFUSED, "refused without a reason")
    return outcome


def check_values(records, sheet: Sheet) -> None:
    """Compare every value that was read with what the file states."""
    rows = [row for row in sheet.rows if any(cell.strip() for cell in row[0])]
    count = len(records.rows.times)
    if sheet.is_cut:
        check(count <= len(rows), f"{count} rows of {len(rows)}")
        rows = rows[:count]
    check(count == len(rows), f"{count} rows, not {len(rows)}")
    expected = np.array([values for _, values in rows])
    found = np.column_stack([records.rows.values[name] for name in COLUMNS])
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    if sheet.is_cut and records.remarks:
        last_name = [name for name in sheet.header if name in COLUMNS][-1]
        same[-1, list(COLUMNS).index(last_name)] = True  # cut, and a line says so
    if not same.all():
        row, column = np.argwhere(~same)[0]
        problem = f"{found[row, column]}, not {expected[row, column]}"
        raise AssertionError(f"row {row}, {COLUMNS[column]}: {problem}")
    times = [read_time(cells[0]) for cells, _ in rows]
    check(list(records.rows.times) == times, "other times")


def read_time(cell: str) -> np.datetime64:
    cell = cell.strip()
    if "." in cell:
        date, clock = cell.split()
        cell = f"{'-'.join(reversed(date.split('.')))} {clock}"
    return np.datetime64(cell.replace(" ", "T"), "s")


def make_sheet(random: Random) -> Sheet:
    """Return a table with dirt of at most one kind from each group."""
    sheet = Sheet()
    groups = random.sample(list(GROUPS), random.randrange(0, 6))
    for group in GROUPS:  # in this order, so that a later one never undoes a former
        if group in groups:
            dirt = random.choice(GROUPS[group])
            sheet.dirt.append(dirt.__name__)
            dirt(sheet, random)
    return sheet


def draw_cell(sheet: Sheet, random: Random) -> tuple[list[str], list[float], int]:
    """Return a row's cells and values, and the position of one value."""
    cells, values = random.choice(sheet.rows)
    return cells, values, random.randrange(len(values))


# Times


def german_times(sheet: Sheet, random: Random) -> None:
    for cells, _ in sheet.rows:
        date, clock = cells[0].split()
        cells[0] = f"{'.'.join(reversed(date.split('-')))} {clock}"


def wrong_time(sheet: Sheet, random: Random) -> None:
    cells, _, _ = draw_cell(sheet, random)
    cells[0] = random.choice(NO_TIMES)
    sheet.is_certain = False


def repeated_row(sheet: Sheet, random: Random) -> None:
    k = random.randrange(len(sheet.rows))
    cells, values = sheet.rows[k]
    sheet.rows.insert(k, (list(cells), list(values)))


def gap(sheet: Sheet, random: Random) -> None:
    k = random.randrange(1, len(sheet.rows) - 3)
    del sheet.rows[k : k + random.randrange(1, 4)]


def other_order(sheet: Sheet, random: Random) -> None:
    random.shuffle(sheet.rows)


def hour_twice(sheet: Sheet, random: Random) -> None:
    for k in range(12, len(sheet.rows)):
        sheet.rows[k][0][0] = sheet.rows[k - 6][0][0]


# Numbers


def other_writing(sheet: Sheet, random: Random) -> None:
    for _ in range(random.randrange(1, 40)):
        cells, values, k = draw_cell(sheet, random)
        value = values[k]
        if not math.isnan(value):
            forms = [f"{value:+}", f"{value}000", f"{value!r}E0", f"0{value}"]
            forms += [f"{value * 10:.1f}e-1", f"{value:.2f}"]
            cells[k + 1] = random.choice(forms if value >= 0 else forms[:3])


def missing(sheet: Sheet, random: Random) -> None:
    for _ in range(random.randrange(1, 20)):
        cells, values, k = draw_cell(sheet, random)
        cells[k + 1], values[k] = random.choice(MISSING), math.nan


def codes(sheet: Sheet, random: Random) -> None:
    code = random.choice(["-9999", "-9999.0", "-999.9", "9999", "-99"])
    for _ in range(random.randrange(1, 8)):
        cells, values, k = draw_cell(sheet, random)
        cells[k + 1], values[k] = code, float(code)


def no_number(sheet: Sheet, random: Random) -> None:
    cells, _, k = draw_cell(sheet, random)
    cells[k + 1] = random.choice(NO_NUMBERS)
    sheet.is_certain = False


def quoted_decimal_comma(sheet: Sheet, random: Random) -> None:
    cells, _, k = draw_cell(sheet, random)
    cells[k + 1] = '"10,5"'
    sheet.is_certain = False


def thousands(sheet: Sheet, random: Random) -> None:
    cells, _, k = draw_cell(sheet, random)
    cells[k + 1] = random.choice(['"1,000.5"', '"1.000,5"', "1'000.5", "1 000"])
    sheet.is_certain = False


# Columns


def more_columns(sheet: Sheet, random: Random) -> None:
    for k in range(random.randrange(1, 4)):
        position = random.randrange(1, len(sheet.header) + 1)
        sheet.header.insert(position, f"other {k}")
        for cells, _ in sheet.rows:
            cells.insert(position, str(random.randrange(1000)))


def other_columns(sheet: Sheet, random: Random) -> None:
    order = list(range(1, len(sheet.header)))
    random.shuffle(order)
    sheet.header[1:] = [sheet.header[k] for k in order]
    for cells, _ in sheet.rows:
        cells[1:] = [cells[k] for k in order]


# Structure: at most one, since two such faults can hide each other


def cell_dropped(sheet: Sheet, random: Random) -> None:
    rows = sheet.rows if random.random() < 0.3 else [random.choice(sheet.rows)]
    position = random.randrange(len(sheet.header))
    for cells, _ in rows:
        del cells[position]
    sheet.is_certain = False


def cell_added(sheet: Sheet, random: Random) -> None:
    rows = sheet.rows if random.random() < 0.3 else [random.choice(sheet.rows)]
    position = random.randrange(len(sheet.header) + 1)
    for cells, _ in rows:
        cells.insert(position, random.choice(["1", "1.5", "x"]))
    sheet.is_certain = False


def decimal_commas(sheet: Sheet, random: Random) -> None:
    rows = sheet.rows if random.random() < 0.7 else [random.choice(sheet.rows)]
    for cells, _ in rows:
        cells[1:] = [cell.replace(".", ",") for cell in cells[1:]]
    # Whoever writes a decimal comma has a number with one.
    rows[0][0][1] = rows[0][0][1] + ",5" if "," not in rows[0][0][1] else rows[0][0][1]
    sheet.is_certain = False


def name_changed(sheet: Sheet, random: Random) -> None:
    known = [k for k, name in enumerate(sheet.header) if name in COLUMNS]
    k = random.choice(known)
    other = random.choice([n for n in sheet.header if n != sheet.header[k]])
    names = ["", "other", sheet.header[k].upper() + "x", other, sheet.header[k][:-1]]
    sheet.header[k] = random.choice(names)
    sheet.is_certain = False


def name_dropped(sheet: Sheet, random: Random) -> None:
    del sheet.header[random.randrange(len(sheet.header))]
    sheet.is_certain = False


def no_header(sheet: Sheet, random: Random) -> None:
    sheet.header = list(sheet.rows.pop(0)[0])
    sheet.is_certain = False


def header_again(sheet: Sheet, random: Random) -> None:
    row = (list(sheet.header), [math.nan] * len(COLUMNS))
    sheet.rows.insert(random.randrange(1, len(sheet.rows)), row)
    sheet.is_certain = False


def open_quote(sheet: Sheet, random: Random) -> None:
    cells, _, k = draw_cell(sheet, random)
    cells[k] = '"' + cells[k]
    sheet.is_certain = False


def zero_byte(sheet: Sheet, random: Random) -> None:
    cells, _, k = draw_cell(sheet, random)
    cells[k + 1] += "\0"
    sheet.is_certain = False


# Form: what the file states stays the same


def notes(sheet: Sheet, random: Random) -> None:
    for _ in range(random.randrange(1, 6)):
        text = random.choice(["", "   ", "# a note", "#1,2,3", "\t"])
        sheet.notes[random.randrange(len(sheet.rows))] = text


def empty_rows(sheet: Sheet, random: Random) -> None:
    empty = [""] * len(sheet.header), [math.nan] * len(COLUMNS)
    for _ in range(random.randrange(1, 4)):
        sheet.rows.insert(random.randrange(len(sheet.rows)), empty)


def quotes(sheet: Sheet, random: Random) -> None:
    share, seed = random.choice([0.05, 0.5, 1.0]), random.randrange(10**9)
    chosen = Random(seed)
    sheet.quote = lambda cell: '"' not in cell and chosen.random() < share


def spaces(sheet: Sheet, random: Random) -> None:
    for cells in (sheet.header, *(cells for cells, _ in sheet.rows)):
        for k in range(1, len(cells)):
            if cells[k] and '"' not in cells[k] and random.random() < 0.3:
                cells[k] = f" {cells[k]}{random.choice(['', ' '])}"


def line_ends(sheet: Sheet, random: Random) -> None:
    sheet.line_end = random.choice(["\r\n", "\r"])


def commas_at_the_end(sheet: Sheet, random: Random) -> None:
    sheet.end = "," * random.randrange(1, 4)


def encodings(sheet: Sheet, random: Random) -> None:
    sheet.encoding = random.choice(["utf-8-sig", "utf-16", "latin-1", "cp1252"])


def no_mark(sheet: Sheet, random: Random) -> None:
    sheet.encoding = random.choice(["utf-16-le", "utf-16-be", "utf-32"])
    sheet.is_certain = False


def delimiters(sheet: Sheet, random: Random) -> None:
    sheet.delimiter = random.choice([";", "\t", "|", " "])
    sheet.is_certain = False


GROUPS: dict[str, list[Callable[[Sheet, Random], None]]] = {
    "times": [german_times, wrong_time, repeated_row, gap, other_order, hour_twice],
    "numbers": [
        other_writing, missing, codes, no_number, quoted_decimal_comma, thousands,
    ],
    "columns": [more_columns, other_columns],
    "spaces": [spaces],
    "structure": [
        cell_dropped, cell_added, decimal_commas, name_changed, name_dropped,
        no_header, header_again, open_quote, zero_byte,
    ],
    "rows": [notes, empty_rows],
    "quotes": [quotes],
    "lines": [line_ends],
    "ends": [commas_at_the_end],
    "encoding": [encodings, encodings, no_mark],
    "delimiter": [delimiters],
}  # fmt: skip
HARMLESS = {
    dirt.__name__
    for dirt in (
        german_times, repeated_row, gap, other_writing, more_columns, other_columns,
        notes, empty_rows, quotes, spaces, line_ends, commas_at_the_end, encodings,
    )
}  # fmt: skip
