"""A small server for the report page, on this machine only; watches run folders."""

from __future__ import annotations

import hashlib
import html
import os
import re
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from shared.core.errors import UserError
from shared.report.matrix import VerdictCache
from shared.report.render import build_page

HOST = "127.0.0.1"  # not visible on the network
LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
"""A `Host` header of this machine. Browsers leave port 80 out. A tunnel to this machine
may use the last address."""
PATIENCE = 10  # seconds that a client may stay silent in a request
NOTHING = '<!doctype html><meta http-equiv="refresh" content="2"><p>{}</p>'
WATCHED = ("summary.json", "history.csv", "kernels.json", "*.png")


class Page:
    """The page, built again when a run folder has changed."""

    def __init__(
        self, folders: Mapping[str, Path], get_verdicts: VerdictCache | None
    ) -> None:
        self._folders, self._get_verdicts = folders, get_verdicts
        self._lock = threading.Lock()  # build once, even for several requests
        self._stamp, self._text = "", ""

    def read_stamp(self) -> str:
        """Return a stamp that changes whenever the content of the page changes."""
        seen = hashlib.sha256()
        for folder in self._folders.values():
            for pattern in WATCHED:
                for path in _list_files(folder, f"*/*/{pattern}"):
                    try:
                        facts = path.stat()
                    except OSError:
                        continue  # removed meanwhile
                    seen.update(os.fsencode(path))
                    seen.update(f"{facts.st_mtime_ns} {facts.st_size}".encode())
        return seen.hexdigest()[:16]

    def read(self) -> str:
        """Return the current page."""
        with self._lock:
            stamp = self.read_stamp()
            if stamp != self._stamp:
                self._text = build_page(self._folders, self._get_verdicts, stamp)
                self._stamp = stamp
            return self._text


def _list_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files that fit a pattern; none while a folder is being removed."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


class Server(ThreadingHTTPServer):
    """Says nothing about a client that goes away."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show only errors that are a fault of this program."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def open_server(page: Page, port: int) -> Server:
    """Return a server that listens; call its `serve_forever` to answer.

    `/` is the page. `/stamp` is its stamp, which changes with the page.

    Args:
        page: The page to serve.
        port: 0 takes any free port.

    Raises:
        UserError: If the port is not available.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE

        def do_GET(self) -> None:
            # Another site may let its own name point to this machine.
            if not LOCAL.fullmatch(self.headers.get("Host", "")):
                self.send_error(HTTPStatus.FORBIDDEN)
            elif self.path == "/stamp":
                self._answer(page.read_stamp(), "text/plain")
            elif self.path == "/":
                self._answer_page()
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _answer_page(self) -> None:
            try:
                text = page.read()
            except (UserError, OSError) as error:  # no run yet, or none left
                text = NOTHING.format(html.escape(str(error)))
            self._answer(text, "text/html")

        def _answer(self, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing: a page sends a request every two seconds."""

    try:
        return Server((HOST, port), Handler)
    except OSError as error:
        raise UserError(
            f"--port {port}: {error.strerror}. Name another port, or 0 for a free one."
        ) from None


def serve(
    folders: Mapping[str, Path], get_verdicts: VerdictCache | None, port: int
) -> None:
    """Serve the page until Ctrl-C or a kill.

    Raises:
        KeyboardInterrupt: At Ctrl-C.
        UserError: If the port is not available.
    """
    with open_server(Page(folders, get_verdicts), port) as server:
        print(
            f"Open http://{HOST}:{server.server_port}/ - it updates while runs train. "
            "Ctrl-C stops it.",
            flush=True,
        )
        server.serve_forever()
