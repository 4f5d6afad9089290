"""Every bad table: mended and told, or refused in one line that says where and how.

`TABLE` is a list, so that a page of the documentation can show it.
"""

from __future__ import annotations

import gzip
import importlib.util
import lzma
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.data.series.frequency import Frequency
from shared.data.series.messages import FORECAST_FLAGS
from shared.data.series.reading import TableOptions, read_series

NAN = float("nan")


@dataclass(frozen=True)
class BadTable:
    """A table with one fault.

    Attributes:
        name: What is wrong.
        content: Of the file.
        options: Fields of `TableOptions`.
        outcome: Pattern of the error, or of a remark where the table is mended.
        values: Of the target, if mended: every step of every series. None: an error.
        file: Its name.
    """

    name: str
    content: bytes
    options: dict[str, Any]
    outcome: str
    values: list[float] | None = None
    file: str = "sales.csv"


def days(*sales: str, header: str = "date,sales") -> bytes:
    """Rows of 1 January 2024 and the days after it."""
    rows = [f"2024-01-{day:02},{cell}" for day, cell in enumerate(sales, 1)]
    return "\n".join([header, *rows, ""]).encode()


def text(*lines: str) -> bytes:
    return "\n".join([*lines, ""]).encode()


def hours(*changes: tuple[int, str]) -> bytes:
    """Twelve hourly rows, of which some are replaced."""
    lines = ["date,sales", *(f"2024-01-01 {h:02}:00,{h + 1}.5" for h in range(12))]
    for row, line in changes:
        lines[row] = line
    return text(*lines)


