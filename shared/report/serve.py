"""A small server for the report page, on this machine only; watches run folders."""

from __future__ import annotations

import hashlib
import html
import os
import threading
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from shared.core.errors import UserError
from shared.core.local_server import (
    HOST,
    LocalHandler,
    LocalServer,
    open_local_server,
)
from shared.report.matrix import VerdictCache
from shared.report.render import build_page
from shared.report.sweeps import NAME

NOTHING = '<!doctype html><meta http-equiv="refresh" content="2"><p>{}</p>'
WATCHED = ("summary.json", "history.csv", "kernels.json", "*.png")


class Page:
    """The page, built again when a run folder has changed."""

    def __init__(
        self,
        folders: Mapping[str, Path],
        get_verdicts: VerdictCache | None,
        sweeps: Path | None = None,
    ) -> None:
        self._folders, self._get_verdicts = folders, get_verdicts
        self._sweeps = sweeps
        self._lock = threading.Lock()  # build once, even for several requests
        self._stamp, self._text = "", ""

    def read_stamp(self) -> str:
        """Return a stamp that changes whenever the content of the page changes."""
        seen = hashlib.sha256()
        places = [
            (folder, f"*/*/{pattern}")
            for folder in self._folders.values()
            for pattern in WATCHED
        ]
        if self._sweeps is not None:
            places.append((self._sweeps, f"*/{NAME}"))
        for folder, pattern in places:
            for path in _list_files(folder, pattern):
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
                self._text = build_page(
                    self._folders, self._get_verdicts, stamp, self._sweeps
                )
                self._stamp = stamp
            return self._text


def _list_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files that fit a pattern; none while a folder is being removed."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def open_server(page: Page, port: int) -> LocalServer:
    """Return a server that listens; call its `serve_forever` to answer.

    `/` is the page. `/stamp` is its stamp, which changes with the page.

    Args:
        page: The page to serve.
        port: 0 takes any free port.

    Raises:
        UserError: If the port is not available.
    """

    class Handler(LocalHandler):
        def get(self) -> None:
            if self.path == "/stamp":
                self.answer(page.read_stamp(), "text/plain")
            elif self.path == "/":
                self._answer_page()
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _answer_page(self) -> None:
            try:
                text = page.read()
            except (UserError, OSError) as error:  # no run yet, or none left
                text = NOTHING.format(html.escape(str(error)))
            self.answer(text, "text/html")

    return open_local_server(Handler, port)


def serve(
    folders: Mapping[str, Path],
    get_verdicts: VerdictCache | None,
    port: int,
    sweeps: Path | None = None,
) -> None:
    """Serve the page until Ctrl-C or a kill.

    Raises:
        KeyboardInterrupt: At Ctrl-C.
        UserError: If the port is not available.
    """
    with open_server(Page(folders, get_verdicts, sweeps), port) as server:
        print(
            f"Open http://{HOST}:{server.server_port}/ - it updates while runs train. "
            "Ctrl-C stops it.",
            flush=True,
        )
        server.serve_forever()
