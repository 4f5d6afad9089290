"""Times in every usual form give the same moments, or name the row at fault."""

import numpy as np
import pandas as pd
import pytest

from shared.core.errors import UserError
from shared.data.series.time_formats import TimesError, check_format
from shared.data.series.times import parse_times


def parse(*cells, time_format=None):
    return parse_times(pd.Series(cells, index=range(2, len(cells) + 2)), time_format)


MOMENTS = ["2009-12-31T23:50:00", "2010-01-01T00:00:00"]
WRITTEN = {
    "ISO": (["2009-12-31 23:50:00", "2010-01-01 00:00:00"], "iso"),
    "ISO with T": (["2009-12-31T23:50", "2010-01-01T00:00"], "iso"),
    "ISO with spaces": (["2009-12-31 23:50 ", "2010-01-01 00:00"], "iso"),
    "UTC": (["2009-12-31T23:50Z", "2010-01-01T00:00Z"], "iso"),
    "offset": (["2010-01-01 00:50+01:00", "2010-01-01 01:00+01:00"], "iso"),
    "two offsets": (["2010-01-01 00:50+01:00", "2010-01-01 02:00+02:00"], "iso"),
    "dots": (["31.12.2009 23:50:00", "01.01.2010 00:00:00"], "day-first"),
    "day first": (["31/12/2009 23:50", "01/01/2010 00:00"], "day-first"),
    "day last": (["12/31/2009 11:50 PM", "1/1/2010 12:00 AM"], "month-first"),
    "short years": (["31-12-09 23:50", "01-01-10 00:00"], "day-first"),
    "year first": (["2009/12/31 23:50", "2010/01/01 00:00"], "%Y/%m/%d %H:%M"),
    "month in words": (["31-Dec-2009 23:50", "01-Jan-2010 00:00"], "%d-%b-%Y %H:%M"),
    "seconds": (["1262303400", "1262304000"], "epoch-s"),
    "milliseconds": (["1262303400000", "1262304000000"], "epoch-ms"),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_every_form_gives_the_same_moments(form):
    cells, time_format = WRITTEN[form]
    parsed = parse(*cells)
    assert parsed.times.dtype == "datetime64[s]"
    assert parsed.times.astype(str).tolist() == MOMENTS
    assert parsed.time_format == time_format
    again = parse(*cells, time_format=time_format)
    assert again.times.astype(str).tolist() == MOMENTS


@pytest.mark.parametrize(
    ("cells", "months"),
    [
        (("1700", "1701"), ["1700-01", "1701-01"]),
        (("1700.0", "1701.0"), ["1700-01", "1701-01"]),
        (("2020-01", "2020-03"), ["2020-01", "2020-03"]),
        (("2020Q1", "2020Q4"), ["2020-01", "2020-10"]),
        (("2020-Q2", "2021-Q3"), ["2020-04", "2021-07"]),
        (("20200101", "20200201"), ["2020-01", "2020-02"]),
        (("Jan 2020", "Feb 2020"), ["2020-01", "2020-02"]),
    ],
)
def test_years_months_and_quarters_start_on_their_first_day(cells, months):
    expected = np.array(months, "datetime64[M]").astype("datetime64[s]")
    np.testing.assert_array_equal(parse(*cells).times, expected)


def test_the_order_of_day_and_month_comes_from_the_whole_column():
    first = parse("03/04/2009", "05/04/2009", "13/04/2009")
    assert first.times.astype("datetime64[D]").astype(str).tolist() == [
        "2009-04-03", "2009-04-05", "2009-04-13",
    ]  # fmt: skip
    assert "day first" in first.remark
    last = parse("03/04/2009", "03/13/2009")
    assert str(last.times[0])[:10] == "2009-03-04"


def test_an_open_order_asks_for_a_flag_that_decides_it():
    with pytest.raises(TimesError, match="--time-format") as caught:
        parse("03/03/2009", "03/04/2009")
    assert caught.value.line == 3
    assert caught.value.holds_times
    by_month = parse("03/03/2009", "03/04/2009", time_format="month-first")
    assert str(by_month.times[1])[:10] == "2009-03-04"


def test_days_of_a_zone_with_summer_time_stay_days():
    parsed = parse("2024-03-30T00:00+01:00", "2024-03-31T00:00+01:00",
                   "2024-04-01T00:00+02:00")  # fmt: skip
    assert np.diff(parsed.times).astype(int).tolist() == [86400, 86400]
    assert "stay local" in parsed.remark


def test_zones_become_utc_and_are_told():
    assert parse("2024-07-01T12:00+02:00", "2024-07-01T13:00+02:00").remark == (
        "times have a zone: they are read in UTC"
    )


def test_fractions_of_a_second_are_seen():
    assert parse("2024-01-01 00:00:00.5", "2024-01-01 00:00:01").has_fraction
    assert parse("1262303400000", "1262303400500").has_fraction
    assert not parse("2024-01-01 00:00:00.0", "2024-01-01 00:00:01.0").has_fraction


@pytest.mark.parametrize(
    ("cells", "line", "problem"),
    [
        (("2024-01-01", "2024-02-30"), 3, "no time"),
        (("31.12.2009", "12.31.2009"), 3, "no time of the form"),
        (("2020Q1", "2020Q5"), 3, "no quarter"),
        (("noon", "2024-01-01"), 2, "no time"),
        (("5", "6"), 2, "neither a year, nor seconds"),
        (("2024-01-01 00:00", "2024-01-01 01:00Z"), 3, "with a zone"),
        (("2024-01-01", None), 3, "every row needs its time"),
    ],
)
def test_a_bad_cell_is_named(cells, line, problem):
    with pytest.raises(TimesError, match=problem) as caught:
        parse(*cells)
    assert caught.value.line == line


def test_a_form_that_is_none_is_refused():
    with pytest.raises(UserError, match="takes iso, day-first, month-first"):
        check_format("european")
