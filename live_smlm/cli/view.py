"""`live-smlm view`: the window, on a run that goes on, on one that has ended, or before one."""

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from live_smlm.cli import usual
from live_smlm.cli.replay import replayed
from live_smlm.config import RunConfig, read_config
from live_smlm.core import require
from live_smlm.session import doors
from live_smlm.store import log
from live_smlm.transport.endpoints import Keys, read_keys
from live_smlm.view.follow import Sink, following
from live_smlm.view.launch import MODULE
from live_smlm.view.link import Control, Join

COMMAND = (sys.executable, *MODULE)
"""This program, from the same installation."""
_SAID = "window.log"
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")


def view(
    file: Annotated[
        Path | None, typer.Argument(help="TOML configuration of a new run, to fill the form")
    ] = None,
    *,
    connect: Annotated[
        str | None, typer.Option(help="Folder of a run, or tcp://host:port of its status stream")
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="Folder of keys")] = None,
) -> None:
    """Open the window: on a run, or with the settings of a new one."""
    require(file is None or connect is None, "say a configuration or --connect, not both")
    pair = None if keys is None else read_keys(keys, "worker")
    form: RunConfig | None = None if file is None else read_config(file, {})

    def find(where: str) -> Join:
        return joining(where, pair)

    if connect is not None:
        find(connect)  # refused before a window opens
    check_screen()
    from live_smlm.view import app  # noqa: PLC0415 - Qt is needed here only

    raise typer.Exit(app.show(find, connect, form=form, usual=usual.engine_for))


def check_screen() -> None:
    """Refuse where no window can open."""
    has_screen = sys.platform != "linux" or any(name in os.environ for name in _SCREENS)
    require(has_screen, f"there is no screen ({' and '.join(_SCREENS)} are unset); use watch")


def window_beside(folder: Path) -> None:
    """A window on the run of a folder, in a process that stays when the run has ended.

    What it prints goes into the folder: who waits for the run's last word shall not wait for it.
    """
    with (folder / _SAID).open("wb") as said:
        subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, "view", "--connect", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            process_group=0,  # the first Ctrl-C is the run's alone
        )


def joining(where: str, keys: Keys | None = None) -> Join:
    """How to join the run of a folder or address; one that has ended is read from its folder."""
    folder = Path(where)
    if "://" not in where and folder.is_dir() and not log.is_open(folder):

        def read(sink: Sink) -> AbstractContextManager[Control]:
            return replayed(folder, sink)

        return read
    found = doors.find(where)

    def follow(sink: Sink) -> AbstractContextManager[Control]:
        return following(found.status, sink, keys=keys, token=found.token)

    return follow
