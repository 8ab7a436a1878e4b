"""The HTTP side: addresses in, words and pictures out; one thread for each page that asks.

    GET  /         the page
    GET  /state    numbers, alarms, events and charts
    GET  /picture  what the page looks at
    POST /stop, /abort, /order   with the token only; an order's body is its words

What has not changed is answered by 304. Whoever sends nonsense gets a line of words.
"""

import contextlib
import http.server
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from live_smlm.core import InputError
from live_smlm.view import news
from live_smlm.view.inbox import Inbox
from live_smlm.view.link import Control, Join
from live_smlm.view.web import asked, page
from live_smlm.view.web.gallery import BusyError, Gallery
from live_smlm.view.web.guest import Guard
from live_smlm.view.web.report import report, tag_of

MOST_CONNECTIONS = 32
_MOST_BODY = 1024
_SILENCE_S = 20.0
"""A connection that says or takes nothing for so long is closed."""
_SOON_S = "1"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_WORDS = "text/plain; charset=utf-8"
_WHY = "asked in a browser"
_COMMANDS: dict[str, Callable[[Control, str], str | None]] = {
    "/stop": lambda run, _: run.stop(_WHY),
    "/abort": lambda run, _: run.abort(_WHY),
    "/order": lambda run, words: run.order("order", words),
}


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "Server"
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "live-smlm", ""
    timeout = _SILENCE_S
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a question."""
        self._answer(self._shown)

    def do_POST(self) -> None:
        """Obey, or say why not."""
        self._answer(self._commanded)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Say nothing: pages ask several times a second."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses, in a line of words."""
        del explain
        status = HTTPStatus(code)
        nonsense = status in {HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}
        self.close_connection = True
        self.request_version = self.protocol_version  # of nonsense none is known
        self._say(HTTPStatus.BAD_REQUEST if nonsense else status, message or status.phrase)

    def _answer(self, answer: Callable[[str, str], None]) -> None:
        """Let in who may come, and turn what goes wrong into words."""
        try:
            why = self.server.guard.stranger(self.headers.get("Host"))
            if why is not None:
                self._say(HTTPStatus.FORBIDDEN, why)
                return
            try:
                parts = urlsplit(self.path)
            except ValueError as error:
                raise InputError(f"the address is not understood: {error}") from error
            answer(parts.path, parts.query)
        except InputError as error:
            self._say(HTTPStatus.BAD_REQUEST, str(error))
        except BusyError as error:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": _SOON_S})
        except OSError:
            self.close_connection = True  # the page has gone
        except Exception as error:  # noqa: BLE001 - told on both sides; the others watch on
            print(f"browser view: {error!r}", file=sys.stderr)  # noqa: T201 - the server's log
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, f"the server failed: {error!r}")

    def _shown(self, path: str, query: str) -> None:
        if path == "/":
            said = {"Content-Security-Policy": page.policy()}
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", page.whole(), said)
        elif path == "/state":
            told = report(self.server.inbox.news, control=bool(self.server.guard.token))
            self._send_new(tag_of(told), "application/json", told, {})
        elif path == "/picture":
            made = self.server.gallery.picture(asked.read(query))
            if made is None:
                self._send(HTTPStatus.NO_CONTENT, _WORDS, b"", {})
            else:
                self._send_new(made.tag, "image/png", made.png, {"X-Picture": made.about})
        else:
            self._say(HTTPStatus.NOT_FOUND, "there is nothing here; look at /")

    def _commanded(self, path: str, _query: str) -> None:
        words = self._read_body()
        if path not in _COMMANDS:
            known = " or ".join(_COMMANDS)
            self._say(HTTPStatus.NOT_FOUND, f"there is no such command; say {known}")
            return
        said = self.headers
        why = self.server.guard.refusal(said.get("Host"), said.get("Origin"), said.get("X-Token"))
        if why is not None:
            self._say(HTTPStatus.FORBIDDEN, why)
            return
        control = self.server.control
        refused = _COMMANDS[path](control, words)
        status = HTTPStatus.OK if refused is None else HTTPStatus.CONFLICT
        self._say(status, refused or "the run has heard it")

    def _read_body(self) -> str:
        """The words of a command; read in any case, so that the next request is found."""
        said = self.headers.get("Content-Length", "0")
        if not (said.isascii() and said.isdigit() and len(said) < 10 and int(said) <= _MOST_BODY):
            self.close_connection = True
            raise InputError(f"a command's body has {said[:20]!r} bytes; give up to {_MOST_BODY}")
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise InputError("a command's body comes in pieces; send it whole, or none")
        return self.rfile.read(int(said)).decode(errors="replace")

    def _send_new(self, tag: str, kind: str, body: bytes, more: dict[str, str]) -> None:
        said = {**more, "ETag": f'"{tag}"'}
        if self.headers.get("If-None-Match") == said["ETag"]:
            self._send(HTTPStatus.NOT_MODIFIED, kind, b"", said)
        else:
            self._send(HTTPStatus.OK, kind, body, said)

    def _say(self, status: HTTPStatus, words: str, more: dict[str, str] | None = None) -> None:
        printable = "".join(c if c.isprintable() else " " for c in words)
        self._send(status, _WORDS, f"{printable}\n".encode(errors="replace"), more or {})

    def _send(self, status: HTTPStatus, kind: str, body: bytes, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **more, "Content-Type": kind}.items():
            self.send_header(name, value)
        if status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if getattr(self, "command", "") != "HEAD":
            self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    """Answers pages while it is served."""

    daemon_threads = False
    request_queue_size = 16

    def __init__(self, host: str, port: int, inbox: Inbox, control: Control, guard: Guard) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.inbox, self.control, self.guard = inbox, control, guard
        self.gallery = Gallery(inbox)
        self._open: set[socket.socket] = set()
        self._counting = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without asking anybody for this machine's name, as the base does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    @property
    def url(self) -> str:
        """What to open in a browser."""
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        token = f"#{self.guard.token}" if self.guard.token else ""
        return f"http://{host}:{self.server_port}/{token}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give it a thread, while there are not too many."""
        with self._counting:
            full = len(self._open) >= MOST_CONNECTIONS
            if not full:
                self._open.add(request)
        if full:
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It is over."""
        with self._counting:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is no news."""

    def server_close(self) -> None:
        """Close all connections, and wait for their threads."""
        with self._counting:
            for request in self._open:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)
        super().server_close()


@contextlib.contextmanager
def serving(join: Join, run: str, host: str, port: int, guard: Guard) -> Iterator[Server]:
    """Follow a run and answer pages while this is open; port 0 is any that is free."""
    inbox = Inbox(news.joining(run))
    with join(inbox) as control:
        try:
            server = Server(host, port, inbox, control, guard)
        except OSError as error:
            raise InputError(
                f"port {port} of {host} cannot be had ({error.strerror or error}); choose another"
            ) from error
        with server:
            thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="web")
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()
