"""The weather file: every kind of fault in a tiny file, and the split in time."""

import dataclasses
import gzip
import zipfile

import numpy as np
import pytest

from shared.baselines.forecast import persistence_baseline, ridge_baseline
from shared.core.errors import UserError
from shared.data.weather.cleaning import clean_records
from shared.data.weather.climate import make_climate
from shared.data.weather.dataset import WeatherConfig, load_weather
from shared.data.weather.station_file import COLUMNS, read_records

ROWS = 60
CONFIG = WeatherConfig(
    lookback=3, sampling=2, delay=2, target="T (degC)", train_share=0.5,
    validation_share=0.25,
)  # fmt: skip


def make_rows(num_rows=ROWS, seed=0):
    """Rows as the station writes them: every ten minutes from midnight."""
    random = np.random.default_rng(seed)
    values = random.normal(10, 3, (num_rows, len(COLUMNS))).round(2)
    values[:, -3:] = np.abs(values[:, -3:])
    start = np.datetime64("2020-01-01T00:00:00")
    times = start + np.arange(num_rows) * np.timedelta64(10, "m")
    return [
        [str(time).replace("T", " "), *map(str, row)]
        for time, row in zip(times, values.tolist(), strict=True)
    ]


def write(path, rows, header=("date", *COLUMNS), encoding="utf-8"):
    text = "\n".join(",".join(row) for row in [list(header), *rows]) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def clean(path, max_gap=60):
    return clean_records(read_records(path), path, max_gap)


def column(rows, name, values):
    """Set some rows (by index) of a column."""
    for row, value in values.items():
        rows[row][1 + COLUMNS.index(name)] = value
    return rows


def load(folder, **changes):
    return load_weather(dataclasses.replace(CONFIG, data_dir=folder, **changes))


FILE = "weather_jena_2020.csv"


def test_a_clean_file_does_not_change(tmp_path):
    rows = make_rows()
    found = clean(write(tmp_path / FILE, rows))
    assert found.repairs == []
    assert found.interval == np.timedelta64(600, "s")
    expected = [float(row[1 + COLUMNS.index("T (degC)")]) for row in rows]
    assert found.columns["T (degC)"].tolist() == expected
    assert len(found.columns) == len(COLUMNS) - 3 + 4  # two vectors for three columns


def test_minus_9999_becomes_missing_and_is_interpolated_in_time(tmp_path):
    rows = column(make_rows(), "T (degC)", {4: "1.0", 5: "-9999.0", 6: "", 7: "4.0"})
    found = clean(write(tmp_path / FILE, rows))
    assert found.columns["T (degC)"][4:8].tolist() == [1, 2, 3, 4]
    assert "2 values of 'T (degC)' missing (lines 7, 8)" in found.repairs[0]
    assert "2 rows with missing values interpolated" in found.repairs[1]


def test_interpolation_is_by_time_not_by_row(tmp_path):
    rows = column(make_rows(), "T (degC)", {4: "1.0", 5: "-9999.0", 6: "4.0"})
    # Row 6 is 20 minutes after row 5, so row 5 is at a third of the way.
    for k in range(6, ROWS):
        rows[k][0] = make_rows(ROWS + 1)[k + 1][0]
    found = clean(write(tmp_path / FILE, rows))
    assert found.columns["T (degC)"][5] == pytest.approx(2)


def test_a_long_gap_is_not_filled_but_stays_a_gap(tmp_path):
    rows = column(make_rows(), "T (degC)", dict.fromkeys(range(10, 17), "-9999"))
    found = clean(write(tmp_path / FILE, rows), max_gap=60)
    assert len(found.times) == ROWS - 7  # eighty minutes between the neighbours
    assert "7 rows dropped" in " ".join(found.repairs)
    assert "1 gap in time" in " ".join(found.repairs)
    filled = clean(write(tmp_path / FILE, rows), max_gap=80)
    assert len(filled.times) == ROWS
    assert not any("gap" in sentence for sentence in filled.repairs)


