"""One binary form for everything that crosses a process border: no pickle, one version.

A message is a list of parts: a JSON header (kind, plain values, a table of
arrays), then one part of raw bytes per array. Nothing is allocated on a
stranger's word: every array is a view of bytes that have arrived, and is
refused unless its table entry fits them. Meaning belongs to `messages`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from live_smlm.core import AnyArray

VERSION = 1
HEADER_BYTES = 1 << 20
ARRAYS = 128
DIMENSIONS = 4
DTYPES = frozenset({"|u1", "<u2", "<i2", "<i4", "<i8", "<u4", "<u8", "<f4", "<f8", "|b1", "|i1"})

Part: TypeAlias = bytes | memoryview
Plain: TypeAlias = Mapping[str, Any]


class MalformedError(ValueError):
    """Bytes that are no message of ours."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message before it has a meaning."""

    kind: str
    values: Plain = field(default_factory=dict)
    """What JSON can hold."""
    arrays: Mapping[str, AnyArray] = field(default_factory=dict)


def pack(envelope: Envelope) -> list[Part]:
    """The parts of a message; arrays are not copied unless they must be."""
    held = {name: _sendable(array) for name, array in envelope.arrays.items()}
    table = [[name, array.dtype.str, list(array.shape)] for name, array in held.items()]
    header = {
        "live-smlm": VERSION,
        "kind": envelope.kind,
        "values": envelope.values,
        "arrays": table,
    }
    parts: list[Part] = [json.dumps(header, separators=(",", ":")).encode()]
    parts += [array.reshape(-1).view(np.uint8).data for array in held.values()]
    return parts


def unpack(parts: Sequence[Part]) -> Envelope:
    """The message in these parts; arrays are read-only views of them."""
    header = _header(parts)
    table = header.get("arrays")
    if not isinstance(table, list) or len(table) != len(parts) - 1 or len(table) > ARRAYS:
        raise MalformedError(f"{len(parts) - 1} array parts do not match their table")
    arrays = dict(_array(entry, part) for entry, part in zip(table, parts[1:], strict=True))
    if len(arrays) != len(table):
        raise MalformedError("an array is named twice")
    kind, values = header.get("kind"), header.get("values")
    if not isinstance(kind, str) or not isinstance(values, dict):
        raise MalformedError("the header lacks kind or values")
    return Envelope(kind, values, arrays)


def _sendable(array: AnyArray) -> AnyArray:
    plain = np.ascontiguousarray(array)
    little = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    if little.dtype.str not in DTYPES:
        raise TypeError(f"arrays of {array.dtype} do not travel")
    return little


def _header(parts: Sequence[Part]) -> dict[str, Any]:
    if not parts or len(parts[0]) > HEADER_BYTES:
        raise MalformedError("there is no header, or it is too long")
    try:
        header = json.loads(bytes(parts[0]))
    except (ValueError, RecursionError) as error:
        raise MalformedError("the header is not JSON") from error
    if not isinstance(header, dict):
        raise MalformedError("the header is not an object")
    if header.get("live-smlm") != VERSION:
        raise MalformedError(
            f"message version {header.get('live-smlm')!r} is not {VERSION}; "
            "install the same live-smlm on both machines"
        )
    return header


def _array(entry: object, part: Part) -> tuple[str, AnyArray]:
    match entry:
        case [str(name), str(dtype), list(shape)] if dtype in DTYPES and _is_shape(shape):
            pass
        case _:
            raise MalformedError(f"array entry {str(entry)[:80]} cannot be used")
    wanted = np.dtype(dtype)
    count = 1
    for length in shape:
        count *= length
    if count * wanted.itemsize != len(part):
        raise MalformedError(f"array {name[:40]!r} has {len(part)} bytes, not what its shape says")
    try:
        array = np.frombuffer(part, wanted).reshape(shape)
    except ValueError as error:  # empty, but wider than anything can be
        raise MalformedError(f"array {name[:40]!r} cannot have the shape {shape}") from error
    array.flags.writeable = False
    return name, array


def _is_shape(shape: list[Any]) -> bool:
    return len(shape) <= DIMENSIONS and all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**40 for n in shape
    )