SALES = {"target": ("sales",)}
TABLE = [
    # Files
    BadTable("an empty file", b"", {}, r"is empty \(0 bytes\)"),
    BadTable("blank lines only", b"\n\n \n", {}, "holds blank lines and comments only"),
    BadTable("a header only", text("date,sales"), {}, r"no row below its header"),
    BadTable("one row", days("3"), {}, "line 2 holds the only row; a series needs two"),
    BadTable(
        "no header",
        text("2024-01-01,3", "2024-01-02,4"),
        {},
        "line 1 holds numbers, so the header is missing",
    ),
    BadTable("an Excel workbook", b"PK\x03\x04xl\x00", {}, "an Excel workbook; save"),
    BadTable(
        "packed by gzip, with another name",
        gzip.compress(days("3", "4")),
        {},
        "packed by gzip; its name must end in .gz",
    ),
    BadTable("a picture", b"\x89PNG\r\n\x1a\n\x00\xff", {}, "line 1 is no text"),
    BadTable(
        "zero bytes", text("date,sales", "2024-01-01,\0"), {}, "holds a zero byte"
    ),
    BadTable("one column", text("sales", "3", "4"), {}, "has one column only"),
    BadTable(
        "a damaged gz file",
        b"\x1f\x8b\x08damaged",
        {},
        "cannot be read",
        None,
        "s.csv.gz",
    ),
    BadTable(
        "not UTF-8", "date,größe\n".encode("cp1252"), {}, "line 1 is no text in utf-8"
    ),
    BadTable(
        "Windows encoding, named",
        "date,größe\n2024-01-01,3\n2024-01-02,4\n".encode("cp1252"),
        {"encoding": "cp1252", "target": ("größe",)},
        "every day",
        [3, 4],
    ),
    BadTable("no such encoding", days("3"), {"encoding": "utf-99"}, "is no encoding"),
    BadTable(
        "UTF-16, as Excel writes it",
        "date\tsales\n2024-01-01\t3\n2024-01-02\t4\n".encode("utf-16"),
        {},
        "every day",
        [3, 4],
    ),
    BadTable(
        "a file that was cut",
        days("3", "4", "57").rstrip(),
        {},
        "line 4, the last one, has no line end",
        [3, 4, 57],
    ),
    BadTable(
        "xz", lzma.compress(days("3", "4")), {}, "every day", [3, 4], "sales.csv.xz"
    ),
    # Cells and rows
    BadTable(
        "a cell too many",
        text("date,sales", "2024-01-01,3,5", "2024-01-02,4"),
        {},
        "line 2 has 3 cells, and the header",
    ),
    BadTable(
        "text in a number column",
        days("3", "4", "many", "5"),
        SALES,
        r"line 4, column 'sales': 'many' is no number; correct it",
    ),
    BadTable(
        "a column of text as target",
        days("red", "blue"),
        SALES,
        "line 2, column 'sales': 'red' is text, and a column of numbers is needed",
    ),
    BadTable(
        "infinity",
        days("3", "inf", "4"),
        {},
        "line 3, column 'sales': 'inf' is no number",
    ),
    BadTable(
        "a number too large", days("3", "1e300", "4"), {}, "line 3, column 'sales'"
    ),
    BadTable(
        "thousands separators",
        days("3", '"1,234,567"', "4"),
        {},
        "line 3, column 'sales': '1,234,567' is no number: .* thousands",
    ),
    BadTable(
        "percent signs", days("3", "4%", "5"), {}, "line 3, .*'4%' is .*without %"
    ),
    BadTable("currency", days("3", "$4.50", "5"), {}, r"line 3, .*signs of money"),
    BadTable(
        "decimal commas",
        text("date;sales", "2024-01-01;3,5", "2024-01-02;4", "2024-01-03;0,25"),
        {},
        "numbers have decimal commas",
        [3.5, 4, 0.25],
    ),
    BadTable(
        "decimal commas and points",
        text("date;sales", "2024-01-01;3,5", "2024-01-02;4.5"),
        {},
        "line 3, column 'sales': '4.5' is no number",
    ),
    BadTable(
        "decimals or thousands",
        text("date;sales", "2024-01-01;1.234", "2024-01-02;2.345"),
        {},
        r"line 2, column 'sales': '1.234' is .* pass --decimal",
    ),
    BadTable(
        "commas for decimals or thousands",
        text("date;sales", "2024-01-01;1,234", "2024-01-02;2,345"),
        {},
        r"line 2, column 'sales': '1,234' is .* pass --decimal",
    ),
    BadTable(
        "points between thousands",
        text("date;sales", "31.12.2023;1.234,5", "01.01.2024;2,5"),
        {},
        r"line 2, column 'sales': '1.234,5' is no number: .* between thousands",
    ),
    BadTable(
        "empty rows",
        text("date,sales", ",", ","),
        {},
        "all rows below its header are empty",
    ),
    BadTable(
        "a month that starts on its second day",
        text(
            "date,sales",
            *(
                f"2024-{d},{d[1]}"
                for d in ("01-01", "02-01", "03-02", "04-01", "05-01")
            ),
        ),
        {},
        r"line 4: 2024-03-02 is not on the grid .*\(every month, first day\)",
    ),
    BadTable(
        "decimals or thousands, named",
        text("date;sales", "2024-01-01;1.234", "2024-01-02;2.345"),
        {"decimal": "."},
        "every day",
        [1.234, 2.345],
    ),
    BadTable(
        "missing values", days("3", "", "NA", "6"), SALES, "every day", [3, NAN, NAN, 6]
    ),
    BadTable("no value at all", days("", "", ""), SALES, "column 'sales' has no value"),
    BadTable(
        "a constant target",
        days("3", "3", "3"),
        {},
        r"column 'sales' has the same value \(3\) in all rows",
    ),
    BadTable(
        "a code for missing values",
        days("3", "4", "-999", "6", "3", "-999", "5"),
        {},
        r"'sales' is -999 in 2 rows \(lines 4, 7\)",
        [3, 4, -999, 6, 3, -999, 5],
    ),
    BadTable(
        "true and false as an input",
        days("3,true", "4,False", "6,true", header="date,sales,open"),
        SALES | {"known": ("open",)},
        "'open': true is 1, false is 0",
        [3, 4, 6],
    ),
    BadTable(
        "categories as an input",
        days("3,red", "4,blue", header="date,sales,colour"),
        SALES | {"inputs": ("colour",)},
        "line 2, column 'colour': 'red' is text, .* each category",
    ),
    BadTable(
        "a constant input",
        days("3,7", "4,7", header="date,sales,size"),
        SALES | {"inputs": ("size",)},
        "'size' is constant",
        [3, 4],
    ),
    # Names and roles
    BadTable(
        "a wrong column name",
        days("3", "4"),
        {"target": ("sale",)},
        "--target 'sale': .* has no such column; did you mean 'sales'",
    ),
    BadTable(
        "a wrong name like no other",
        days("3", "4"),
        {"time": "zeit"},
        "--time 'zeit': .* no such column; it has 'date', 'sales'",
    ),
    BadTable(
        "one column in two roles",
        days("3", "4"),
        {"time": "date", "target": ("date",)},
        "--target 'date': .*--time names this column too",
    ),
    BadTable(
        "several columns to predict",
        days("3,5", "4,6", header="date,sales,price"),
        {},
        "columns 'sales', 'price' hold numbers; name the one to predict by --target",
    ),
    BadTable(
        "several columns of times",
        days("2024-02-01,3", "2024-02-02,4", header="date,sent,sales"),
        {},
        "columns 'date', 'sent' hold times; name one by --time",
    ),
    BadTable(
        "no column of numbers",
        days("red", "blue"),
        {},
        "no column of numbers is left",
    ),
    BadTable(
        "no column of times",
        text("a,sales", "x,3", "y,4"),
        {},
        "no column holds times in a form that is known",
    ),
    BadTable(
        "two columns of one name",
        days("3,4", "5,6", header="date,sales,sales"),
        {},
        "names column 'sales' twice",
    ),
    # Times
    BadTable(
        "no time", hours((5, "noon,5")), {}, "line 6, column 'date': 'noon' is no time"
    ),
    BadTable(
        "an empty time",
        hours((5, ",5")),
        {},
        "line 6, column 'date': the cell is empty",
    ),
    BadTable(
        "day or month first",
        text("date,sales", "01/02/2024,3", "02/02/2024,4"),
        {},
        "line 2, column 'date': '01/02/2024' is ambiguous: .* --time-format day-first",
    ),
    BadTable(
        "day first, by one row",
        text("date,sales", "12/01/2024,3", "13/01/2024,4"),
        {},
        "times have the day first, as in 12/01/2024",
        [3, 4],
    ),
    BadTable(
        "no form of times",
        days("3"),
        {"time_format": "german"},
        "--time-format 'german'",
    ),
    BadTable(
        "zones in some rows",
        text("date,sales", "2024-01-01 00:00Z,3", "2024-01-01 01:00,4"),
        {},
        "line 3, .* a time without a zone, and line 2 has one",
    ),
    BadTable(
        "offsets of summer and winter",
        text(
            "date,sales",
            "2024-03-31 01:00+01:00,3",
            "2024-03-31 03:00+02:00,4",
            "2024-03-31 04:00+02:00,6",
        ),
        {},
        "times have a zone: they are read in UTC",
        [3, 4, 6],
    ),
    BadTable(
        "the clock set back",
        text(
            "date,sales",
            "2024-10-27 01:00,3",
            "2024-10-27 02:00,4",
            "2024-10-27 02:00,5",
            "2024-10-27 03:00,6",
        ),
        {},
        "lines 3 and 4 have the same time 2024-10-27 02:00 .* was the clock set back",
    ),
    BadTable(
        "fractions of a second",
        text("date,sales", "2024-01-01 00:00:00.25,3", "2024-01-01 00:00:00.50,4"),
        {},
        "column 'date' has fractions of a second; pass --every",
    ),
    BadTable(
        "rows in another order",
        text("date,sales", "2024-01-03,6", "2024-01-01,3", "2024-01-02,4"),
        {},
        "rows were not in order of time: sorted",
        [3, 4, 6],
    ),
    BadTable(
        "a row twice",
        hours((5, "2024-01-01 03:00,4.5")),
        {},
        r"1 row twice in the file: dropped \(line 6\)",
        [1.5, 2.5, 3.5, 4.5, NAN, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5, 12.5],
    ),
    BadTable(
        "two values of one time",
        hours((5, "2024-01-01 03:00,9")),
        {},
        "lines 5 and 6 have the same time 2024-01-01 03:00 .* values; delete one",
    ),
    BadTable(
        "several series, not named",
        text(
            "date,shop,sales",
            "2024-01-01,a,3",
            "2024-01-01,b,4",
            "2024-01-02,a,5",
            "2024-01-02,b,6",
        ),
        {},
        "lines 2 and 3 .* several series: pass --series shop",
    ),
    BadTable(
        "seven minutes off",
        hours((6, "2024-01-01 05:07,6.5")),
        {},
        r"line 7: 2024-01-01 05:07 is not on the grid .*\(every hour\).*--every 1h",
    ),
    BadTable(
        "a gap",
        hours((6, "# lost"), (7, "# lost")),
        {},
        r"2 steps are missing, at most 2 in a row, after line 6 \(2024-01-01 04:00\)",
        [1.5, 2.5, 3.5, 4.5, 5.5, NAN, NAN, 8.5, 9.5, 10.5, 11.5, 12.5],
    ),
    BadTable(
        "a year mistyped",
        hours((12, "2204-01-01 11:00,9")),
        {},
        r"line 13: 2204-01-01 11:00 is 1,577,833 steps \(every hour\) after",
    ),
    BadTable(
        "no common step",
        text(
            "date,sales", *(f"2024-01-01 00:{m:02},{m}" for m in (0, 7, 9, 20, 25, 41))
        ),
        {},
        "the steps differ: from 2 minutes to 16 minutes; pass --every",
    ),
    BadTable(
        "a step too short for the rows",
        days("3", "4", "6"),
        {"every": "1h"},
        "--every 1h: rows are 1 day apart, more than this step",
    ),
    BadTable(
        "no step", days("3", "4"), {"every": "soon"}, "--every 'soon': takes a number"
    ),
    # Many series
    BadTable(
        "a series without name",
        text("date,shop,sales", "2024-01-01,a,3", "2024-01-01,,4"),
        SALES | {"series": "shop"},
        "line 3, column 'shop': the cell is empty, every row needs its series",
    ),
    BadTable(
        "one series with another step",
        text(
            "date,shop,sales",
            *(f"2024-01-0{d},a,{d}" for d in range(1, 8)),
            *(f"2024-01-0{d},b,{d}" for d in (1, 3, 5, 7)),
        ),
        SALES | {"series": "shop"},
        "line 9: series 'b' has a row every 2 days, and .* every day; pass --every 2D",
    ),
    BadTable(
        "one series without values",
        text(
            "date,shop,sales",
            "2024-01-01,a,3",
            "2024-01-02,a,4",
            "2024-01-01,b,",
            "2024-01-02,b,",
        ),
        SALES | {"series": "shop"},
        r"series without a value in some column: left out \(b\)",
        [3, 4],
    ),
]


