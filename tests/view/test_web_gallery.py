"""Pictures for several pages: right, bounded, and only anew when something is new."""

import threading

import numpy as np
import pytest

from live_smlm.core import AnyArray, Localizations, from_columns
from live_smlm.testing.browser import pixels
from live_smlm.testing.told_run import FIELD_NM, STATE, lines
from live_smlm.view.inbox import Inbox
from live_smlm.view.taste import BY
from live_smlm.view.web import asked, gallery
from live_smlm.view.web.asked import Asked
from live_smlm.view.web.gallery import AWAY_S, MOST_VIEWERS, BusyError, Gallery, Print


def question(viewer: int = 1, nm: float = 64.0, x: float = 0.0, by: str = "counts") -> Asked:
    said = f"viewer={viewer:08x}&rows=200&columns=240&y=0&x={x}&nm={nm}&mode=histogram&by={by}"
    return asked.read(said + "&map=grays&contrast=")


def opened() -> tuple[Inbox, Gallery]:
    inbox = Inbox()
    made = Gallery(inbox)
    assert made.picture(question()) is None  # nothing is known of the run
    inbox.state(STATE)
    return inbox, made


def settled(made: Gallery, question: Asked) -> Print:
    """What is shown once nothing changes any more."""
    before = made.picture(question)
    for _ in range(200):
        now = made.picture(question)
        if now is not None and now is before and '"complete": true' in now.about:
            return now
        before = now
    raise AssertionError("it never settles")


def light(shown: Print) -> AnyArray:
    return np.asarray(pixels(shown.png).sum(axis=2))


def test_a_page_sees_molecules_where_they_are_and_zooms() -> None:
    inbox, made = opened()
    inbox.molecules(lines(200.0))
    wide = light(settled(made, question()))
    assert np.flatnonzero(wide.any(axis=0)).tolist() == [6000 // 64, 6200 // 64]
    near = settled(made, question(nm=2, x=5900))
    assert np.flatnonzero(light(near).any(axis=0)).tolist() == [50, 150]
    assert '"nm": 2.0' in near.about


def test_colours_tell_a_value_where_molecules_know_it() -> None:
    inbox, made = opened()
    inbox.molecules(lines(200.0))
    shown = settled(made, question(by="z"))
    assert '"by": "z", "mode": "histogram", "limits": [100.0, 300.0]' in shown.about
    plain: Localizations = from_columns({"frame": [0], "x": [100.0], "y": [100.0]})
    inbox, made = opened()
    inbox.molecules(plain)
    assert '"by": null' in settled(made, question(by="z")).about
    assert "z" in BY


def test_nothing_is_drawn_anew_until_something_is_new() -> None:
    inbox, made = opened()
    inbox.molecules(lines(200.0))
    first = settled(made, question())
    assert made.picture(question()) is first
    inbox.molecules(lines(1000.0))
    second = settled(made, question())
    assert second.tag != first.tag
    assert second.png != first.png


def test_pages_have_their_own_views_and_there_is_room_for_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    inbox = Inbox()
    made = Gallery(inbox, lambda: now[0])
    inbox.state(STATE)
    inbox.molecules(lines(200.0))
    for viewer in range(MOST_VIEWERS):
        settled(made, question(viewer, x=viewer * 1000.0))
    with pytest.raises(BusyError, match="pages watch this run already"):
        made.picture(question(99))
    assert '"x": 1000.0' in settled(made, question(1, x=1000.0)).about
    now[0] = AWAY_S + 1
    settled(made, question(99))  # the others have gone
    monkeypatch.setattr(gallery, "_PATIENCE_S", 0.01)
    made._places.acquire()
    made._places.acquire()
    with pytest.raises(BusyError, match="ask again"):
        made.picture(question(99))


def test_a_picture_that_takes_long_is_told_in_part_and_never_wrong() -> None:
    inbox, made = opened()
    rng, n = np.random.default_rng(2), 400_000
    columns = {"frame": np.arange(n), "x": rng.random(n) * FIELD_NM, "y": rng.random(n) * FIELD_NM}
    threads = [
        threading.Thread(target=made.picture, args=(question(viewer),)) for viewer in range(3)
    ]
    inbox.molecules(from_columns(columns))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert light(settled(made, question(1))).any()
    viewer = made._viewers["00000001"]
    assert viewer.newest is not None
    assert viewer.newest[0].image.sum() == pytest.approx(n)
