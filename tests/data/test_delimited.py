"""Tables of any dirt: read with the right numbers, or refused with the right line."""

import numpy as np
import pytest

from shared.core.errors import UserError
from shared.data import delimited
from shared.data.delimited import read_table

HEADER = "time,a,b\n"
ROWS = "t1,1.5,2.5\nt2,3.5,4.5\n"


def write(folder, text):
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path, **options):
    return read_table(path, **options).read(["time"], ["a", "b"])


def refuse(path, **options):
    with pytest.raises(UserError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


CLEAN = {
    "plain": HEADER + ROWS,
    "CR LF": (HEADER + ROWS).replace("\n", "\r\n"),
    "CR": (HEADER + ROWS).replace("\n", "\r"),
    "mixed line ends": "time,a,b\rt1,1.5,2.5\r\nt2,3.5,4.5\n",
    "no last line end": (HEADER + ROWS).rstrip(),
    "byte order mark": "\ufeff" + HEADER + ROWS,
    "UTF-16": (HEADER + ROWS).encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + (HEADER + ROWS).encode("utf-16-be"),
    "quoted text": 'time,"a","b"\n"t1",1.5,2.5\n"t2",3.5,4.5\n',
    "quoted numbers": HEADER + 't1,"1.5","2.5"\nt2,"3.5","4.5"\n',
    "spaces": "time, a , b\nt1, 1.5, 2.5\nt2,3.5 ,4.5 \n",
    "a comma behind every row": HEADER + "t1,1.5,2.5,\nt2,3.5,4.5,\n",
    "a comma behind every line": "time,a,b,\nt1,1.5,2.5,\nt2,3.5,4.5,\n",
    "rows of commas": HEADER + ",,\n" + ROWS + ",,\n,,\n",
    "other writings": HEADER + "t1,+1.50,.25e1\nt2,35E-1,4.5\n",
}


@pytest.mark.parametrize("form", CLEAN)
def test_every_clean_form_gives_the_same_numbers(tmp_path, form):
    cells = read(write(tmp_path, CLEAN[form]))
    assert cells["time"].tolist() == ["t1", "t2"]
    assert cells[["a", "b"]].to_numpy().tolist() == [[1.5, 2.5], [3.5, 4.5]]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_read_if_named(tmp_path, delimiter):
    path = write(tmp_path, (HEADER + ROWS).replace(",", delimiter))
    cells = read(path, delimiter=delimiter)
    assert cells["b"].tolist() == [2.5, 4.5]
    assert f"by {delimited.DELIMITERS[delimiter]}; write commas" in refuse(path)


def test_missing_cells_stay_in_their_column(tmp_path):
    cells = read(write(tmp_path, HEADER + "t1,,2.5\nt2,NA,\nt3,nan,1\n"))
    assert np.isnan(cells["a"]).all()
    assert cells["b"].fillna(-1).tolist() == [2.5, -1, 1]


def test_lines_are_those_of_the_file(tmp_path):
    text = "# by hand\n\ntime,a,b\n  \nt1,1,2\n#,,\nt2,3,4\n\n"
    assert read(write(tmp_path, text)).index.tolist() == [5, 7]
    text = '# an odd "\n\ntime,"a",b\n"t\n1",1,2\n# "\n\n"t""2",3,4\n'
    cells = read(write(tmp_path, text))
    assert cells.index.tolist() == [4, 8]
    assert cells["time"].tolist() == ["t\n1", 't"2']
    assert cells["a"].tolist() == [1, 3]


WRONG = {
    "a cell is missing": (HEADER + "t1,1,2\nt2,3\n", "line 3 has 2 cells, and the"),
    "a cell too many": (HEADER + "t1,1,2\nt2,3,4,5\n", "line 3 has 4 cells, and the"),
    "missing in every row": (HEADER + "t1,1\nt2,3\n", "line 2 has 2 cells"),
    "missing behind a comment": (HEADER + "#\n\nt1,1,2\nt2,3\n", "line 5 has 2"),
    "missing behind a cell of two lines": (
        HEADER + '"t\n1",1,2\nt2,3\n',
        "line 4 has 2 cells, and the header (line 1) has 3",
    ),
    "decimal commas": (HEADER + "t1,1,5,2,5\nt2,3,5,4,5\n", "line 2 has 5 cells"),
    "a quoted decimal comma": (
        HEADER + 't1,1,2\nt2,"3,5",4\n',
        "'3,5' is no number: w",
    ),
    "thousands": (HEADER + 't1,1,"1,000.5"\n', "'1,000.5' is no number: write it w"),
    "a cell dropped in all rows, and a comma behind every line": (
        "time,a,b,\nt1,1.5,\nt2,3.5,\n",
        "line 2 has 3 cells, and the header (line 1) has 4",
    ),
    "a comma behind one row": (
        HEADER + "t1,1,2\nt2,3,4,\n",
        "line 3 has 4 cells, and the header (line 1) has 3",
    ),
    "one row without the comma of all others": (
        HEADER + "t1,1,2,\nt2,4,\n",
        "line 3 has 3 cells, and line 2 has 4",
    ),
    "a value behind the last column": (
        HEADER + "t1,1,2,\nt2,3,4,5\n",
        "line 3 has 4 cells, and the header (line 1) has 3",
    ),
    "fewer names than cells": ("time,a\n" + ROWS, "line 2 has 3 cells"),
    "semicolons": (
        (HEADER + ROWS).replace(",", ";"),
        "separates columns by semicolons",
    ),
    "semicolons in a row": (HEADER + "t1,1,2\nt2;3,5;4\n", "line 3 has 2 cells"),
    "cut in a row": (HEADER + "t1,1,2\nt2,3", "the file is cut short"),
    "the header twice": (HEADER + ROWS + HEADER, "line 4, column 'a': 'a' is the head"),
    "an open quote": (HEADER + 't1,1,2\nt2,"3,4\nt3,5,6\n', "line 3: a quote is not"),
    "text behind a quote": (HEADER + 't1,"1"5,2\n', "line 2: a quote is not closed"),
    "a zero byte": (HEADER + "t1,1,2\nt2,\x003,4\n", "line 3 holds a zero byte"),
    "UTF-16 without a mark": ((HEADER + ROWS).encode("utf-16-le"), "zero byte"),
    "empty": ("", "is empty (0 bytes)"),
    "blank lines": ("\n \n\t\n", "holds blank lines and comments only"),
    "a header only": ("\n" + HEADER, "no row below its header (line 2)"),
    "a name twice": ("time,a, a\nt1,1,2\n", "names column 'a' twice (columns 2 and 3)"),
    "a column without a name": ("time,,b\nt1,1,2\n", "column 2 has no name"),
    "one column": ("time\nt1\n", "one column only"),
    "too many columns": ("x," * 20_000 + "\n", "20,000 columns"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_row_that_does_not_fit_is_refused_with_its_line(tmp_path, fault):
    text, message = WRONG[fault]
    assert message in refuse(write(tmp_path, text))


NO_NUMBERS = (
    "1_000", "0x1F", "True", "\uff11\uff12", "1 000", "1'000", "--5", "1e", "1.2.3",
    "5f", "-", "\u00bd", "1\u00a05", "'5", "9" * 20_000 + "x", "\x1b[31m5",
)  # fmt: skip


@pytest.mark.parametrize("cell", NO_NUMBERS, ids=range(len(NO_NUMBERS)))
def test_what_is_no_number_is_refused_with_line_and_column(tmp_path, cell):
    for row in ("t2,3,4\n", '"t,2",3,4\n'):
        message = refuse(write(tmp_path, f"{HEADER}t1,1,2\n{row}t3,5,{cell}\n"))
        assert message.startswith("line 4, column 'b': ")
        assert "\x1b" not in message


def test_a_limit_reads_the_first_rows_only(tmp_path):
    path = write(tmp_path, HEADER + ROWS + "t3,wrong\n")
    assert read(path, limit=2)["a"].tolist() == [1.5, 3.5]
    assert "line 4" in refuse(path, limit=3)


def test_a_missing_line_end_is_known(tmp_path):
    assert not read_table(write(tmp_path, HEADER + ROWS)).is_unfinished
    path = write(tmp_path, (HEADER + ROWS).rstrip())
    assert read_table(path).is_unfinished
    assert not read_table(path, limit=1).is_unfinished


def test_lines_do_not_depend_on_the_size_of_a_block(tmp_path, monkeypatch):
    rows = [f"t{k},{k},{k / 2}\n" + "\n# c\n" * (k % 3) for k in range(50)]
    path = write(tmp_path, HEADER + "".join(rows))
    expected = read(path)
    assert len(expected) == 50
    for size in (1, 7, 40):
        monkeypatch.setattr(delimited, "BLOCK", size)
        assert read(path).equals(expected)
