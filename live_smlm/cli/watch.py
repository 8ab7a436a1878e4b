"""`live-smlm watch ADDRESS`: what a running acquisition says."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import zmq

from live_smlm.cli.words import Json, trust_words
from live_smlm.core import InputError
from live_smlm.transport.codec import Envelope, MalformedError
from live_smlm.transport.endpoints import connected, read_keys, receive


def watch(
    address: Annotated[str, typer.Argument(help="The run's status stream, tcp://host:port")],
    *,
    keys: Annotated[Path | None, typer.Option(help="Folder of keys")] = None,
    seconds: Annotated[float, typer.Option(help="Leave after so long without a word")] = 10.0,
    once: Annotated[bool, typer.Option(help="Print one state and leave")] = False,
    as_json: Json = False,
) -> None:
    """Print state and events as they come."""
    pair = None if keys is None else read_keys(keys, "worker")
    heard = time.monotonic()
    with (
        zmq.Context() as context,
        connected(context, zmq.SUB, address, pair) as stream,
    ):
        stream.setsockopt(zmq.SUBSCRIBE, b"")
        while time.monotonic() - heard < seconds:
            if not stream.poll(100):
                continue
            try:
                message = receive(stream)
            except MalformedError:
                continue
            heard = time.monotonic()
            _show(message, as_json=as_json)
            if once and message.kind == "state":
                return
    raise InputError(f"{address} was silent for {seconds:g} s; is a run going on there?")


def _show(message: Envelope, *, as_json: bool) -> None:
    values: dict[str, Any] = {"kind": message.kind, **message.values}
    if message.kind == "localizations":
        values["molecules"] = len(message.arrays.get("x", ()))
    if as_json:
        print(json.dumps(values), flush=True)  # noqa: T201 - the command line speaks
        return
    if message.kind == "state":
        values["trust"] = trust_words(values["trust"])
    said = ", ".join(f"{name} {value}" for name, value in values.items() if name != "kind")
    print(f"{message.kind}: {said}", flush=True)  # noqa: T201 - as above
