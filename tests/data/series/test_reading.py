"""Tables of series: each value at its time, whatever the form of the file."""

import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest

from shared.core.errors import UserError
from shared.core.files import hash_file
from shared.data.series.frequency import Frequency
from shared.data.series.reading import TableOptions, read_series
from tests.helpers import REAL_DATA

PLAIN = "day,sales,price\n2024-02-28,3.5,10\n2024-02-29,4.25,11\n2024-03-02,6,13\n"
LONG = (
    "day,shop,sales,price\n"
    "2024-01-01,west,1,10\n2024-01-01,east,2,20\n2024-01-02,west,3,30\n"
    "2024-01-02,east,5,50\n2024-01-03,west,7,70\n2024-01-05,west,9,90\n"
)


def read(folder, text, name="sales.csv", **options):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_series(TableOptions(path, **options))


def test_a_plain_table_is_a_regular_grid(tmp_path):
    table = read(tmp_path, PLAIN, target=("sales",), known=("price",))
    (series,) = table.series
    assert series.times.astype("datetime64[D]").astype(str).tolist() == [
        "2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02",
    ]  # fmt: skip
    assert series.times.dtype == "datetime64[s]"
    np.testing.assert_array_equal(series.values["sales"], [3.5, 4.25, np.nan, 6])
    np.testing.assert_array_equal(series.values["price"], [10, 11, np.nan, 13])
    assert series.lines.tolist() == [2, 3, 0, 4]
    assert table.frequency == Frequency("second", 86400)
    assert (table.time, table.time_format, table.decimal) == ("day", "iso", ".")
    assert table.sha256 == hash_file(table.path)
    assert table.remarks == [
        "time: column 'day'",
        "1 step is missing, after line 3 (2024-02-29)",
        "step: every day",
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_delimiter_is_found(tmp_path, delimiter):
    text = PLAIN.replace(",", delimiter)
    table = read(tmp_path, text, target=("sales",))
    np.testing.assert_array_equal(
        table.series[0].values["sales"], [3.5, 4.25, np.nan, 6]
    )


def test_packed_files_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("s.tsv", PLAIN.replace(",", "\t"))
    packed = tmp_path / "s.csv.gz"
    packed.write_bytes(gzip.compress(PLAIN.encode()))
    for path in (tmp_path / "s.zip", packed):
        table = read_series(TableOptions(path, target=("price",)))
        assert table.series[0].values["price"][3] == 13


def test_a_long_table_holds_a_series_for_each_name(tmp_path):
    table = read(tmp_path, LONG, series="shop", target=("sales",), inputs=("price",))
    east, west = table.series
    assert (east.name, west.name) == ("east", "west")
    assert east.values["sales"].tolist() == [2, 5]
    np.testing.assert_array_equal(west.values["price"], [10, 30, 70, np.nan, 90])
    assert east.lines.tolist() == [3, 5]
    assert west.lines.tolist() == [2, 4, 6, 0, 7]
    assert not any("order" in remark for remark in table.remarks)


def test_the_known_future_behind_the_target_is_kept(tmp_path):
    text = PLAIN + "2024-03-03,,17\n2024-03-04,,19\n"
    table = read(tmp_path, text, target=("sales",), known=("price",))
    values = table.series[0].values
    assert np.isnan(values["sales"][-2:]).all()
    assert values["price"][-2:].tolist() == [17, 19]


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", [2, 5, 7]), ("sum", [6, np.nan, 21]), ("last", [3, 6, 8])],
)
def test_rows_of_a_step_are_combined_by_the_rule(tmp_path, how, expected):
    cells = ["1", "2", "3", "4", "", "6", "5", "8", "8", "1"]
    rows = [
        f"2024-01-01 0{k // 3}:{k % 3 * 20:02},{cell}" for k, cell in enumerate(cells)
    ]
    text = "\n".join(["time,load", *rows, ""])
    table = read(tmp_path, text, every="1h", how=how)
    np.testing.assert_array_equal(table.series[0].values["load"], expected)
    assert table.series[0].lines.tolist() == [2, 5, 8]
    assert str(table.series[0].times[1]) == "2024-01-01T01:00:00"
    assert any("1 step at an end" in remark for remark in table.remarks)


