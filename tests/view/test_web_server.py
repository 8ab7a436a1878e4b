"""The page's server: nonsense gets words, strangers nothing, commands want the token."""

import http.client
import json
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from live_smlm.core import InputError
from live_smlm.testing.told_run import ToldRun, lines
from live_smlm.view.news import Phase
from live_smlm.view.web import server as web_server
from live_smlm.view.web.guest import Guard
from live_smlm.view.web.server import Server, serving

TOKEN = "a-long-secret"  # noqa: S105 - of the test
PICTURE = (
    "/picture?viewer=00000000&rows=100&columns=120&y=0&x=0&nm=128"
    "&mode=histogram&by=counts&map=hot&contrast="
)


@contextmanager
def served(run: ToldRun, token: str = TOKEN) -> Iterator[Server]:
    with serving(run.join, "a-run", "127.0.0.1", 0, Guard(token)) as server:
        yield server


def asked(
    server: Server, path: str, method: str = "GET", words: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    try:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, words.encode() or None, headers=said)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def raw(server: Server, request: bytes) -> bytes:
    """All that comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as line:
        answer = b""
        try:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            while part := line.recv(2**16):
                answer += part
        except OSError:
            pass  # hung up on
        return answer


@pytest.fixture
def server() -> Iterator[Server]:
    run = ToldRun()
    run.state()
    run.molecules(lines(200.0))
    with served(run) as made:
        while made.inbox.news.phase is not Phase.RUNNING or not made.inbox.columns:
            pass
        yield made


def test_page_numbers_and_picture_are_answered_and_told_once(server: Server) -> None:
    status, headers, page = asked(server, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert b"<canvas" in page
    status, headers, told = asked(server, "/state")
    assert (status, json.loads(told)["counts"]["captured"]) == (200, 1234)
    assert asked(server, "/state", If_None_Match=headers["ETag"])[::2] == (304, b"")
    while (answer := asked(server, PICTURE))[0] == 204 or '"complete": false' in str(answer[1]):
        pass
    status, headers, picture = answer
    assert picture.startswith(b"\x89PNG")
    assert json.loads(headers["X-Picture"])["nm"] == 128.0
    assert asked(server, PICTURE, If_None_Match=headers["ETag"])[::2] == (304, b"")
    for _, headers, _ in (answer, asked(server, "/")):
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("path", "method", "status", "words"),
    [
        ("/nowhere", "GET", 404, "look at /"),
        ("/../../etc/passwd", "GET", 404, "look at /"),
        ("/picture", "GET", 400, "viewer is missing"),
        ("/picture?viewer=%00", "GET", 400, "rows is missing"),
        (PICTURE + "&x=1", "GET", 400, "not understood"),
        (PICTURE.replace("nm=128", "nm=1e-30"), "GET", 400, "nm is '1e-30'"),
        ("/", "PUT", 400, "Unsupported method"),
        ("/", "OPTIONS", 400, "Unsupported method"),
        ("/start", "POST", 404, "no such command"),
        ("/stop", "GET", 404, "look at /"),
    ],
)
def test_what_makes_no_sense_is_answered_in_words(
    server: Server, path: str, method: str, status: int, words: str
) -> None:
    answer = asked(server, path, method)
    assert answer[0] == status
    assert words in answer[2].decode()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1 and more\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
        b"POST /stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
        b"POST /stop HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_hung_up_on(
    server: Server, request_bytes: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = raw(server, request_bytes)
    if answer:  # who is hung up on in the middle of a long word may lose it
        assert answer.startswith(b"HTTP/1.1 4")
        assert b"Traceback" not in answer
    assert asked(server, "/state")[0] == 200
    assert capsys.readouterr() == ("", "")


def test_any_bytes_leave_the_server_well(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(7)
    usual = f"GET {PICTURE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    for _ in range(150):
        spoiled = bytearray(usual)
        for _ in range(dice.randrange(1, 12)):
            spoiled[dice.randrange(len(spoiled))] = dice.randrange(256)
        answer = raw(server, bytes(spoiled))
        assert b"500" not in answer[:16]
        assert b"Traceback" not in answer
    assert asked(server, "/state")[0] == 200
    assert capsys.readouterr() == ("", "")


def test_a_page_of_another_site_gets_nothing(server: Server) -> None:
    for path in ("/", "/state", PICTURE):
        status, _, words = asked(server, path, Host="evil.example:8080")
        assert (status, b"not a name of this server" in words) == (403, True)


def test_the_token_alone_stops_a_run() -> None:
    run = ToldRun()
    run.state()
    with served(run) as server:
        assert asked(server, "/stop", "POST")[0] == 403
        assert asked(server, "/stop", "POST", X_Token=TOKEN[:-1] + "s")[0] == 403
        foreign = {"X_Token": TOKEN, "Origin": "http://evil.example"}
        assert asked(server, "/stop", "POST", **foreign)[0] == 403
        assert run.asked == []
        assert asked(server, "/stop", "POST", X_Token=TOKEN)[0] == 200
        assert asked(server, "/abort", "POST", X_Token=TOKEN)[0] == 200
        assert asked(server, "/order", "POST", "hold", X_Token=TOKEN[:-1])[0] == 403
        assert asked(server, "/order", "POST", "extend 1 min", X_Token=TOKEN)[0] == 200
        run.refusal = "the run is over"
        status, _, words = asked(server, "/stop", "POST", X_Token=TOKEN)
        assert (status, words) == (409, b"the run is over\n")
        assert server.url.endswith(f"/#{TOKEN}")
    assert [what for what, _ in run.asked] == ["stop", "abort", "order", "stop"]
    assert run.asked[2] == ("order", "extend 1 min")
    with served(ToldRun(), token="") as server:
        assert asked(server, "/stop", "POST", X_Token="")[0] == 403
        assert "#" not in server.url


def test_before_the_first_word_there_is_no_picture() -> None:
    with served(ToldRun()) as server:
        assert asked(server, PICTURE)[0] == 204
        assert json.loads(asked(server, "/state")[2])["phase"] == "joining"


def test_of_very_many_connections_some_are_hung_up_on_and_room_comes_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_server, "MOST_CONNECTIONS", 3)
    address = ("127.0.0.1", server.server_port)
    idle = [socket.create_connection(address, timeout=20) for _ in range(5)]
    assert [line.recv(1) for line in idle[3:]] == [b"", b""]
    for line in idle:
        line.close()
    while True:
        try:
            assert asked(server, "/state")[0] == 200
        except (http.client.HTTPException, ConnectionError):
            continue
        break


def test_a_failure_of_ours_is_told_on_both_sides(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: Any) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(server.gallery, "picture", failing)
    status, _, words = asked(server, PICTURE)
    assert (status, b"ZeroDivisionError" in words) == (500, True)
    assert "ZeroDivisionError('ours')" in capsys.readouterr().err
    assert asked(server, "/state")[0] == 200


def test_a_port_that_is_taken_is_refused(server: Server) -> None:
    with (
        pytest.raises(InputError, match="cannot be had"),
        serving(ToldRun().join, "b", "127.0.0.1", server.server_port, Guard()),
    ):
        pass
