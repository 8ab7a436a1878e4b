"""Sockets with our settings: bounded, never lingering, keyed beyond loopback.

Every socket drops unsent messages when it closes, so that no exit hangs; who
must not lose a message waits for its answer first.
"""

import contextlib
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from live_smlm.core import InputError, require
from live_smlm.transport.codec import Envelope, MalformedError, Part, pack, unpack

QUEUE = 1000
"""Messages that a socket holds before it blocks."""
STREAM_QUEUE = 50
"""Messages that wait for a slow subscriber before some are dropped for it."""
HEARTBEAT_MS = (5_000, 20_000)
"""How often a peer is asked for a sign, and how long it may take: a pulled cable is noticed."""
LARGEST_MESSAGE = 1 << 30
_KEY_BYTES = 40
_DOMAIN = "live-smlm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """One side's CURVE keys, Z85 text."""

    folder: Path
    """Who has a public key in here may come in."""
    public: bytes
    secret: bytes
    server: bytes
    """The public key of the side that binds."""


def make_keys(folder: Path) -> None:
    """Write the keys of one hub and of its workers; existing ones are never overwritten."""
    require(not folder.exists(), f"{folder} exists; keys are never overwritten: name a new folder")
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    for name in ("hub", "worker"):
        zmq.auth.create_certificates(folder, name)
        (folder / f"{name}.key_secret").chmod(0o600)


def read_keys(folder: Path, name: str) -> Keys:
    """The keys of `hub` or `worker` from a folder that `make_keys` wrote."""
    try:
        public, secret = zmq.auth.load_certificate(folder / f"{name}.key_secret")
        server, _ = zmq.auth.load_certificate(folder / "hub.key")
    except (OSError, ValueError) as error:
        raise InputError(
            f"keys in {folder} cannot be read: {error}; make them with 'live-smlm keys {folder}'"
        ) from error
    if secret is None or len(secret) != _KEY_BYTES:
        raise InputError(f"{folder / name}.key_secret holds no secret key; make new keys")
    return Keys(folder=folder, public=public, secret=secret, server=server)


def is_loopback(address: str) -> bool:
    """Whether nobody beyond this machine can reach a `tcp://…` or `inproc://…` address."""
    parts = urlsplit(address)
    if parts.scheme == "inproc" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def check_address(address: str, keys: Keys | None, *, binds: bool) -> None:
    """Refuse what is no address, and doors that stand open to the network."""
    parts = urlsplit(address)
    try:
        valid = parts.scheme == "inproc" or (parts.scheme == "tcp" and parts.port is not None)
    except ValueError:
        valid = False
    require(
        valid or (binds and address.endswith(":*")),
        f"address {address!r} cannot be used; write tcp://host:port",
    )
    require(
        not binds or keys is not None or is_loopback(address),
        f"address {address!r} can be reached from other machines and needs keys; make them with "
        "'live-smlm keys FOLDER' and give --keys FOLDER, or listen on 127.0.0.1",
    )


@contextlib.contextmanager
def doorkeeper(context: "zmq.Context[zmq.Socket[bytes]]", keys: Keys | None) -> Iterator[None]:
    """While open, the context's keyed sockets admit only peers whose keys are in the folder."""
    if keys is None:
        yield
        return
    keeper = ThreadAuthenticator(context)
    keeper.start()
    try:
        keeper.configure_curve(domain=_DOMAIN, location=keys.folder)
        yield
    finally:
        keeper.stop()


@contextlib.contextmanager
def bound(
    context: "zmq.Context[zmq.Socket[bytes]]",
    kind: int,
    address: str,
    keys: Keys | None = None,
    *,
    largest: int = LARGEST_MESSAGE,
    queue: int | None = None,
) -> Iterator["zmq.Socket[bytes]"]:
    """A socket that listens; `socket.last_endpoint` tells a port left open as `:*`.

    Who sends a part of more than `largest` bytes is cut off; of what is sent to one
    peer, at most `queue` messages wait for it.
    """
    check_address(address, keys, binds=True)
    with _socket(context, kind) as socket:
        socket.maxmsgsize = largest
        socket.sndhwm = socket.sndhwm if queue is None else queue
        if keys is not None:
            socket.curve_secretkey = keys.secret
            socket.curve_publickey = keys.public
            socket.curve_server = True
            socket.zap_domain = _DOMAIN.encode()
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            raise InputError(
                f"address {address!r} cannot be listened on: {error}; choose another port"
            ) from error
        yield socket


@contextlib.contextmanager
def connected(
    context: "zmq.Context[zmq.Socket[bytes]]",
    kind: int,
    address: str,
    keys: Keys | None = None,
    identity: bytes | None = None,
) -> Iterator["zmq.Socket[bytes]"]:
    """A socket that reaches out; the other side need not be there yet."""
    check_address(address, keys, binds=False)
    with _socket(context, kind) as socket:
        if identity is not None:
            socket.identity = identity
        if keys is not None:
            socket.curve_secretkey = keys.secret
            socket.curve_publickey = keys.public
            socket.curve_serverkey = keys.server
        socket.connect(address)
        yield socket


@contextlib.contextmanager
def _socket(context: "zmq.Context[zmq.Socket[bytes]]", kind: int) -> Iterator["zmq.Socket[bytes]"]:
    socket = context.socket(kind)
    try:
        socket.linger = 0
        socket.sndhwm = STREAM_QUEUE if kind == zmq.PUB else QUEUE
        socket.rcvhwm = QUEUE
        socket.heartbeat_ivl, socket.heartbeat_timeout = HEARTBEAT_MS
        socket.maxmsgsize = LARGEST_MESSAGE
        if kind == zmq.ROUTER:
            socket.router_mandatory = True  # a peer that has gone is told, not passed over
        yield socket
    finally:
        socket.close()


def address_of(socket: "zmq.Socket[bytes]") -> str:
    """Where a bound socket listens, with the port that it was given."""
    return str(socket.getsockopt_string(zmq.LAST_ENDPOINT))


def send(
    socket: "zmq.Socket[bytes]", message: Envelope, to: Sequence[bytes] = (), *, wait: bool = True
) -> bool:
    """Send a message (to a peer, for a ROUTER); False if it could not be taken at once."""
    parts: list[Part] = [*to, *pack(message)]
    try:
        socket.send_multipart(parts, copy=True, flags=0 if wait else zmq.DONTWAIT)
    except (zmq.Again, zmq.ZMQError) as error:
        if isinstance(error, zmq.Again) or error.errno == zmq.EHOSTUNREACH:
            return False
        raise
    return True


def receive(socket: "zmq.Socket[bytes]") -> Envelope:
    """The next message; a socket of ours never gets one it must not trust the form of."""
    return unpack([frame.buffer for frame in socket.recv_multipart(copy=False)])


def receive_from(socket: "zmq.Socket[bytes]") -> tuple[bytes, Envelope | MalformedError]:
    """The next message of a ROUTER and who sent it; what is no message is told, not raised."""
    sender, *parts = socket.recv_multipart(copy=False)
    try:
        return sender.bytes, unpack([part.buffer for part in parts])
    except MalformedError as error:
        return sender.bytes, error
