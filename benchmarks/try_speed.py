"""How long the page of `make try` needs until the curve has followed the last key.

    make bench-try
    make bench-try ARGS="--words 200 --repeats 30"

Trains imdb-gru and series-gru at their default sizes for one epoch on few examples,
serves their pages, and types in a headless Chromium: a text of --words words that moves
on by a word with each key, or the rows that the run has kept, with another last value.
`browser` is the time from the key to the page that shows the new curve; `server` that
of the same question without a browser. Writes results/benchmarks/try.csv: milliseconds,
the median and the longest.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from benchmarks.export_formats import SIZED, train  # noqa: E402
from shared.core.errors import UserError  # noqa: E402
from shared.core.files import to_csv, write_text  # noqa: E402
from shared.core.local_server import HOST  # noqa: E402

TARGET = PROJECT / "results" / "benchmarks" / "try.csv"
WARM_UP = 3
TYPE = """new Promise((resolve) => {
  const at = (id) => document.getElementById(id);
  const field = at("field"), state = at("state");
  const start = performance.now();
  new MutationObserver((_, observer) => {
    if (!state.textContent.startsWith("Curve after")) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
  }).observe(state, { childList: true });
  field.value = TEXT;
  field.dispatchEvent(new Event("input"));
})"""
DONE = "document.getElementById('state').textContent === 'Everything is computed.'"


def make_texts(run: Any, live: Any, words: int) -> Callable[[int], str]:
    """Return what is in the field after the k-th key."""
    if run.recipe.startswith("series"):
        rows = live.start.splitlines()
        return lambda k: "\n".join([*rows[:-1], _change(rows[-1], k)])
    from shared.inference.text_run import read_text_reader

    known = [one for one in read_text_reader(run).vocabulary.tokens if one][:400]
    return lambda k: " ".join(known[j % len(known)] for j in range(k, k + words))


def _change(row: str, k: int) -> str:
    cells = row.split(",")
    cells[1] = f"{float(cells[1]) + 0.01 * k:g}"
    return ",".join(cells)


@contextlib.contextmanager
def serve(live: Any) -> Iterator[int]:
    """Serve a page and yield its port."""
    from shared.inference.explain.live import open_try

    with open_try(live, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ask_server(port: int, text: str) -> float:
    """Return the milliseconds of one question."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    with contextlib.closing(connection):
        body = json.dumps({"text": text}).encode()
        kind = {"Content-Type": "application/json"}
        connection.request("POST", "/curve", body, kind)
        found = json.loads(connection.getresponse().read())
    assert "error" not in found, found["error"]
    return 1_000 * (time.perf_counter() - start)


def measure(run: Any, browser: Any, words: int, repeats: int) -> list[dict[str, Any]]:
    """Return a row for the browser and one for the server alone."""
    from shared.inference.explain.live import load_live

    live = load_live(run)
    write = make_texts(run, live, words)
    found: dict[str, list[float]] = {"browser": [], "server": []}
    with serve(live) as port:
        browser.open(f"http://{HOST}:{port}/")
        for k in range(WARM_UP + repeats):
            text = write(k)
            took = browser.evaluate(TYPE.replace("TEXT", json.dumps(text)))
            found["browser"].append(took)
            found["server"].append(ask_server(port, text))
            if k < WARM_UP:
                browser.wait(DONE)  # the first explanation builds its graph
        shown = browser.evaluate("document.querySelectorAll('.word').length")
        browser.call("Page.navigate", url="about:blank")
    return [
        {
            "recipe": run.recipe,
            "shown": shown,
            "where": where,
            "median_ms": f"{statistics.median(times[WARM_UP:]):.3g}",
            "longest_ms": f"{max(times[WARM_UP:]):.3g}",
        }
        for where, times in found.items()
    ]


def main() -> None:
    """Measure both recipes and write the table."""
    from tests.report.chromium import find_chromium, start_chromium

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--words", type=int, default=200, help="words of the text")
    parser.add_argument("--repeats", type=int, default=20, help="keys that count")
    options = parser.parse_args()
    if min(options.words, options.repeats) < 1:
        parser.error("--words and --repeats take 1 or more")
    program = find_chromium()
    if program is None:
        sys.exit("error: needs a Chromium (on Debian: apt install chromium)")
    rows = []
    for recipe in ("imdb_gru", "series_gru"):
        with (
            tempfile.TemporaryDirectory() as folder,
            start_chromium(program, Path(folder, "profile")) as browser,
        ):
            try:
                run = train(recipe, Path(folder), *SIZED[recipe])
                rows += measure(run, browser, options.words, options.repeats)
            except UserError as error:
                sys.exit(f"error: {error}")
    write_text(TARGET, to_csv(rows))
    print(TARGET.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
