"""`make try` for series: rows are pasted, and the forecast follows."""

import contextlib
import json
import re

import msgspec
import numpy as np
import pandas as pd
import pytest

from shared.core.errors import UserError
from shared.data.delimited import read_table
from shared.data.series.times import parse_times
from shared.inference.explain.forecast_page import Steps, describe_steps
from shared.inference.explain.live import load_live, open_try
from shared.inference.explain.live_series import MOST_BYTES
from shared.inference.explain.page import render_page
from shared.inference.explain.pasted import NAME, write_kept, write_times
from shared.inference.explain.windows import WindowExplanation
from shared.inference.series_forecast import forecast_series
from shared.inference.series_run import read_latest, read_layout, read_reading
from tests.helpers import serve
from tests.inference.forecasts import copy_run, make_table
from tests.inference.test_explain_page import HOSTILE, WORDS, ask, press, show, write
from tests.inference.test_explain_page import browser as _browser

pytestmark = [
    pytest.mark.xdist_group("inference"),
    pytest.mark.usefixtures("undrawn"),
]
browser = _browser
NEWER = make_table(40, 7)


LIVES = {}


@pytest.fixture
def live(sales):
    if sales.path not in LIVES:
        LIVES[sales.path] = load_live(sales)
    return LIVES[sales.path]


def to_text(table, header=True, **options):
    return table.to_csv(index=False, header=header, **options)


def read_words(found):
    assert "error" not in found, found
    return [one["text"] for one in found["words"] if one.get("ahead")]


def test_pasted_rows_are_forecast_as_predict_forecasts_a_file(live, sales, tmp_path):
    path = tmp_path / "newer.csv"
    path.write_text(to_text(NEWER))
    wanted = forecast_series(sales, path)
    rows = [f"{value:.5g}" for value in wanted.median("")[:, 0]]
    two = NEWER[["day", "sales"]]
    for text in (
        path.read_text(),
        to_text(NEWER, header=False),  # the columns of the run's own file
        to_text(two, header=False),  # those that the network reads
        to_text(NEWER, sep="\t"),
        to_text(NEWER).replace("\n", "\r\n"),
        "\ufeff" + to_text(NEWER),
    ):
        quick, whole = (live.answer(text, whole=one) for one in (False, True))
        assert read_words(quick) == read_words(whole) == rows
        assert len(whole["charts"]) == len(quick["charts"]) + 3
    low, high = wanted.intervals[""][0.8]
    facts = dict(whole["words"][-3]["facts"])
    assert facts["80% interval"] == f"{low[0, 0]:.5g} to {high[0, 0]:.5g}"
    assert quick["remarks"][0].startswith(f"Read: {NAME} (2023-01-02 00:00:00 to ")
    remarks = live.answer(to_text(two, header=False), whole=False)["remarks"]
    assert "no header: the columns are read as 'day', 'sales'" in remarks
    assert str(tmp_path) not in json.dumps(whole)


def test_the_page_starts_with_the_rows_of_the_run(live, sales):
    assert 'maxlength="1000000"' in live.page
    assert live.start.splitlines()[0] == "day,sales"
    kept = read_words(live.answer(live.start, whole=True))
    wanted = forecast_series(sales, None).median("")[:, 0]
    assert kept == [f"{value:.5g}" for value in wanted]


def test_what_the_forecast_leans_on_adds_up(live):
    """The network is linear: the parts add up to the way from a constant window."""
    whole = live.answer(to_text(NEWER), whole=True)
    flat = NEWER.assign(sales=NEWER.sales.iloc[-1])
    start = live.answer(to_text(flat), whole=False)
    (curve,) = [
        one for one in whole["charts"][0]["curves"] if one["name"] == "forecast"
    ]
    for k in range(3):
        heat = whole["charts"][1 + k]
        added = sum(value or 0 for row in heat["curves"] for value in row["values"])
        before = start["charts"][0]["curves"][1]["values"][-3 + k]
        assert before + added == pytest.approx(curve["values"][-3 + k], rel=1e-3)
    assert [group["word"] for group in whole["by_ahead"]] == [40, 41, 42]
    assert max(map(abs, whole["by_ahead"][1]["shares"])) == 1