def read(folder, case: BadTable):
    path = folder / case.file
    path.write_bytes(case.content)
    return read_series(TableOptions(path, **case.options))


@pytest.mark.parametrize(
    "case", [c for c in TABLE if c.values is None], ids=lambda case: case.name
)
def test_a_bad_table_is_refused_in_one_line(tmp_path, case):
    with pytest.raises(UserError) as caught:
        read(tmp_path, case)
    message = str(caught.value)
    assert re.search(case.outcome, message), message
    assert "\n" not in message
    assert len(message) < 600
    assert case.file in message or message.startswith("--")


@pytest.mark.parametrize(
    "case", [c for c in TABLE if c.values is not None], ids=lambda case: case.name
)
def test_an_odd_table_is_mended_and_told(tmp_path, case):
    table = read(tmp_path, case)
    assert any(re.search(case.outcome, remark) for remark in table.remarks), (
        table.remarks
    )
    values = np.concatenate([one.values[table.target[0]] for one in table.series])
    np.testing.assert_array_equal(values, case.values)
    for remark in table.remarks:
        assert "\n" not in remark
        assert not remark.endswith(".")


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_saved_run_names_only_flags_of_its_forecast(tmp_path, case):
    path = tmp_path / case.file
    path.write_bytes(case.content)
    for seconds in (3_600, 86_400):
        saved = Frequency("second", seconds)
        try:
            table = read_series(TableOptions(path, frequency=saved, **case.options))
        except UserError as error:
            sentences = [str(error)]
        else:
            sentences = table.remarks
        for sentence in sentences:
            named = set(re.findall(r"--[a-z][a-z-]*", sentence))
            assert named <= {"--file", *FORECAST_FLAGS}, sentence
            assert "\n" not in sentence


def test_a_saved_run_says_what_to_do_without_flags(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_bytes(hours((6, "2024-01-01 05:07,6.5")))
    with pytest.raises(UserError) as caught:
        read_series(TableOptions(path, frequency=Frequency("second", 3_600)))
    assert str(caught.value) == (
        f"{path}: column 'date': line 7: 2024-01-01 05:07 is not on the grid of the "
        "other times (every hour); correct it, or combine the rows before: the run "
        "needs one every hour."
    )


def test_the_table_is_long_and_its_names_differ():
    names = [case.name for case in TABLE]
    assert len(set(names)) == len(names) >= 45


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(UserError, match="is a folder; name a file in it"):
        read_series(TableOptions(tmp_path))
    with pytest.raises(UserError, match="there is no such file"):
        read_series(TableOptions(tmp_path / "sales.csv"))


@pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed"
)
def test_parquet_without_its_package_says_what_to_install(tmp_path):
    path = tmp_path / "sales.parquet"
    path.write_bytes(b"PAR1" + bytes(8) + b"PAR1")
    with pytest.raises(UserError, match="pip install pyarrow"):
        read_series(TableOptions(path))
