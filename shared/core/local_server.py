"""A small web server for this machine only, and what it refuses."""

from __future__ import annotations

import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shared.core.errors import UserError

HOST = "127.0.0.1"  # not visible on the network
LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
"""A `Host` header of this machine. Browsers leave port 80 out. A tunnel to this machine
may use the last address."""
PATIENCE = 10  # seconds that a client may stay silent in a request
MOST_BYTES = 200_000  # of the body of a request


class LocalServer(ThreadingHTTPServer):
    """Says nothing about a client that goes away."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show only errors that are a fault of this program."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class LocalHandler(BaseHTTPRequestHandler):
    """Answers requests from pages of this server, and refuses all others.

    A subclass says what `get` and `post` answer, and how large a body may be.
    """

    timeout = PATIENCE
    most_bytes = MOST_BYTES

    def get(self) -> None:
        """Answer an allowed GET request."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def post(self, body: bytes) -> None:
        """Answer an allowed POST request with JSON in its body."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def do_GET(self) -> None:
        """Answer or refuse a GET request."""
        if self.is_allowed():
            self.get()

    def do_POST(self) -> None:
        """Answer or refuse a POST request.

        A page of another site cannot send this type without asking first, and the
        question (OPTIONS) gets no answer here.
        """
        if not self.is_allowed():
            return
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != "application/json":
            self.send_error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        elif not re.fullmatch(r"[0-9]{1,9}", length):
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif int(length) > self.most_bytes:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self.post(self.rfile.read(int(length)))

    def is_allowed(self) -> bool:
        """Return whether a page of this server asks; else refuse the request.

        Another site may let its own name point to this machine, or send a form to it.
        """
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if LOCAL.fullmatch(host) and origin in (None, f"http://{host}"):
            return True
        self.send_error(HTTPStatus.FORBIDDEN)
        return False

    def answer(self, text: str, kind: str) -> None:
        """Send a text.

        Args:
            text: Sent as UTF-8.
            kind: `Content-Type` without the encoding.
        """
        body = text.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing: a page sends many requests."""


def open_local_server(handler: type[LocalHandler], port: int) -> LocalServer:
    """Return a server that listens; call its `serve_forever` to answer.

    Args:
        handler: Answers the requests.
        port: 0 takes any free port.

    Raises:
        UserError: If the port is not available.
    """
    try:
        return LocalServer((HOST, port), handler)
    except OSError as error:
        raise UserError(
            f"--port {port}: {error.strerror}. Name another port, or 0 for a free one."
        ) from None
