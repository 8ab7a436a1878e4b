"""Who may come in, and who may command: decided from a request's words alone."""

import hmac
import ipaddress
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one server."""

    token: str = field(default="", repr=False)
    """Empty: nobody may command."""
    named: str = ""
    """The name under which the server was told to be reachable."""

    def stranger(self, host: str | None) -> str | None:
        """Why a request for this host is none of ours, in words.

        A page of another site that points its own name at this machine is known by that
        name; numbers cannot be pointed anywhere.
        """
        found = _HOST.fullmatch(host or "")
        if found is None:
            return "the request does not say for which host it is"
        name = found["name"].strip("[]").lower()
        ours = {"localhost", self.named.lower(), socket.gethostname().lower()} - {""}
        if name in ours or _is_number(name):
            return None
        return f"{name[:80]} is not a name of this server; use its number, or localhost"

    def refusal(self, host: str | None, origin: str | None, token: str | None) -> str | None:
        """Why a command is not obeyed, in words."""
        if not self.token:
            return "this server only shows; start it with --control to command"
        if origin is not None and urlsplit(origin).netloc != host:
            return "the command comes from a page of another site"
        if not hmac.compare_digest((token or "").encode(), self.token.encode()):
            return "the token is wrong; open the address that the server printed"
        return None


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