def test_missing_values_at_an_end_are_dropped(tmp_path):
    rows = column(make_rows(), "T (degC)", {0: "-9999", ROWS - 1: "-9999"})
    found = clean(write(tmp_path / FILE, rows))
    assert len(found.times) == ROWS - 2


def test_repeated_times_are_dropped(tmp_path):
    rows = make_rows()
    doubled = [*rows[:10], [rows[9][0], *rows[20][1:]], *rows[10:]]
    found = clean(write(tmp_path / FILE, doubled))
    assert len(found.times) == ROWS
    expected = float(rows[9][1 + COLUMNS.index("T (degC)")])  # the first one stays
    assert found.columns["T (degC)"][9] == expected
    assert "1 row with a repeated time dropped (line 12)" in found.repairs[0]


def test_a_repeated_block_is_dropped(tmp_path):
    rows = make_rows()
    found = clean(write(tmp_path / FILE, [*rows[:20], *rows[5:20], *rows[20:]]))
    assert len(found.times) == ROWS
    assert (np.diff(found.times) == found.interval).all()


def local_clock(rows, back_at=30, spring_at=None):
    """Set the clock back or forward by an hour before a row."""
    start = np.datetime64("2020-01-01T00:00:00")
    for k, row in enumerate(rows):
        hours = -(back_at is not None and k >= back_at)
        hours += spring_at is not None and k >= spring_at
        time = start + np.timedelta64(10 * k + 60 * hours, "m")
        row[0] = str(time).replace("T", " ")
    return rows


def list_windows(splits):
    """Return the rows of each window and its target, as lists."""
    return [
        set(range(first, first + 9))
        for part in (splits.train, splits.validation, splits.test)
        for first in part.inputs.starts.tolist()
    ]


def test_no_window_crosses_the_hour_that_comes_twice(tmp_path):
    # Rows 30 to 35 repeat the times of rows 24 to 29. Row 36 is 70 minutes later.
    rows = local_clock(make_rows(120))
    found = clean(write(tmp_path / FILE, rows))
    assert len(found.times) == 114
    assert (np.diff(found.times) == found.interval).all()
    steps = np.diff(found.elapsed)
    assert np.flatnonzero(steps != found.interval).tolist() == [29]
    assert steps[29] == np.timedelta64(70, "m")
    assert found.lines[29:31].tolist() == [31, 38]
    text = " ".join(found.repairs)
    assert "6 rows with a repeated time dropped (lines 32, 33, 34, ...)" in text
    assert "clock was set back" in text
    assert "1 gap in time" in text
    splits = load(tmp_path)
    assert list_windows(splits)
    assert not any({29, 30} <= rows for rows in list_windows(splits))


def test_an_hourly_record_has_the_same_gap(tmp_path):
    rows = make_rows(80)
    for k, row in enumerate(rows):
        time = np.datetime64("2020-10-24T00:00:00") + np.timedelta64(k - (k > 26), "h")
        row[0] = str(time).replace("T", " ")
    found = clean(write(tmp_path / FILE, rows))
    assert len(found.times) == 79
    assert np.flatnonzero(np.diff(found.elapsed) != found.interval).tolist() == [26]


def test_no_value_is_interpolated_over_a_clock_set_back(tmp_path):
    rows = column(local_clock(make_rows(120)), "T (degC)", {29: "-9999"})
    write(tmp_path / FILE, rows)
    assert len(clean(tmp_path / FILE, max_gap=60).times) == 113
    assert len(clean(tmp_path / FILE, max_gap=80).times) == 114


def test_no_window_crosses_the_hour_that_is_missing_in_spring(tmp_path):
    write(tmp_path / FILE, local_clock(make_rows(120), None, spring_at=40))
    windows = list_windows(load(tmp_path))
    assert {39} & set().union(*windows)
    assert not any({39, 40} <= rows for rows in windows)


