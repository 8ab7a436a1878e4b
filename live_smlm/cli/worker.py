"""`live-smlm worker` and `live-smlm keys`: engines on other machines, and who may come in."""

import itertools
import os
import socket
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from live_smlm.cli.words import console
from live_smlm.core import require
from live_smlm.engines import registry
from live_smlm.pipeline.worker import Place, work
from live_smlm.transport.endpoints import check_address, make_keys, read_keys

BETWEEN_RUNS_S = 2.0


def worker(
    *,
    connect: Annotated[str, typer.Option(help="Where the run listens: tcp://host:port")],
    lanes: Annotated[int, typer.Option(help="Engine lanes")] = 2,
    keys: Annotated[Path | None, typer.Option(help="Folder of keys")] = None,
    once: Annotated[bool, typer.Option(help="End after one run instead of waiting")] = False,
) -> None:
    """Work for a run on another machine; wait for the next run when it ends."""
    pair = None if keys is None else read_keys(keys, "worker")
    check_address(connect, pair, binds=False)
    require(pair is not None, f"{connect} wants keys; give --keys FOLDER (live-smlm keys)")
    host = f"{socket.gethostname()}-{os.getpid()}".replace("/", "-")
    console.print(f"worker {host}: {lanes} lanes for {connect}")
    for run in itertools.count():
        place = Place(
            address=connect, name=f"{host}-{run}", lanes=lanes, sees_ring=False, keys=pair
        )
        work(place, registry.chain, threading.Event())
        if once:
            return
        time.sleep(BETWEEN_RUNS_S)


def keys(folder: Annotated[Path, typer.Argument(help="New folder for the keys")]) -> None:
    """Make the keys that a run and its remote workers need; copy the folder to each worker."""
    make_keys(folder)
    print(f"keys written to {folder}; give --keys {folder} to run and worker")  # noqa: T201 - the answer
