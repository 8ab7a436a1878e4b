"""`live-smlm worker` and `live-smlm keys`: engines on other machines, and who may come in."""

import itertools
import os
import socket
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from live_smlm.cli.words import Device, console
from live_smlm.core import require
from live_smlm.engines import registry
from live_smlm.fitting.shadow import open_shadow
from live_smlm.inference.tensorrt_gpu import cuda_missing
from live_smlm.pipeline.worker import Place, work
from live_smlm.session.device import AUTO, choose
from live_smlm.transport.endpoints import check_address, make_keys, read_keys

BETWEEN_RUNS_S = 2.0


def worker(
    *,
    connect: Annotated[str, typer.Option(help="Where the run listens: tcp://host:port")],
    lanes: Annotated[int, typer.Option(help="Engine lanes")] = 2,
    device: Device = None,
    keys: Annotated[Path | None, typer.Option(help="Folder of keys")] = None,
    once: Annotated[bool, typer.Option(help="End after one run instead of waiting")] = False,
) -> None:
    """Work for a run on another machine; wait for the next run when it ends."""
    pair = None if keys is None else read_keys(keys, "worker")
    check_address(connect, pair, binds=False)
    require(pair is not None, f"{connect} wants keys; give --keys FOLDER (live-smlm keys)")
    at, why = choose(device or AUTO, ("cpu", "cuda"))
    reason = None if at.kind == "cpu" else cuda_missing(at.index)
    require(reason is None, f"device is {at}, but {reason}")
    host = f"{socket.gethostname()}-{os.getpid()}".replace("/", "-")
    on = f"{at} ({why})" if why else f"{at}"
    console.print(f"worker {host}: {lanes} lanes for {connect}, computing on {on}")
    for run in itertools.count():
        place = Place(
            address=connect,
            name=f"{host}-{run}",
            lanes=lanes,
            sees_ring=False,
            keys=pair,
            device=at,
        )
        work(place, registry.chain, threading.Event(), open_shadow)
        if once:
            return
        time.sleep(BETWEEN_RUNS_S)


def keys(folder: Annotated[Path, typer.Argument(help="New folder for the keys")]) -> None:
    """Make the keys that a run and its remote workers need; copy the folder to each worker."""
    make_keys(folder)
    print(f"keys written to {folder}; give --keys {folder} to run and worker")  # noqa: T201 - the answer
