"""The desk of a run as a viewer sees it: its address, and commands with their answers."""

import getpass
import os
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import zmq

from live_smlm.core import InputError
from live_smlm.transport.codec import MalformedError
from live_smlm.transport.endpoints import (
    Keys,
    check_address,
    connected,
    is_loopback,
    receive,
    send,
)
from live_smlm.transport.viewing import Command, command_message, text
from live_smlm.view.follow_layers import Layers

PATIENCE_MS = 3000
_ANYWHERE = {"0.0.0.0", "::", "*"}  # noqa: S104 - recognized, never bound


def seen_from(stream: str, desk: str) -> str | None:
    """The desk's address as seen from here, on the stream's host where it listens everywhere.

    None where it cannot be reached: on another machine's loopback, or as no address.
    """
    try:
        check_address(desk, None, binds=False)
    except InputError:
        return None
    if is_loopback(desk) and not is_loopback(stream):
        return None
    told = urlsplit(desk)
    if told.scheme != "tcp" or told.hostname not in _ANYWHERE:
        return desk
    host = urlsplit(stream).hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"tcp://{host}:{told.port}"


def myself() -> str:
    """Who speaks, for the run's record."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        name = "somebody"
    return f"{name}@{socket.gethostname()} ({os.getpid()})"


@dataclass(slots=True)
class Desk:
    """Control of the run; every method may be called from any thread while following."""

    context: "zmq.Context[zmq.Socket[bytes]]" = field(repr=False)
    keys: Keys | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    address: str = ""
    """Empty until the run has told it."""
    layers: Layers = field(default_factory=Layers)
    """What is followed of the run's pictures."""

    def learn(self, stream: str, told: str) -> None:
        """Take the address that the run tells on its stream."""
        self.address = seen_from(stream, told) or ""
        self.keys = None if is_loopback(told) else self.keys

    @property
    def in_control(self) -> bool:
        """Whether there is a token to show; only the run knows if it is the right one."""
        return bool(self.token)

    def show(self, layer: str) -> None:
        """Tell the sink of this picture from now on; of none where it is empty."""
        self.layers.wanted = layer

    def stop(self, reason: str) -> str | None:
        """Ask for the end: all that was captured is kept. Why not, in words, if refused.

        Returns when the run has answered, at the latest after `PATIENCE_MS`.
        """
        return self._command("stop", reason)

    def abort(self, reason: str) -> str | None:
        """Ask for the end now: frames that wait are given up. Why not, in words, if refused."""
        return self._command("abort", reason)

    def order(self, what: str, words: str) -> str | None:
        """Order `order`, `regions` or `laser`. Why not, in words, if refused."""
        return self._command(what, words)

    def _command(self, what: str, reason: str) -> str | None:
        if not self.address:
            return "the run has not told where its desk is; wait for its first word"
        message = command_message(
            Command(what=what, reason=reason, who=myself(), token=self.token), ask=0
        )
        with connected(self.context, zmq.DEALER, self.address, self.keys) as door:
            send(door, message, wait=False)
            if not door.poll(PATIENCE_MS):
                return f"the run did not answer within {PATIENCE_MS / 1000:g} s"
            try:
                answer = receive(door)
            except MalformedError as error:
                return f"the run's answer cannot be read: {error}"
        if answer.kind == "accepted":
            return None
        return text(answer.values.get("why", "refused without a reason"))
