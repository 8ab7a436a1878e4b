"""Doors beyond loopback need keys, and only those who hold them come in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from live_smlm.core import InputError
from live_smlm.transport.codec import Envelope, MalformedError
from live_smlm.transport.endpoints import (
    Keys,
    bound,
    check_address,
    connected,
    doorkeeper,
    is_loopback,
    make_keys,
    read_keys,
    receive,
    receive_from,
    send,
)

ANYWHERE = "tcp://0.0.0.0:*"


@pytest.fixture
def context() -> Iterator["zmq.Context[Any]"]:
    with zmq.Context() as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("keys") / "keys"
    make_keys(made)
    return made


def port_of(socket: "zmq.Socket[bytes]") -> str:
    return socket.getsockopt_string(zmq.LAST_ENDPOINT).rsplit(":", 1)[1]


def test_messages_pass_on_loopback_without_keys(context: "zmq.Context[Any]") -> None:
    with (
        bound(context, zmq.ROUTER, "tcp://127.0.0.1:*") as router,
        connected(context, zmq.DEALER, f"tcp://127.0.0.1:{port_of(router)}", None, b"me") as dealer,
    ):
        send(dealer, Envelope("hello", {"n": 1}))
        assert router.poll(5000)
        assert receive_from(router) == (b"me", Envelope("hello", {"n": 1}))
        send(router, Envelope("welcome"), [b"me"])
        assert dealer.poll(5000)
        assert receive(dealer).kind == "welcome"


def test_what_is_no_message_is_told_with_its_sender(context: "zmq.Context[Any]") -> None:
    with (
        bound(context, zmq.ROUTER, "tcp://127.0.0.1:*") as router,
        connected(context, zmq.DEALER, f"tcp://127.0.0.1:{port_of(router)}", None, b"me") as dealer,
    ):
        dealer.send_multipart([b"garbage", b"more"])
        assert router.poll(5000)
        sender, problem = receive_from(router)
        assert sender == b"me"
        assert isinstance(problem, MalformedError)


@pytest.mark.parametrize(
    ("client", "comes_in"), [("worker", True), ("stranger", False), ("nothing", False)]
)
def test_only_holders_of_keys_come_in(
    context: "zmq.Context[Any]",
    folder: Path,
    tmp_path: Path,
    client: str,
    comes_in: bool,  # noqa: FBT001 - a case
) -> None:
    hub = read_keys(folder, "hub")
    make_keys(tmp_path / "strange")
    strange = read_keys(tmp_path / "strange", "worker")
    keys = {
        "worker": read_keys(folder, "worker"),
        "stranger": Keys(
            folder=folder, public=strange.public, secret=strange.secret, server=hub.public
        ),
        "nothing": None,
    }[client]
    with (
        doorkeeper(context, hub),
        bound(context, zmq.ROUTER, ANYWHERE, hub) as router,
        zmq.Context() as elsewhere,
        elsewhere.socket(zmq.DEALER) as dealer,
    ):
        dealer.linger = 0
        if keys is not None:
            dealer.curve_publickey, dealer.curve_secretkey = keys.public, keys.secret
            dealer.curve_serverkey = keys.server
        dealer.connect(f"tcp://127.0.0.1:{port_of(router)}")
        send(dealer, Envelope("hello"), wait=False)
        assert bool(router.poll(3000 if comes_in else 500)) == comes_in


def test_doors_beyond_loopback_need_keys(context: "zmq.Context[Any]") -> None:
    with (
        pytest.raises(InputError, match="can be reached from other machines and needs keys"),
        bound(context, zmq.ROUTER, ANYWHERE),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("tcp://127.0.0.1:5555", True),
        ("tcp://localhost:*", True),
        ("inproc://x", True),
        ("tcp://[::1]:5", True),
        ("tcp://0.0.0.0:5555", False),
        ("tcp://192.168.0.3:5555", False),
        ("tcp://lab-pc:5555", False),
        ("tcp://*:5555", False),
    ],
)
def test_loopback_is_told_from_the_rest(address: str, near: bool) -> None:  # noqa: FBT001 - a case
    assert is_loopback(address) == near


@pytest.mark.parametrize("address", ["", "lab-pc:5555", "tcp://lab-pc", "tcp://a:b", "ipc://x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="write tcp://host:port"):
        check_address(address, None, binds=False)


def test_a_port_in_use_is_named(context: "zmq.Context[Any]") -> None:
    with (
        bound(context, zmq.ROUTER, "tcp://127.0.0.1:*") as taken,
        pytest.raises(InputError, match="choose another port"),
        bound(context, zmq.ROUTER, f"tcp://127.0.0.1:{port_of(taken)}"),
    ):
        pass


def test_keys_are_private_and_never_overwritten(folder: Path, tmp_path: Path) -> None:
    assert (folder / "hub.key_secret").stat().st_mode & 0o077 == 0
    with pytest.raises(InputError, match="never overwritten"):
        make_keys(folder)
    with pytest.raises(InputError, match="make them with 'live-smlm keys"):
        read_keys(tmp_path, "hub")
