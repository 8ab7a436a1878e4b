"""`live-smlm watch RUN`: what a running acquisition says; and a word to it, from a script."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import zmq

from live_smlm.cli.words import Json, trust_words
from live_smlm.core import InputError, require
from live_smlm.session import doors
from live_smlm.session.audience import Doors
from live_smlm.store.run_folder import RUNS
from live_smlm.transport.codec import Envelope, MalformedError
from live_smlm.transport.endpoints import Keys, connected, read_keys, receive
from live_smlm.view.follow_desk import Desk

_UNSAID = {"kind", "series", "id", "quality"}
"""Not for people."""


def watch(
    run: Annotated[
        str | None,
        typer.Argument(help="Folder of the run, or tcp://host:port; otherwise the newest here"),
    ] = None,
    *,
    keys: Annotated[Path | None, typer.Option(help="Folder of keys")] = None,
    seconds: Annotated[float, typer.Option(help="Leave after so long without a word")] = 10.0,
    once: Annotated[bool, typer.Option(help="Print one state and leave")] = False,
    stop: Annotated[
        str | None, typer.Option(help="Stop the run instead, for this reason; all is kept")
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="To its stop rule: hold, release, 'extend 2 min', stop")
    ] = None,
    laser: Annotated[
        str | None, typer.Option(help="To its light: hold, release, 'set 2.5'")
    ] = None,
    abort: Annotated[str | None, typer.Option(help="End it at once, for this reason")] = None,
    as_json: Json = False,
) -> None:
    """Print state and events as they come, or say something to the run."""
    pair = None if keys is None else read_keys(keys, "worker")
    found = doors.find(run) if run is not None else _newest()
    said = {"stop": stop, "abort": abort, "order": order, "laser": laser}
    words = {what: reason for what, reason in said.items() if reason is not None}
    if words:
        _command(found, pair, words)
        return
    _listen(found.status, pair, seconds, once=once, as_json=as_json)


def _newest() -> Doors:
    running = doors.running()
    require(bool(running), f"no run is going on below {RUNS}; name its folder or its address")
    return doors.doors_of(running[-1])


def _command(found: Doors, keys: Keys | None, words: Mapping[str, str]) -> None:
    require(bool(found.token), "only with the run's folder can it be stopped; name the folder")
    require(len(words) == 1, f"{' and '.join(words)} cannot be said at once; say one")
    with zmq.Context() as context:
        desk = Desk(context, keys, found.token, found.desk)
        for what, reason in words.items():
            refused = desk.order(what, reason)
            require(refused is None, f"{found.desk} refused: {refused}")


def _listen(address: str, keys: Keys | None, seconds: float, *, once: bool, as_json: bool) -> None:
    heard = time.monotonic()
    with (
        zmq.Context() as context,
        connected(context, zmq.SUB, address, keys) as stream,
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
            if message.kind == "state" and (once or message.values.get("finished")):
                return
    raise InputError(f"{address} was silent for {seconds:g} s; is a run going on there?")


def _show(message: Envelope, *, as_json: bool) -> None:
    values: dict[str, Any] = {"kind": message.kind, **message.values}
    if message.kind in {"localizations", "frame"}:
        values["molecules"] = len(message.arrays.get("x", ()))
    if as_json:
        print(json.dumps(values), flush=True)  # noqa: T201 - the command line speaks
        return
    if message.kind in {"frame", "drift"}:
        return
    if message.kind == "state":
        values["trust"] = trust_words(values["trust"])
        decided = (values.get("quality") or {}).get("kind")
        values |= {} if decided is None else {"enough": decided}
    said = ", ".join(f"{name} {value}" for name, value in values.items() if name not in _UNSAID)
    print(f"{message.kind}: {said}", flush=True)  # noqa: T201 - as above