@pytest.mark.parametrize("minutes", [-7, 7, 3])
def test_no_window_crosses_a_step_of_another_length(tmp_path, minutes):
    rows = make_rows(120)
    time = np.datetime64(rows[40][0].replace(" ", "T")) + np.timedelta64(minutes, "m")
    rows[40][0] = str(time).replace("T", " ")
    write(tmp_path / FILE, rows)
    repairs = " ".join(clean(tmp_path / FILE).repairs)
    assert "1 gap in time, which no window crosses" in repairs
    assert "1 short step in time" in repairs
    windows = list_windows(load(tmp_path))
    assert windows
    assert not any(40 in rows and len(rows & {39, 41}) for rows in windows)


def test_an_extra_row_between_two_others_breaks_windows(tmp_path):
    rows = make_rows(120)
    extra = [rows[40][0].replace("40:00", "43:00"), *rows[40][1:]]
    found = clean(write(tmp_path / FILE, [*rows[:41], extra, *rows[41:]]))
    assert "2 short steps in time (lines 43, 44)" in " ".join(found.repairs)


def test_a_number_that_marks_missing_values_is_reported(tmp_path):
    rows = column(make_rows(), "T (degC)", {4: "-999.9", 9: "-999.9"})
    (sentence,) = clean(write(tmp_path / FILE, rows)).repairs
    assert "'T (degC)' is -999.9 in 2 rows (lines 6, 11)" in sentence
    assert "--skip-columns 'T (degC)'" in sentence


def test_a_file_without_a_last_line_end_is_reported(tmp_path):
    path = write(tmp_path / FILE, make_rows())
    path.write_bytes(path.read_bytes()[:-2])
    assert "line 61, the last one, has no line end" in clean(path).repairs[0]


def test_rows_in_the_wrong_order_are_refused_with_their_line(tmp_path):
    rows = make_rows()
    rows[30], rows[31] = rows[31], rows[30]
    with pytest.raises(UserError, match=r"line 33 .* earlier than line 32"):
        clean(write(tmp_path / FILE, rows))


def test_wind_becomes_a_vector(tmp_path):
    rows = make_rows()
    for k, (speed, direction) in enumerate([(2, 0), (2, 90), (3, 180), (3, 270)]):
        column(rows, "wv (m/s)", {k: str(speed)})
        column(rows, "wd (deg)", {k: str(direction)})
    columns = clean(write(tmp_path / FILE, rows)).columns
    # A north wind blows to the south, an east wind to the west.
    assert columns["wind x (m/s)"][:4] == pytest.approx([0, -2, 0, 3])
    assert columns["wind y (m/s)"][:4] == pytest.approx([-2, 0, 3, 0])
    assert not {"wv (m/s)", "wd (deg)", "max. wv (m/s)"} & set(columns)


def test_bytes_that_are_not_utf_8_are_accepted(tmp_path):
    header = ["Date Time", *COLUMNS, "SWDR (W/m\xb2)"]
    rows = [[*row, str(k)] for k, row in enumerate(make_rows())]
    path = write(tmp_path / FILE, rows, header, encoding="latin-1")
    (name,) = set(clean(path).columns) - set(clean(write(path, make_rows())).columns)
    assert name.startswith("SWDR (W/m")


def test_both_forms_of_the_time_are_read(tmp_path):
    rows = make_rows()
    expected = clean(write(tmp_path / FILE, rows)).times
    for row in rows:
        day, clock = row[0].split()
        row[0] = ".".join(reversed(day.split("-"))) + " " + clock
    assert rows[0][0] == "01.01.2020 00:00:00"
    assert np.array_equal(clean(write(tmp_path / FILE, rows)).times, expected)


def test_gzip_and_zip_are_read(tmp_path):
    plain = write(tmp_path / FILE, make_rows())
    expected = clean(plain).columns["T (degC)"]
    zipped = tmp_path / "jena_climate_2009_2016.csv.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("__MACOSX/._jena_climate_2009_2016.csv", b"\x00\x05\x16\x07")
        archive.write(plain, "jena_climate_2009_2016.csv")
    gzipped = tmp_path / f"{FILE}.gz"
    gzipped.write_bytes(gzip.compress(plain.read_bytes()))
    for path in (zipped, gzipped):
        assert np.array_equal(clean(path).columns["T (degC)"], expected)


