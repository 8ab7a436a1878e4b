"""What viewers and a run say to each other travels whole, or is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_smlm.core import InputError, Localizations, from_columns
from live_smlm.transport import viewing
from live_smlm.transport.codec import Envelope, MalformedError, pack, unpack
from live_smlm.transport.viewing import Command, Event, Happenings, LiveFrame, Span

READERS: tuple[tuple[str, Callable[[Envelope], Any]], ...] = (
    ("localizations", viewing.read_span),
    ("frame", viewing.read_frame),
    ("event", viewing.read_event),
    ("events", viewing.read_happenings),
    ("control", viewing.read_command),
)
FOUND = from_columns({"frame": [3, 4], "x": [1.0, 2.0], "y": [5.0, 6.0], "depth_nm": [7.0, 8.0]})


def travelled(message: Envelope) -> Envelope:
    return unpack(pack(message))


def assert_same(one: Localizations, other: Localizations) -> None:
    assert one.columns().keys() == other.columns().keys()
    for name, column in one.columns().items():
        np.testing.assert_array_equal(column, other.columns()[name])


def test_molecules_travel_with_what_they_answer_for() -> None:
    span = Span(first=3, stop=9, molecules=FOUND)
    back = viewing.read_span(travelled(viewing.span_message(span)))
    assert (back.first, back.stop) == (3, 9)
    assert_same(back.molecules, FOUND)
    answer = travelled(viewing.span_message(span, "history", ask=4))
    assert answer.values["ask"] == 4
    assert_same(viewing.read_span(answer, "history").molecules, FOUND)


def test_frames_travel_with_their_molecules() -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    frame = LiveFrame(number=7, pixels=pixels, binning=2, pixel_size_nm=216.0, molecules=FOUND)
    back = viewing.read_frame(travelled(viewing.frame_message(frame)))
    assert (back.number, back.binning, back.pixel_size_nm) == (7, 2, 216.0)
    np.testing.assert_array_equal(back.pixels, pixels)
    assert_same(back.molecules, FOUND)


def test_events_travel_by_number() -> None:
    event = Event("alarm", "width is 1.2", 1_763_700_000.125)
    one = viewing.read_event(travelled(viewing.event_message(5, event)))
    assert (one.first, one.stop, one.events) == (5, 6, (event,))
    told = Happenings(first=5, events=(Event("a", "b", 0.5), Event("c", "d", 7.0)))
    assert viewing.read_happenings(travelled(viewing.happenings_message(told))) == told


@pytest.mark.parametrize("at_s", [None, "now", True, -1.0, float("inf"), float("nan")])
def test_an_event_without_a_time_is_refused(at_s: Any) -> None:
    said = {"number": 0, "what": "alarm", "detail": "", "at_s": at_s}
    with pytest.raises(MalformedError, match="seconds since 1970"):
        viewing.read_event(Envelope("event", said))


def test_commands_travel_in_one_line_of_bounded_length() -> None:
    long = "line\nbreak \x1b[31m" + "x" * 9000
    said = Command(what="stop", reason=long, who="me", token="hush")  # noqa: S106 - of a test
    back = viewing.read_command(travelled(viewing.command_message(said)))
    assert back.reason.startswith("line break [31mxx")
    assert len(back.reason) <= viewing.MOST_TEXT
    assert (back.what, back.who, back.token) == ("stop", "me", "hush")
    assert "hush" not in repr(back)


@pytest.mark.parametrize(
    ("shape", "dtype", "binning", "message"),
    [
        ((3,), np.uint16, 1, "give \\(rows, columns\\)"),
        ((3, 4), np.uint8, 1, "of uint16"),
        ((3, 4), np.uint16, 0, "binning is 0"),
    ],
)
def test_a_frame_that_is_none_is_refused(
    shape: tuple[int, ...], dtype: Any, binning: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        LiveFrame(
            number=0,
            pixels=np.zeros(shape, dtype),
            binning=binning,
            pixel_size_nm=1.0,
            molecules=FOUND,
        )


def test_a_span_that_runs_backwards_is_refused() -> None:
    with pytest.raises(InputError, match="span is 4 to 3"):
        Span(first=4, stop=3, molecules=FOUND)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
NAMES = ("first", "stop", "number", "binning", "pixel_size_nm", "events", "what", "at_s", "token")
ARRAYS = st.sampled_from(
    [np.zeros(2), np.zeros((2, 2)), np.zeros(3, np.int64), np.zeros((2, 2), np.uint16)]
)


@given(
    values=st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, PLAIN)),
    arrays=st.dictionaries(st.sampled_from(["frame", "x", "y", "/pixels", "odd"]), ARRAYS),
    reader=st.sampled_from(READERS),
)
def test_what_does_not_fit_is_malformed_and_nothing_else(
    values: dict[str, Any], arrays: dict[str, Any], reader: tuple[str, Callable[..., Any]]
) -> None:
    kind, read = reader
    try:
        read(Envelope(kind, values, arrays))
    except MalformedError:
        return
    if kind in {"localizations", "frame"}:
        assert {"frame", "x", "y"} <= set(arrays)


def test_a_number_that_is_too_large_is_malformed() -> None:
    values = {"number": 1, "binning": 1, "pixel_size_nm": 10**400}
    arrays = {**FOUND.columns(), "/pixels": np.zeros((2, 2), np.uint16)}
    with pytest.raises(MalformedError, match="frame cannot be read"):
        viewing.read_frame(Envelope("frame", values, arrays))


@pytest.mark.parametrize("reader", [read for _, read in READERS])
def test_another_kind_is_refused(reader: Callable[[Envelope], Any]) -> None:
    with pytest.raises(MalformedError, match="message is 'gossip'"):
        reader(Envelope("gossip"))
