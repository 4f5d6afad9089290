"""The page of `make explain`, and `make try`: one safe page, a server that is local."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from shared.core import local_server
from shared.core.errors import UserError
from shared.core.local_server import HOST
from shared.data.text.vocabulary import Vocabulary
from shared.inference.explain import live as live_module
from shared.inference.explain.attribution import Attribution
from shared.inference.explain.gates import Gates
from shared.inference.explain.live import LiveText, load_live, open_try
from shared.inference.explain.live import main as try_text
from shared.inference.explain.page import (
    describe_text,
    describe_writing,
    render_page,
)
from shared.inference.explain.texts import TextExplanation
from shared.inference.explain.writers import WriterExplanation
from shared.inference.text_run import TextFacts, TextReader
from tests.helpers import serve, start
from tests.recipes.own_texts import train_texts
from tests.report.chromium import find_chromium, start_chromium

pytestmark = [
    pytest.mark.xdist_group("inference"),
    pytest.mark.usefixtures("undrawn"),
]

HOSTILE = [
    "<script>window.hit=1</script>",
    "\"'><img/src=x/onerror=window.hit=2>",
    "</script>",
    "שלום\u202eabc",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",  # one sign of five code points
    "&amp;",
    "{{7*7}}",
    "${window.hit=3}",
    "w" * 300,
    "good",
]
READER = TextReader(
    TextFacts(None, "words", False, 200, "end", "left"),
    Vocabulary(tuple(HOSTILE)),
    str.split,
)


class FakeExplainer:
    """Answers at once: the probability falls from word to word."""

    def read_curve(self, text):
        yes = np.linspace(0.9, 0.2, len(text.words))
        return TextExplanation(text, ("<b>no</b>", "yes"), np.stack([1 - yes, yes], 1))

    def explain(self, text):
        found = self.read_curve(text)
        count = len(text.words)
        adds = np.linspace(-1, 1, count)
        units = np.ones((count, 3), int)
        means = {"update gate": np.linspace(0.4, 0.6, count)}
        gates = Gates("gru", means, units, units * 0.1)
        attribution = Attribution(adds * 2, adds, 0.8, 0.5)
        return TextExplanation(text, found.classes, found.after, attribution, gates)


def explain(words):
    from shared.inference.explain.texts import tokenize

    text = tokenize(READER, " ".join(words))
    return FakeExplainer().explain(text)


def serving():
    live = LiveText(FakeExplainer(), READER, "toy </title><script>", ["A remark."])
    return serve(open_try(live, 0))


def ask(server, path="/curve", body=b'{"text": "good"}', method="POST", **headers):
    """Return status and text. A header of None is not sent."""
    sent = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    sent = {name: value for name, value in sent.items() if value is not None}
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_server_answers_its_own_page_only():
    with serving() as server:
        assert server.server_address[0] == "127.0.0.1"
        status, page = ask(server, "/", None, "GET")
        assert status == 200 and "connect-src 'self'" in page
        assert "<title>toy &lt;/title&gt;" in page
        status, text = ask(server)
        assert status == 200 and json.loads(text)["words"][0]["text"] == "good"
        own = f"http://{HOST}:{server.server_port}"
        assert ask(server, Origin=own)[0] == 200
        for origin in ("http://example.org", "null", "http://localhost", own + "0"):
            assert ask(server, Origin=origin)[0] == 403, origin
            assert ask(server, "/", None, "GET", Origin=origin)[0] == 403, origin
        for host in ("example.org", "127.0.0.1@example.org", "0.0.0.0", "[::1"):
            assert ask(server, Host=host)[0] == 403, host
        assert ask(server, "/other")[0] == 404
        assert ask(server, "/../config.json", None, "GET")[0] == 404
        assert ask(server, method="OPTIONS")[0] == 501


BODIES = {
    "a form": (b"text=good", {"Content_Type": "text/plain"}, 415),
    "no type": (b"{}", {"Content_Type": None}, 415),
    "no JSON": (b"{", {}, 400),
    "another name": (b'{"texts": "a"}', {}, 400),
    "a number": (b'{"text": 5}', {}, 400),
    "a list": (b"[]", {}, 400),
    "no UTF-8": (b'{"text": "\xff"}', {}, 400),
    "half a surrogate": (b'{"text": "\\ud800"}', {}, 400),
    "deep": (b"[" * 100_000, {}, 400),
    "large": (b'{"text": "' + b"a" * 200_000 + b'"}', {}, 413),
    "a negative length": (b"{}", {"Content_Length": "-1"}, 411),
    "a long length": (b"{}", {"Content_Length": "9" * 400}, 411),
}


@pytest.mark.parametrize(("body", "headers", "status"), BODIES.values(), ids=BODIES)
def test_a_bad_question_is_refused(body, headers, status, capfd):
    with serving() as server:
        # A refused body may be left unread, and the connection then ends in a reset.
        with contextlib.suppress(ConnectionError):
            assert ask(server, body=body, **headers)[0] == status
        assert ask(server)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_client_that_stays_silent_is_given_up(monkeypatch, capfd):
    monkeypatch.setattr(local_server.LocalHandler, "timeout", 0.2)
    with serving() as server, socket.create_connection(
        (HOST, server.server_port), 30
    ) as slow:  # fmt: skip
        slow.sendall(
            b"POST /curve HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
            b"Content-Type: application/json\r\n\r\n{"
        )
        assert slow.recv(100) == b""
        assert ask(server)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_text_that_cannot_be_explained_is_a_sentence():
    with serving() as server:
        for text, message in {
            "zzz": "knows none of the words", "  ": "knows none of the words",
            "good " * 30_000: "at most 20,000 are accepted",
        }.items():  # fmt: skip
            body = json.dumps({"text": text}).encode()
            for path in ("/curve", "/explain"):
                status, found = ask(server, path, body)
                assert status == 200 and message in json.loads(found)["error"]
        _, found = ask(server, body=json.dumps({"text": "good " * 300}).encode())
        found = json.loads(found)
        assert len(found["words"]) == 200
        assert (
            "The text has 300 words. The network reads the last 200 only"
            in (found["remarks"][0])
        )
        assert found["remarks"][-1] == "A remark."


def test_a_port_in_use_is_one_line():
    live = LiveText(FakeExplainer(), READER, "toy")
    with (
        serving() as server,
        pytest.raises(UserError, match=rf"^--port {server.server_port}: .*another"),
    ):
        open_try(live, server.server_port)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    path = find_chromium()
    if path is None:
        pytest.skip("needs a Chromium (on Debian: apt install chromium)")
    with start_chromium(path, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def show(browser, tmp_path, content, width=1200):
    (tmp_path / "p.html").write_text(render_page("<i>title</i>", content))
    browser.problems.clear()
    browser.requests.clear()
    browser.open((tmp_path / "p.html").as_uri(), width)


def press(browser, key):
    for kind in ("keyDown", "keyUp"):
        code = {"Tab": 9}.get(key, 0)
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key,
            windowsVirtualKeyCode=code,
        )  # fmt: skip


CHOSEN = "document.querySelector('.word.on').textContent"
FACTS = "document.getElementById('facts').innerText"
WORDS = "[...document.querySelectorAll('.word')].map((one) => one.textContent)"


def test_the_page_in_a_browser(browser, tmp_path):
    found = explain(HOSTILE)
    show(browser, tmp_path, describe_text(found, True, ["A <b>remark</b>."]))
    assert browser.evaluate(WORDS) == HOSTILE
    assert browser.evaluate("window.hit") is None
    assert (
        browser.evaluate("document.querySelectorAll('img, i + b, script').length") == 2
    )
    assert browser.evaluate("document.querySelector('h1').textContent") == (
        "<i>title</i>"
    )
    assert "A <b>remark</b>." in browser.evaluate(
        "document.getElementById('remarks').textContent"
    )
    assert browser.evaluate("document.querySelectorAll('.chart').length") == 3
    # The mouse: the facts of the word below it, and the marks in the charts.
    x, y = browser.evaluate(
        "(() => { const box = document.querySelectorAll('.word')[4]"
        ".getBoundingClientRect(); return [box.left + 3, box.top + 5]; })()"
    )
    browser.move(x, y)
    browser.wait(f"{CHOSEN} === {json.dumps(HOSTILE[4])}")
    facts = browser.evaluate(FACTS)
    assert "update gate" in facts and f"{found.attribution.integrated[4]:.4f}" in facts
    place = "document.querySelector('.here').getAttribute('x1')"
    assert browser.evaluate(place) == "4.5"
    # The keyboard: one stop of Tab, then arrows.
    browser.move(0, 0)
    browser.evaluate("document.activeElement.blur()")
    press(browser, "Tab")
    browser.wait(f"document.activeElement.textContent === {json.dumps(HOSTILE[4])}")
    press(browser, "ArrowRight")
    assert browser.evaluate(CHOSEN) == HOSTILE[5]
    press(browser, "ArrowLeft")
    press(browser, "ArrowLeft")
    assert browser.evaluate(CHOSEN) == HOSTILE[3]
    press(browser, "End")
    press(browser, "ArrowRight")
    assert browser.evaluate("document.activeElement.textContent") == "good"
    press(browser, "Home")
    assert browser.evaluate(CHOSEN) == HOSTILE[0]
    assert browser.problems == []
    assert [
        url for url in browser.requests if not url.startswith(("file:", "data:"))
    ] == []


def test_phone_and_dark_mode(browser, tmp_path):
    content = describe_text(explain(HOSTILE * 5), True, [])
    browser.prefer("dark")
    show(browser, tmp_path, content, 390)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert browser.evaluate(colour) == "rgb(21, 23, 27)"
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    browser.prefer("light")
    browser.wait(f"{colour} === 'rgb(255, 255, 255)'")
    assert browser.problems == []


def test_one_word_and_a_writer_in_a_browser(browser, tmp_path):
    show(browser, tmp_path, describe_text(explain(["good"]), True, []))
    assert browser.evaluate(WORDS) == ["good"]
    tokens = ["a", "\n", "<", " "]
    chances = np.array([0.5, 0.25, 1e-9, 0.9])
    guesses, shares = [["a", "<b>"]] * 4, np.array([[0.5, 0.2]] * 4)
    found = WriterExplanation(
        tokens, np.array([True, True, False, True]), chances, guesses, shares,
        "characters",
    )  # fmt: skip
    assert found.bits[:2] == pytest.approx([1, 2])
    assert "Its first guess is right for 25% of the 4 characters" in found.describe()
    show(browser, tmp_path, describe_writing(found, ["Only read."]))
    assert browser.evaluate(WORDS) == ["a", "↵\n", "<", " "]
    assert browser.evaluate("document.querySelectorAll('.unknown').length") == 1
    browser.evaluate("document.querySelectorAll('.word')[2].click()")
    facts = browser.evaluate(FACTS)
    assert "<b>" in facts and "29.8974" in facts  # -log2 of 1e-9
    assert browser.problems == []


def write(browser, text):
    browser.evaluate(
        "(() => { const field = document.getElementById('field'); field.value = "
        f"{json.dumps(text)}; field.dispatchEvent(new Event('input')); }})()"
    )


def test_try_in_a_browser(browser):
    with serving() as server:
        address = f"http://{HOST}:{server.server_port}/"
        browser.problems.clear()
        browser.requests.clear()
        browser.open(address)
        state = "document.getElementById('state').textContent"
        assert browser.evaluate(state) == "Write something."
        write(browser, " ".join(HOSTILE))
        browser.wait(f"{state} === 'Everything is computed.'")
        assert browser.evaluate(WORDS) == HOSTILE
        assert browser.evaluate("document.querySelectorAll('.chart').length") == 3
        assert browser.evaluate("window.hit") is None
        write(browser, "zzz")
        browser.wait(f"{state}.includes('knows none of the words')")
        write(browser, " ")
        assert browser.evaluate("document.getElementById('found').hidden")
        for count in range(1, 9):  # typing: the last text wins
            write(browser, "good " * count)
        browser.wait(f"{state} === 'Everything is computed.'")
        assert browser.evaluate(WORDS) == ["good"] * 8
        assert browser.evaluate("document.getElementById('answer').textContent") == (
            "The answer is <b>no</b>, with a probability of 0.800."
        )
        others = [
            url for url in browser.requests if not url.startswith((address, "data:"))
        ]
        assert (browser.problems, others) == ([], [])
    write(browser, "good")  # the server has ended
    browser.wait(f"{state}.includes('Start make try again')")
    browser.call("Page.navigate", url="about:blank")


@pytest.fixture
def table_run(train_once):
    return train_once(train_texts, "text_gru").run


def test_a_real_network_answers(table_run):
    live = load_live(table_run)
    quick, whole = (live.answer("Great food and zzz", whole=one) for one in (0, 1))
    assert [word["text"] for word in quick["words"]] == ["great", "food", "and", "zzz"]
    assert [word["known"] for word in quick["words"]] == [True, True, True, False]
    assert len(quick["charts"]) == 1 and len(whole["charts"]) == 3
    assert quick["charts"][0] == whole["charts"][0]
    json.dumps(whole)
    assert "knows none" in live.answer("zzz", whole=True)["error"]


def test_the_command_answers_and_ends_on_an_interrupt(table_run, capsys, monkeypatch):
    """In this process. In one of its own: make test-slow."""

    def open_and_interrupt(live, port):
        server = open_try(live, port)

        def interrupt():
            try:
                assert ask(server, "/", None, "GET")[0] == 200
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        return server

    monkeypatch.setattr(live_module, "open_try", open_and_interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as ended:
            try_text([str(table_run.path), "--port", "0"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 130
    printed, errors = capsys.readouterr()
    first, second = printed.splitlines()
    assert first == f"Run: {table_run.path}"
    assert re.match(r"Open http://127\.0\.0\.1:\d+/ and type or paste\.", second)
    assert errors.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in errors


@pytest.mark.slow
def test_the_command_prints_its_address_and_ends_on_an_interrupt(table_run):
    command = [sys.executable, "-m", "shared.inference.explain.live"]
    command += [str(table_run.path), "--port", "0"]
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == f"Run: {table_run.path}\n"
    line = process.stdout.readline()
    assert re.match(r"Open http://127\.0\.0\.1:\d+/ and type or paste\.", line)
    process.send_signal(2)  # Ctrl-C
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in errors


def test_bad_runs_and_flags_are_one_line(weather, table_run, capsys):
    for flags, message in [
        (
            [str(weather.path)],
            "make try works with runs of text-*, imdb-* and series-*",
        ),
        ([str(table_run.path), "--port", "70000"], "--port 70000: takes 0 to 65535"),
        (["no-such-recipe"], "no-such-recipe"),
    ]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            try_text(flags)
        assert ended.value.code == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert message in line