BAD = {
    "a column is missing": (
        lambda rows: (["date", *COLUMNS[:-1]], [row[:-1] for row in rows]),
        r"line 1 has no column 'wd \(deg\)'",
    ),
    "no number": (
        lambda rows: (None, column(rows, "rh (%)", {7: "wet"})),
        r"line 9, column 'rh \(%\)': 'wet' is no number",
    ),
    "infinite": (
        lambda rows: (None, column(rows, "rh (%)", {7: "inf"})),
        r"line 9, column 'rh \(%\)': 'inf' is no number",
    ),
    "all missing": (
        lambda rows: (
            None,
            column(rows, "rh (%)", dict.fromkeys(range(ROWS), "-9999")),
        ),
        r"column 'rh \(%\)' has no value in any row \(lines 2 to 61\)",
    ),
    "constant": (
        lambda rows: (None, column(rows, "rh (%)", dict.fromkeys(range(ROWS), "50.5"))),
        r"column 'rh \(%\)' is 50.5 in all training rows \(lines 2 to 31\)",
    ),
    "no time": (
        lambda rows: (None, [*rows[:3], ["yesterday", *rows[3][1:]], *rows[4:]]),
        "line 5, column 'date': 'yesterday' is no time .* as 2020-01-01 00:00:00",
    ),
    "too short": (
        lambda rows: (None, rows[:12]),
        r"too short: the train part \(lines 2 to 7\) has at most 6 rows",
    ),
    "much too short": (lambda rows: (None, rows[:8]), "needs 9 rows, and there are 8"),
    "one row": (lambda rows: (None, rows[:1]), "one row only"),
    "a column twice": (
        lambda rows: (["date", *COLUMNS, " rh (%) "], [[*r, "1"] for r in rows]),
        r"names column 'rh \(%\)' twice \(columns 6 and 16\)",
    ),
    "semicolons": (
        lambda rows: ([";".join(["date", *COLUMNS])], [[";".join(r)] for r in rows]),
        "line 1 separates columns by semicolons",
    ),
    "decimal commas": (
        lambda rows: (None, [[c.replace(".", ",") for c in row] for row in rows]),
        r"line 2 has 29 cells, and the header \(line 1\) has 15; do decimal commas",
    ),
    "a cell is missing": (
        lambda rows: (None, [*rows[:50], rows[50][:3] + rows[50][4:], *rows[51:]]),
        r"line 52 has 14 cells, and the header \(line 1\) has 15",
    ),
    "no time at all": (
        lambda rows: (None, [*rows[:3], ["", *rows[3][1:]], *rows[4:]]),
        "line 5, column 'date': the cell is empty, every row needs its time",
    ),
    "times without an interval": (
        lambda rows: (
            None,
            [
                [f"2020-01-01 {k:02d}:{k * k % 60:02d}:00", *rows[k][1:]]
                for k in range(24)
            ],
        ),
        "only 1 of 23 steps in time are 15 minutes long",
    ),
    "time not first": (
        lambda rows: (["T2", "date", *COLUMNS], [["1.5", *row] for row in rows]),
        "line 2, column 'T2': '1.5' is no time; the first column holds the time",
    ),
    "absurd": (
        lambda rows: (None, column(rows, "rh (%)", {7: "1e300"})),
        r"line 9, column 'rh \(%\)': '1e300' is no number from -1e\+09 to 1e\+09",
    ),
    "a column of text": (
        lambda rows: (None, column(rows, "rh (%)", dict.fromkeys(range(ROWS), "wet"))),
        r"line 2, column 'rh \(%\)': 'wet' is text, .*--skip-columns",
    ),
    "a header only": (lambda rows: (None, []), "no row below its header"),
    "empty": (lambda rows: ([], []), "holds blank lines and comments only"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_with_column_and_line(tmp_path, fault):
    change, message = BAD[fault]
    header, rows = change(make_rows())
    write(tmp_path / FILE, rows, ("date", *COLUMNS) if header is None else header)
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_an_extra_comma_in_every_row_is_accepted(tmp_path):
    rows = make_rows()
    expected = clean(write(tmp_path / FILE, rows)).columns
    found = clean(write(tmp_path / FILE, [[*row, ""] for row in rows])).columns
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_a_damaged_archive_is_refused(tmp_path):
    plain = write(tmp_path / FILE, make_rows())
    whole = gzip.compress(plain.read_bytes())
    for name, content in (
        (f"{FILE}.gz", whole[: len(whole) // 2]),
        ("jena_climate_2009_2016.csv.zip", b"PK no more"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="cannot be read"):
            read_records(tmp_path / name)


def test_an_interpolated_value_never_uses_the_future(tmp_path):
    # Row 35 is missing: it is known only after row 36. No window may end at row 35. A
    # change of row 36 must not change any window that ends before it.
    short = {"sampling": 1, "delay": 1, "lookback": 3, "train_share": 0.4}
    seen = []
    for value in ("5.0", "9.0"):
        rows = column(make_rows(), "T (degC)", {35: "-9999", 36: value})
        write(tmp_path / FILE, rows)
        splits = load(tmp_path, **short)
        k = splits.facts["columns"].index("T (degC)")
        windows = splits.validation.inputs
        last = windows.starts + 2
        assert 35 not in last
        assert 34 not in last  # its target would be row 35
        assert {33, 36} <= set(last)
        before = windows.cut(np.flatnonzero(last < 36))
        seen.append(before[:, :, k])
    assert np.array_equal(*seen)


def test_an_interpolated_value_is_no_target(tmp_path):
    rows = column(make_rows(), "T (degC)", {35: "-9999"})
    write(tmp_path / FILE, rows)
    short = {"sampling": 1, "delay": 1, "lookback": 3}
    assert 35 not in load(tmp_path, **short).validation.inputs.starts + 3
    other = load(tmp_path, target="p (mbar)", **short).validation.inputs.starts + 3
    assert 35 in other  # whose own value was measured


def test_a_later_part_never_fills_a_hole_in_the_training_part(tmp_path):
    # Row 29 is the last row of the training part. Row 30 is in the next part.
    found = []
    for value in ("5.0", "500.0"):
        rows = column(make_rows(), "T (degC)", {29: "-9999", 30: value})
        write(tmp_path / FILE, rows)
        splits = load(tmp_path, sampling=1, delay=1, lookback=3)
        found.append((splits.scale, splits.train.inputs.cut(slice(None))))
    assert found[0][0] == found[1][0]
    assert np.array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("target", ["wv (m/s)", "max. wv (m/s)"])
def test_the_wind_speed_can_be_a_target(tmp_path, target):
    rows = make_rows()
    write(tmp_path / FILE, rows)
    splits = load(tmp_path, target=target)
    expected = [float(row[1 + COLUMNS.index(target)]) for row in rows[53:60]]
    assert splits.test.targets == pytest.approx(expected)
    assert target not in splits.facts["columns"]
    assert splits.scale.unit == "m/s"


def test_a_direction_is_no_target(tmp_path):
    write(tmp_path / FILE, make_rows())
    with pytest.raises(UserError, match="a direction is no number"):
        load(tmp_path, target="wd (deg)")
    with pytest.raises(UserError, match="--skip-columns leaves it out"):
        load(tmp_path, skip_columns=("T (degC)",))


def test_the_error_for_a_constant_wind_has_the_name_in_the_file(tmp_path):
    rows = column(make_rows(), "wv (m/s)", dict.fromkeys(range(ROWS), "0"))
    write(tmp_path / FILE, rows)
    with pytest.raises(UserError, match=r"--skip-columns 'wv \(m/s\)'"):
        load(tmp_path)
    assert load(tmp_path, skip_columns=("wv (m/s)",)).train


def test_a_direction_without_speed_is_reported(tmp_path):
    write(tmp_path / FILE, make_rows())
    splits = load(tmp_path, skip_columns=("wv (m/s)", "max. wv (m/s)"))
    assert "left out: without a speed" in splits.facts["repairs"][0]


def test_the_step_is_near_a_third_of_the_std_in_any_unit():
    from shared.data.splits import TargetScale

    steps = {6.6: 1, 8.5: 1, 2.5: 1, 215: 100, 36: 10, 0.12: 0.1}
    for std, step in steps.items():
        assert TargetScale(std=std).step == pytest.approx(step)


def test_rows_days_apart_have_baselines_too(tmp_path):
    rows = make_rows()
    for k, row in enumerate(rows):
        row[0] = f"{np.datetime64('2020-01-01') + 2 * k} 00:00:00"
    write(tmp_path / FILE, rows)
    config = dataclasses.replace(CONFIG, data_dir=tmp_path)
    assert (
        persistence_baseline(load_weather(config), config).name
        == "value of 192 hours ago"
    )


def test_ridge_thins_a_long_window(tmp_path, monkeypatch):
    from shared.baselines import forecast

    write(tmp_path / FILE, make_rows())
    monkeypatch.setattr(forecast, "MAX_NUMBERS", 40)  # of 3 steps of 19 numbers
    baseline = ridge_baseline(load(tmp_path))
    assert baseline.name == "ridge regression on the window, every 2 steps"


def test_a_blank_line_does_not_shift_the_lines_of_errors(tmp_path):
    rows = column(make_rows(), "rh (%)", {7: "wet"})
    with pytest.raises(UserError, match="line 10"):
        clean(write(tmp_path / FILE, [*rows[:2], [""], *rows[2:]]))


def test_a_column_can_be_left_out(tmp_path):
    rows = column(make_rows(), "rh (%)", dict.fromkeys(range(ROWS), "wet"))
    write(tmp_path / FILE, rows)
    splits = load(tmp_path, skip_columns=("rh (%)",))
    assert "rh (%)" not in splits.facts["columns"]
    with pytest.raises(UserError, match="--skip-columns 'x'"):
        load(tmp_path, skip_columns=("x",))


def test_an_unknown_target_is_refused(tmp_path):
    write(tmp_path / FILE, make_rows())
    with pytest.raises(UserError, match="--target 'T': there is no such column"):
        load(tmp_path, target="T")


def test_windows_and_targets_by_hand(tmp_path):
    rows = make_rows()
    write(tmp_path / FILE, rows)
    splits = load(tmp_path)
    raw = np.array([float(row[1 + COLUMNS.index("T (degC)")]) for row in rows])
    # Steps at s, s + 2, s + 4; the target two steps later: s + 8. Parts of 30, 15, 15.
    assert splits.train.inputs.starts.tolist() == list(range(22))
    assert splits.validation.inputs.starts.tolist() == list(range(30, 37))
    assert splits.test.inputs.starts.tolist() == list(range(45, 52))
    assert splits.test.targets == pytest.approx(raw[53:60])
    assert str(splits.test.times[0]) == "2020-01-01T08:50:00"  # row 53
    mean, std = raw[:30].mean(), raw[:30].std()
    k = splits.facts["columns"].index("T (degC)")
    window = splits.test.inputs.cut(np.array([0]))[0, :, k]
    assert window == pytest.approx((raw[[45, 47, 49]] - mean) / std, abs=1e-5)
    assert (splits.scale.mean, splits.scale.std) == pytest.approx((mean, std))
    assert splits.scale.unit == "deg C"


def test_the_calendar_is_sine_and_cosine(tmp_path):
    write(tmp_path / FILE, make_rows())
    series = load(tmp_path).train.inputs.series[:, -4:]
    six = 36  # rows until six in the morning
    assert series[0, :2] == pytest.approx([0, 1], abs=1e-6)
    assert series[six, :2] == pytest.approx([1, 0], abs=1e-6)
    assert (series[:, 2:] ** 2).sum(axis=1) == pytest.approx(np.ones(ROWS))


@pytest.mark.parametrize(("calendar", "num_waves"), [("day", 2), ("none", 0)])
def test_the_calendar_can_be_omitted(tmp_path, calendar, num_waves):
    write(tmp_path / FILE, make_rows())
    with_all = load(tmp_path).train.inputs.series
    series = load(tmp_path, calendar=calendar).train.inputs.series
    assert series.shape[1] == with_all.shape[1] - 4 + num_waves
    assert np.array_equal(series, with_all[:, : series.shape[1]])


def test_later_rows_never_change_the_training_part(tmp_path):
    rows = make_rows()
    write(tmp_path / FILE, rows)
    before = load(tmp_path)
    write(
        tmp_path / FILE, column(rows, "T (degC)", dict.fromkeys(range(31, ROWS), "99"))
    )
    after = load(tmp_path)
    whole = slice(None)
    assert np.array_equal(before.train.inputs.cut(whole), after.train.inputs.cut(whole))
    assert np.array_equal(before.train.targets, after.train.targets)
    assert before.scale == after.scale
    assert not np.array_equal(before.test.targets, after.test.targets)


def test_reverse_changes_windows_and_nothing_else(tmp_path):
    write(tmp_path / FILE, make_rows())
    forward, backward = load(tmp_path), load(tmp_path, reverse=True)
    cut = forward.test.inputs.cut(slice(None))
    assert np.array_equal(backward.test.inputs.cut(slice(None)), cut[:, ::-1])
    assert np.array_equal(backward.test.targets, forward.test.targets)


def test_the_name_has_what_is_predicted(tmp_path):
    write(tmp_path / FILE, make_rows(800))
    # The book's task is 24 hours ahead; here two steps of 20 minutes.
    assert load(tmp_path).data == "jena-2020-0.666667h"
    assert load(tmp_path, delay=72).data == "jena-2020"
    changed = load(tmp_path, target="p (mbar)", train_share=0.6, limit=700)
    assert changed.data == "jena-2020-p-0.666667h-split-0.6-0.25-limit-700"


def test_a_file_chosen_by_name_is_used_or_is_an_error(tmp_path, offline):
    write(tmp_path / FILE, make_rows(800))
    write(tmp_path / "jena_climate_2009_2016.csv", make_rows(790))
    assert load(tmp_path, delay=72).data == "jena-2009-2016"
    assert load(tmp_path, delay=72, data="jena-2020").data == "jena-2020"
    (tmp_path / FILE).unlink()
    with pytest.raises(UserError, match=r"--data-dir .*: holds no weather_jena_2020"):
        load(tmp_path, data="jena-2020")
    with pytest.raises(UserError, match="--data jena-2020: no weather file found"):
        load(None, data="jena-2020")


def test_without_file_and_network_the_output_names_the_sample(offline, capsys):
    splits = load_weather(dataclasses.replace(CONFIG, limit=2_000))
    assert splits.data.startswith("climate-sample")
    printed = capsys.readouterr().out
    assert "goes on with a generated climate" in printed
    assert "say nothing about real weather" in printed


def test_the_generated_climate_has_the_stated_best_error():
    config = dataclasses.replace(
        CONFIG, lookback=2, sampling=6, delay=24, data="sample"
    )
    splits = load_weather(config)
    parts = (splits.train, splits.validation, splits.test)
    errors = np.concatenate([p.best_possible - p.targets for p in parts])
    # Variance of the best forecast for a day: sum over modes of w^2 (1 - a^(2 * 144)).
    from shared.data.weather import climate

    left = 1 - np.exp(-2 * climate.DAY / climate.MEMORY)
    expected = np.sqrt((climate.WEIGHTS[0] ** 2 * left).sum())
    assert errors.std() == pytest.approx(expected, rel=0.1)
    assert abs(errors.mean()) < 0.1 * expected
    # Gaussian errors: mean absolute error is the std times sqrt(2 / pi).
    assert np.abs(errors).mean() == pytest.approx(expected * 0.798, rel=0.1)
    assert np.abs(errors).mean() < persistence_baseline(splits, config).test["mae"]


def test_the_generated_climate_is_always_the_same():
    first, second = make_climate(500), make_climate(500)
    one, other = first.records.rows.values, second.records.rows.values
    assert list(one) == list(other)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert ((one["wd (deg)"] >= 0) & (one["wd (deg)"] <= 360)).all()


def test_persistence_by_hand(tmp_path):
    rows = make_rows(600)
    write(tmp_path / FILE, rows)
    raw = np.array([float(row[1 + COLUMNS.index("T (degC)")]) for row in rows])

    def predict(**changes):
        config = dataclasses.replace(CONFIG, data_dir=tmp_path, **changes)
        splits = load_weather(config)
        baseline = persistence_baseline(splits, config)
        rows = splits.test.inputs.starts + config.span
        errors = np.abs(baseline.predictions - splits.test.targets)
        assert baseline.test["mae"] == pytest.approx(errors.mean(), rel=1e-5)
        return baseline, rows

    baseline, rows = predict(delay=72)  # 144 rows of ten minutes: a day
    assert baseline.name == "value of 24 hours ago"
    assert baseline.predictions == pytest.approx(raw[rows - 144], abs=1e-4)
    baseline, rows = predict(
        delay=36, lookback=37
    )  # half a day; the window has the rest
    assert baseline.name == "value of 24 hours ago"
    assert baseline.predictions == pytest.approx(raw[rows - 144], abs=1e-4)
    baseline, rows = predict(delay=36)  # the window is too short
    assert baseline.name == "last value read"
    assert baseline.predictions == pytest.approx(raw[rows - 72], abs=1e-4)


def test_ridge_has_the_scores_of_scikit_learn(tmp_path):
    from sklearn.linear_model import Ridge

    from shared.baselines.forecast import PENALTIES

    write(tmp_path / FILE, make_rows(600))
    splits = load(tmp_path)
    baseline = ridge_baseline(splits)

    def flat(part):
        return part.inputs.cut(slice(None)).reshape(len(part), -1).astype(np.float64)

    candidates = []
    for penalty in PENALTIES:
        model = Ridge(alpha=penalty).fit(flat(splits.train), splits.train.targets)
        errors = {
            name: np.abs(model.predict(flat(part)) - part.targets).mean()
            for name, part in (("val", splits.validation), ("test", splits.test))
        }
        candidates.append(errors)
    best = min(candidates, key=lambda errors: errors["val"])
    assert baseline.validation["mae"] == pytest.approx(best["val"], rel=1e-4)
    assert baseline.test["mae"] == pytest.approx(best["test"], rel=1e-4)


def test_the_real_file(real_weather, no_network, capsys):
    config = WeatherConfig(
        lookback=120, sampling=6, delay=24, target="T (degC)", train_share=0.5,
        validation_share=0.25, data_dir=real_weather, data="jena-2020",
    )  # fmt: skip
    splits = load_weather(config)
    assert splits.train.inputs.shape[1:] == (120, 22 - 1 - 3 + 4 + 4)
    assert splits.facts["rows"] == 52_696 - 1 - 50
    printed = capsys.readouterr().out
    assert "1 row with a repeated time dropped (line 19046)" in printed
    assert "50 values of 'OT' missing" in printed
    assert "3 gaps in time" in printed
    series = splits.train.inputs.series
    assert np.isfinite(series).all()
    assert series.min() > -30  # no -9999 got through
    baseline = persistence_baseline(splits, config)
    assert baseline.test["mae"] == pytest.approx(2.0932, abs=1e-3)


def test_a_message_about_the_file_names_no_flag_of_other_recipes(tmp_path):
    # The reader of any table knows more flags than a weather recipe has.
    rows = make_rows()
    rows[3][0] = "yesterday"
    with pytest.raises(UserError) as caught:
        read_records(write(tmp_path / FILE, rows))
    assert "--" not in str(caught.value)
