"""`live-smlm web`: a page on this machine that watches a run; and the same beside a run."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated

import typer

from live_smlm.cli.view import COMMAND, joining
from live_smlm.cli.words import console
from live_smlm.config import RunConfig
from live_smlm.core import require
from live_smlm.transport.endpoints import read_keys
from live_smlm.view.web.guest import Guard, is_loopback
from live_smlm.view.web.server import serving

_LAST_WORD_S = 1.5
"""How long pages may still ask how the run ended."""
_PATIENCE_S = 10.0


def web(
    run: Annotated[str, typer.Argument(help="Folder of a run, or tcp://host:port of its stream")],
    *,
    port: Annotated[int, typer.Option(help="Of the page; 0: any that is free")] = 8080,
    host: Annotated[str, typer.Option(help="Address; others than loopback let others watch")] = (
        "127.0.0.1"
    ),
    control: Annotated[
        bool, typer.Option(help="Let the page stop the run, by a token in its address")
    ] = False,
    keys: Annotated[Path | None, typer.Option(help="Folder of keys")] = None,
    until_eof: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Show a run in the browser, until interrupted."""
    require(0 <= port <= 65535, f"port is {port}; give 0 to 65535")
    join = joining(run, None if keys is None else read_keys(keys, "worker"))
    guard = Guard(token=token_urlsafe(18) if control else "", named=host)
    with serving(join, Path(run).name, host, port, guard) as server:
        if not is_loopback(host):
            _say(f"warning: whoever reaches {host} can watch this run, and read what it is told")
        _say(f"watch in a browser: {server.url}")
        if until_eof:
            sys.stdin.buffer.read()
            time.sleep(_LAST_WORD_S)
        else:
            _until_interrupted()


def _until_interrupted() -> None:
    """An interrupt only sets a flag: raised wherever it comes, it may be lost in a finalizer."""
    over = threading.Event()
    before = signal.signal(signal.SIGINT, lambda _, __: over.set())
    try:
        over.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    raise KeyboardInterrupt


@contextmanager
def page_beside(folder: Path, chosen: RunConfig) -> Iterator[None]:
    """A page of a run in a process of its own, which ends with us; nothing without a port."""
    if chosen.web is None:
        yield
        return
    words = ["web", str(folder), "--port", str(chosen.web), "--host", chosen.web_host]
    words += ["--control"] if chosen.web_control else []
    words += [] if chosen.keys is None else ["--keys", chosen.keys]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *words, "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        process_group=0,  # the first Ctrl-C is the run's alone
    ) as page:
        try:
            yield
        finally:
            _end(page)


def _end(page: "subprocess.Popen[bytes]") -> None:
    assert page.stdin is not None  # noqa: S101 - it was asked for
    page.stdin.close()
    try:
        page.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        page.kill()


def _say(words: str) -> None:
    console.print(words, highlight=False, markup=False, soft_wrap=True)
