"""What goes in comes out; what is no message is refused and harms nobody."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from live_smlm.transport.codec import DTYPES, Envelope, MalformedError, Part, pack, unpack

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ARRAYS = st.dictionaries(
    st.text(max_size=8),
    st.sampled_from(sorted(DTYPES)).flatmap(
        lambda dtype: arrays_of.arrays(
            dtype, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0)
        )
    ),
    max_size=4,
)


@given(st.text(max_size=10), st.dictionaries(st.text(max_size=8), PLAIN, max_size=4), ARRAYS)
def test_messages_come_back_as_they_were(
    kind: str, values: dict[str, object], arrays: dict[str, np.ndarray]
) -> None:
    back = unpack([bytes(part) for part in pack(Envelope(kind, values, arrays))])
    assert (back.kind, back.values) == (kind, values)
    assert back.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(back.arrays[name], array)


def test_arrays_travel_without_a_copy() -> None:
    frame = np.arange(12, dtype=np.uint16).reshape(3, 4)
    part = pack(Envelope("x", {}, {"frame": frame}))[1]
    assert np.shares_memory(np.frombuffer(part, np.uint16), frame)
    assert not unpack([pack(Envelope("x"))[0]]).arrays


def test_big_endian_and_strided_arrays_are_made_plain() -> None:
    odd = np.arange(24, dtype=">u2").reshape(4, 6)[:, ::2]
    back = unpack(pack(Envelope("x", {}, {"odd": odd}))).arrays["odd"]
    np.testing.assert_array_equal(back, odd)


def test_objects_do_not_travel() -> None:
    with pytest.raises(TypeError, match="do not travel"):
        pack(Envelope("x", {}, {"o": np.array([object()])}))


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b""],
        [b"{"],
        [b"[]"],
        [b"[" * 100_000],
        [b'{"live-smlm":2,"kind":"x","values":{},"arrays":[]}'],
        [b'{"live-smlm":1,"kind":"x","values":{}}'],
        [b'{"live-smlm":1,"kind":3,"values":{},"arrays":[]}'],
        [b'{"live-smlm":1,"kind":"x","values":[],"arrays":[]}'],
        [b'{"live-smlm":1,"kind":"x","values":{},"arrays":[]}', b"more"],
        [b'{"live-smlm":1,"kind":"x","values":{},"arrays":[["a","<u2",[3]]]}', b"12345"],
        [b'{"live-smlm":1,"kind":"x","values":{},"arrays":[["a","|O",[1]]]}', b"12345678"],
        [b'{"live-smlm":1,"kind":"x","values":{},"arrays":[["a","<u2",[-1]]]}', b""],
        [b'{"live-smlm":1,"kind":"x","values":{},"arrays":[["a","<u2",[1099511627776,0]]]}', b""],
        [b'{"live-smlm":1,"kind":"x","values":{},"arrays":[["a","<u2",[true]]]}', b"12"],
        [
            b'{"live-smlm":1,"kind":"x","values":{},"arrays":[["a","<f4",[0,9e11,9e11]]]}'.replace(
                b"9e11", b"549755813888"
            ),
            b"",
        ],
        [
            b'{"live-smlm":1,"kind":"x","values":{},"arrays":[["a","<u2",[0]],["a","<u2",[0]]]}',
            b"",
            b"",
        ],
        [b'{"live-smlm":1,"kind":"' + b"x" * (1 << 20) + b'","values":{},"arrays":[]}'],
    ],
)
def test_what_is_no_message_is_refused(parts: list[Part]) -> None:
    with pytest.raises(MalformedError):
        unpack(parts)


def test_mutated_messages_are_read_or_refused_but_never_break() -> None:
    rng = random.Random(3)
    frame = np.arange(40, dtype=np.uint16).reshape(2, 4, 5)
    good = [bytes(p) for p in pack(Envelope("work", {"chunk": 5}, {"pixels": frame}))]
    refused = 0
    for _ in range(20_000):
        parts = [bytearray(part) for part in good]
        for _ in range(rng.randint(1, 4)):
            part = rng.choice(parts)
            if part:
                part[rng.randrange(len(part))] = rng.randrange(256)
        if rng.random() < 0.2:
            rng.choice(parts).append(7)
        try:
            unpack([bytes(part) for part in parts])
        except MalformedError:
            refused += 1
    assert refused > 1000