def test_irregular_rows_get_a_grid_by_resampling(tmp_path):
    text = (
        "time,load\n2024-01-01 00:03,2\n2024-01-01 00:41,4\n2024-01-01 01:10,8\n"
        "2024-01-01 03:59,16\n2024-01-01 00:41,6\n"
    )
    table = read(tmp_path, text, every="1h")
    np.testing.assert_array_equal(table.series[0].values["load"], [4, 8, np.nan, 16])


def test_a_saved_step_reads_a_short_file(tmp_path):
    text = "day,sales\n2024-03-01,5\n"
    saved = Frequency("month", 1, 1)
    table = read(tmp_path, text, target=("sales",), frequency=saved)
    assert table.series[0].values["sales"].tolist() == [5]
    assert table.frequency == saved


def test_another_step_than_the_saved_one_is_refused(tmp_path):
    daily = "".join(f"2024-01-{day:02},{day}\n" for day in range(1, 9))
    with pytest.raises(UserError, match="row every day, and it must have one every h"):
        read(tmp_path, "day,sales\n" + daily, frequency=Frequency("second", 3600))


def test_a_later_file_is_read_as_the_first_one(tmp_path):
    first = read(tmp_path, "day;sales\n12/01/2024;1,5\n13/01/2024;2\n")
    assert (first.time_format, first.decimal) == ("day-first", ",")
    later = read(
        tmp_path,
        "day;sales\n01/02/2024;1,234\n02/02/2024;2,5\n",
        time_format=first.time_format,
        decimal=first.decimal,
    )
    assert str(later.series[0].times[0]) == "2024-02-01T00:00:00"
    assert later.series[0].values["sales"].tolist() == [1.234, 2.5]


def test_a_mark_far_down_the_file_is_no_decimal_point(tmp_path):
    start = np.datetime64("2020-01-01")
    rows = [f"{start + k};{k % 990 + 1}" for k in range(1_200)]
    rows.append(f"{start + 1_200};1.234")
    with pytest.raises(UserError, match=r"line 1202, .*'1.234' is .* pass --decimal"):
        read(tmp_path, "\n".join(["day;sales", *rows, ""]))


def test_whole_numbers_and_empty_rows_need_no_decimal_mark(tmp_path):
    table = read(tmp_path, "day;sales\n2024-01-01;3\n;\n2024-01-02;7\n")
    assert table.series[0].values["sales"].tolist() == [3, 7]
    assert table.series[0].lines.tolist() == [2, 4]


def test_parquet_gives_the_same_series(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.read_csv(tmp_path / write(tmp_path, PLAIN), parse_dates=["day"])
    frame.to_parquet(tmp_path / "sales.parquet")
    options = {"target": ("sales",), "known": ("price",)}
    table = read_series(TableOptions(tmp_path / "sales.parquet", **options))
    np.testing.assert_array_equal(
        table.series[0].values["sales"], [3.5, 4.25, np.nan, 6]
    )
    assert table.series[0].lines.tolist() == [1, 2, 0, 3]
    frame["price"] = ["10", "11", "dear"]
    frame.to_parquet(tmp_path / "sales.parquet")
    with pytest.raises(UserError, match="row 3, column 'price': 'dear' is no number"):
        read_series(TableOptions(tmp_path / "sales.parquet", **options))


def write(folder, text):
    (folder / "plain.csv").write_text(text)
    return "plain.csv"


@pytest.mark.skipif(
    not (REAL_DATA / "ETTh2.csv.gz").exists(), reason="no real data here"
)
def test_the_transformer_station_is_read_as_pandas_reads_it():
    path = REAL_DATA / "ETTh2.csv.gz"
    table = read_series(TableOptions(path, target=("OT",), inputs=("HUFL", "MULL")))
    frame = pd.read_csv(path, parse_dates=["date"])
    (series,) = table.series
    assert len(series.times) == 17_420
    np.testing.assert_array_equal(series.times, frame["date"].to_numpy("datetime64[s]"))
    for name in ("OT", "HUFL", "MULL"):
        np.testing.assert_allclose(series.values[name], frame[name], rtol=1e-15)
    assert table.frequency.describe() == "every hour"