BAD = {
    "nothing": ("  \n", f"{NAME} are empty; paste at least 6 rows."),
    "few rows": (to_text(NEWER[:3]), "has 3 steps with a value, and the network reads"),
    "words": ("hello", "the header, has one column only"),
    "a cell": (
        to_text(NEWER).replace(str(NEWER.sales[4]), "<b>5</b>"),
        "line 6, column 'sales': '<b>5</b>' is no number",
    ),
    "a cell without a header": (
        to_text(NEWER, header=False).replace(str(NEWER.sales[4]), "five"),
        "line 5, column 'sales': 'five' is no number",
    ),
    "a cell too many": (
        to_text(NEWER[["day", "sales"]], header=False) + "2023-02-11,5,6\n",
        "line 41 has 3 cells, and 2 are read ('day', 'sales');",
    ),
    "three columns without names": (
        to_text(NEWER[["day", "sales", "visits"]], header=False),
        "line 1 has 3 cells, and no header is above it; without a header, write 2 "
        "cells ('day', 'sales'), or write the names in the first line",
    ),
    "another column": (
        to_text(NEWER.rename(columns={"sales": "sold"})),
        "has no column 'sales', which is read; it has 'day', 'sold', 'visits'",
    ),
    "no time": (to_text(NEWER.assign(day="x")), "column 'day': 'x' is no time"),
    "another step": (to_text(make_table(40, freq="W")), NAME),
    "a quote": (to_text(NEWER) + '"', "a quote is not closed"),
    "a zero byte": (to_text(NEWER) + "\0", "line 42 holds a zero byte"),
    "a zip": ("PK\x03\x04", "is no text but a zip archive"),
    "Parquet": ("PAR1PAR1", NAME),
    "a long line": ('"' + "9" * 300_000, NAME),
    "markup": ("<script>window.hit=1</script>\n" * 50, NAME),
    "a formula": ("=cmd|' /C calc'!A0,1\n" * 50, NAME),
    "too long": ("1,2\n" * 300_000, "1,200,000 characters; at most 1,000,000"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_rows_are_one_sentence(live, text, message):
    for whole in (False, True):
        (name,) = found = live.answer(text, whole)
        assert name == "error"
        assert message.lower() in found[name].lower()
        assert found[name].count("\n") == 0 and "/tmp" not in found[name]
        assert found[name][0].isupper()


def test_many_series_and_a_known_future(panel, known_sales):
    live = load_live(panel)
    assert live.start.startswith("day,shop,sales,visits\n")
    table = pd.concat([NEWER.assign(shop=name) for name in ("[red]", "new")])
    columns = ["day", "shop", "sales", "visits"]
    found = live.answer(to_text(table[columns]), whole=True)
    assert "The page shows '[red]' only" in found["remarks"][0]
    assert [chart["title"] for chart in found["charts"][:2]] == ["sales", "visits"]
    live = load_live(known_sales)
    assert "3 more rows have an empty target" in live.page
    rows = [line.split(",") for line in live.start.splitlines()]
    assert rows[0] == ["day", "sales", "holiday"]
    assert [row[1] == "" for row in rows[-4:]] == [False, True, True, True]
    found = live.answer(live.start, whole=True)
    assert len(read_words(found)) == 3
    other = live.answer(live.start[:-2] + "1\n", whole=True)
    assert read_words(other) != read_words(found)
    found = live.answer(to_text(NEWER), whole=True)
    assert "he future of 'holiday' is needed for 3 steps" in found["error"]


def test_kept_rows_have_the_form_of_the_table(sales):
    layout, (reading, _) = read_layout(sales), read_reading(sales)
    (series,) = read_latest(sales, layout)
    times = np.array(["2024-03-01T00:00:00", "2024-03-01T13:05:00"], "datetime64[s]")
    forms = ["iso", "day-first", "month-first", "epoch-s", "epoch-ms", "%Y/%m/%d %H.%M"]
    for form in forms:
        cells = pd.Series(write_times(times, form))
        assert (parse_times(cells, form).times == times).all(), form
    assert write_times(times[:1], "iso") == ["2024-03-01"]
    assert write_times(times[:1], "year") == ["2024"]
    assert write_times(times[:1], "quarter") == ["2024Q1"]
    german = msgspec.structs.replace(reading, decimal=",", time_format="day-first")
    line = write_kept(series, german, layout).splitlines()[1]
    day, value = line.split(";")
    assert day.count(".") == 2 and value.count(",") == 1


def test_a_table_without_a_header_keeps_its_line_numbers(tmp_path):
    path = tmp_path / "rows.csv"
    for content in ("# note\n1,2\n\n3,4\n", '# note\n1,"2"\n\n3,"4 "\n'):
        path.write_text(content)
        table = read_table(path, names=["a", 'b "x"'])
        assert (table.header_line, table.lines.tolist()) == (0, [2, 4])
        assert table.read([], ["a", 'b "x"']).to_numpy().tolist() == [[1, 2], [3, 4]]
    path.write_text("1,2\n3,4,5\n")
    with pytest.raises(UserError, match=r"line 2 has 3 cells, and 2 are read"):
        read_table(path, names=["a", "b"])


def test_a_run_without_its_last_rows_starts_empty(sales, tmp_path):
    run = copy_run(sales, tmp_path)
    (run.path / "latest.npz").unlink()
    live = load_live(run)
    assert live.start == ""
    found = live.answer(to_text(NEWER), whole=False)
    assert (
        "the grid of the run is not known: its latest.npz is damaged"
        in (found["remarks"])
    )


def test_the_server_takes_rows_of_its_own_page_only(live):
    with serve(open_try(live, 0)) as server:
        body = json.dumps({"text": to_text(NEWER)}).encode()
        status, found = ask(server, body=body)
        assert status == 200 and len(json.loads(found)["words"]) == 43
        assert ask(server, body=body, Origin="http://example.org")[0] == 403
        assert ask(server, body=body, Host="example.org")[0] == 403
        assert ask(server, body=body, Content_Type="text/plain")[0] == 415
        long = json.dumps({"text": "5," * 150_000}).encode()
        assert ask(server, body=long)[0] == 200
        size = {"Content_Length": str(MOST_BYTES + 1)}
        with contextlib.suppress(ConnectionError):  # the body may be left unread
            assert ask(server, body=b"{}", **size)[0] == 413


STATE = "document.getElementById('state').textContent"


def test_try_in_a_browser(browser, live):
    with serve(open_try(live, 0)) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        browser.problems.clear()
        browser.requests.clear()
        browser.open(address)
        browser.wait(f"{STATE} === 'Everything is computed.'")  # of the kept rows
        assert browser.evaluate("document.querySelectorAll('.chart').length") == 4
        write(browser, to_text(NEWER))
        browser.wait("document.querySelectorAll('.word').length === 43")
        browser.wait(f"{STATE} === 'Everything is computed.'")
        assert browser.evaluate("document.querySelectorAll('.ahead').length") == 3
        assert browser.evaluate("document.querySelectorAll('polygon').length") == 2
        # A forecast gives the steps the colours of its own step ahead.
        colours = (
            "[...document.querySelectorAll('.word')].map((one) => one.style.cssText)"
        )
        before = browser.evaluate(colours)
        chosen = "document.querySelector('.word.on').textContent"
        assert browser.evaluate(chosen) == browser.evaluate(WORDS)[40]
        browser.evaluate("document.querySelectorAll('.word')[40].focus()")
        press(browser, "ArrowRight")
        assert browser.evaluate(colours) != before
        assert "2 steps ahead" in browser.evaluate(
            "document.getElementById('facts').innerText"
        )
        for text, (_, message) in zip(
            ["<img src=x onerror=window.hit=1>,2\n" * 9, BAD["a cell"][0]],
            [("", NAME), BAD["a cell"]],
            strict=True,
        ):
            write(browser, text)
            browser.wait(f"{STATE}.toLowerCase().includes({json.dumps(message)})")
        assert browser.evaluate("document.getElementById('state').children.length") == 0
        write(browser, "")
        assert browser.evaluate(STATE) == "Paste rows."
        assert browser.evaluate("window.hit") is None
        others = [
            url for url in browser.requests if not url.startswith((address, "data:"))
        ]
        assert (browser.problems, others) == ([], [])
    browser.call("Page.navigate", url="about:blank")


def make_hostile():
    """Columns and times with hostile names; gaps; a horizon of one step."""
    columns = {name: np.arange(5.0) + k for k, name in enumerate(HOSTILE)}
    measured = np.array([True, False, True, True, True])
    forecasts = {HOSTILE[0]: np.array([7.0])}
    ends = {HOSTILE[0]: {0.8: (np.array([6.0]), np.array([8.0]))}}
    steps = Steps([f"<b>{k}</b>" for k in range(6)], columns, measured, forecasts, ends)
    values = np.linspace(-1, 1, 4 * len(HOSTILE)).reshape(1, 4, len(HOSTILE))
    return steps, WindowExplanation(list(HOSTILE), [1], values)


def test_hostile_names_stay_text(browser, tmp_path):
    steps, leaning = make_hostile()
    content = describe_steps(steps, leaning, "<i>answer</i>", ["<u>remark</u>"])
    (data,) = re.findall(r'id="content">(.*)</script>\n', render_page("t", content))
    assert "<" not in data and json.loads(data)["answer"] == "<i>answer</i>"
    browser.prefer("dark")
    show(browser, tmp_path, content, 390)
    assert browser.evaluate(WORDS) == ["0", "1", "2", "3", "4", "7"]
    assert browser.evaluate("document.querySelectorAll('.unknown').length") == 1
    assert browser.evaluate("document.querySelectorAll('.row').length") == 8
    assert "without 2 columns that add least" in browser.evaluate(
        "document.querySelectorAll('h2')[1].textContent"
    )
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.evaluate("window.hit") is None
    assert browser.evaluate("document.querySelectorAll('img, #found i b').length") == 0
    browser.prefer("light")
    assert browser.problems == []
