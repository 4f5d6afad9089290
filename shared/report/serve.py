"""A small server for the report page, for this machine only; follows run folders."""

from __future__ import annotations

import contextlib
import hashlib
import html
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from shared.cli import kill_as_interrupt
from shared.errors import UserError
from shared.report.matrix import Judge
from shared.report.render import build_page

HOST = "127.0.0.1"  # nobody else on the network sees it
NOTHING = '<!doctype html><meta http-equiv="refresh" content="2"><p>{}</p>'
WATCHED = ("summary.json", "history.csv", "kernels.json", "*.png")


class Page:
    """The page, made anew when a run folder has changed."""

    def __init__(self, folders: Mapping[str, Path], judge: Judge | None) -> None:
        self._folders, self._judge = folders, judge
        self._lock = threading.Lock()  # one making is enough
        self._stamp, self._text = "", ""

    def read_stamp(self) -> str:
        """Return what changes whenever something that the page shows changes."""
        seen = hashlib.sha256()
        for folder in self._folders.values():
            for pattern in WATCHED:
                for path in sorted(folder.glob(f"*/*/{pattern}")):
                    try:
                        facts = path.stat()
                    except OSError:
                        continue  # taken away just now
                    seen.update(f"{path}{facts.st_mtime_ns}{facts.st_size}".encode())
        return seen.hexdigest()[:16]

    def read(self) -> str:
        """Return the page as it should be now."""
        with self._lock:
            stamp = self.read_stamp()
            if stamp != self._stamp:
                self._text = build_page(self._folders, self._judge, stamp)
                self._stamp = stamp
            return self._text


def open_server(page: Page, port: int) -> ThreadingHTTPServer:
    """Return a server that listens; its `serve_forever` answers.

    `/` is the page, `/stamp` what tells an old page from a new one.

    Args:
        page: What it hands out.
        port: 0 takes any that is free.

    Raises:
        UserError: If the port cannot be had.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "").rpartition(":")[0]
            if host not in (HOST, "localhost"):  # a foreign site under another name
                self.send_error(HTTPStatus.FORBIDDEN)
            elif self.path == "/stamp":
                self._answer(page.read_stamp(), "text/plain")
            elif self.path == "/":
                self._answer_page()
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _answer_page(self) -> None:
            try:
                self._answer(page.read(), "text/html")
            except UserError as error:  # no run yet, or none left
                self._answer(NOTHING.format(html.escape(str(error))), "text/html")

        def _answer(self, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent: a page asks every two seconds."""

    try:
        return ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise UserError(
            f"--port {port}: {error.strerror}; name another, or 0 for any."
        ) from None


def serve(folders: Mapping[str, Path], judge: Judge | None, port: int) -> None:
    """Serve the page until Ctrl-C or a kill.

    Raises:
        UserError: If the port cannot be had.
    """
    page = Page(folders, judge)
    with (
        open_server(page, port) as server,
        contextlib.suppress(KeyboardInterrupt),
        kill_as_interrupt(),
    ):
        address = f"http://{HOST}:{server.server_port}/"
        print(f"Open {address} - it follows what trains; Ctrl-C ends.", flush=True)
        server.serve_forever()
