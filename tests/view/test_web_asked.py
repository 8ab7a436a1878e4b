"""What a page may ask for, who may ask, and what it is told."""

import json
import math
from typing import Any

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.render import png
from live_smlm.render.accumulator import Mode
from live_smlm.render.colour import COLORMAPS
from live_smlm.testing.browser import pixels
from live_smlm.testing.told_run import STATE
from live_smlm.transport.viewing import Event
from live_smlm.view import news
from live_smlm.view.web import asked, page
from live_smlm.view.web.guest import Guard, is_loopback
from live_smlm.view.web.report import report, tag_of

USUAL = {
    "viewer": "0123456789abcdef",
    "rows": "600",
    "columns": "800",
    "y": "-12.5",
    "x": "100",
    "nm": "16",
    "mode": "gaussian",
    "by": "time",
    "map": "magma",
    "contrast": "",
}


def query(**changes: str | None) -> str:
    told = {**USUAL, **changes}
    return "&".join(f"{name}={value}" for name, value in told.items() if value is not None)


def test_a_picture_is_asked_for_in_words() -> None:
    said = asked.read(query())
    assert (said.viewer, said.viewport.shape) == ("0123456789abcdef", (600, 800))
    assert (said.viewport.origin_nm, said.viewport.pixel_nm) == ((-12.5, 100.0), 16.0)
    assert (said.taste.drawing.mode, said.taste.by) == (Mode.GAUSSIAN, "frame")
    assert (said.taste.value_map, said.taste.count_map) == ("magma", "inferno")
    assert said.taste.tone.fixed is None
    assert asked.read(query(contrast="20+to+5e3")).taste.tone.fixed == (20.0, 5000.0)
    assert asked.read(query(contrast="to+100")).taste.tone.fixed == (0.0, 100.0)


def test_a_large_screen_gets_coarser_pixels_of_the_same_place() -> None:
    view = asked.read(query(rows="8000", columns="16000", nm="2")).viewport
    assert asked.MOST_PIXELS * 0.99 < math.prod(view.shape) <= asked.MOST_PIXELS
    assert view.shape[0] * view.pixel_nm == pytest.approx(16_000, rel=1e-3)
    assert view.shape[1] * view.pixel_nm == pytest.approx(32_000, rel=1e-3)
    thin = asked.read(query(rows="1", columns="20000")).viewport
    assert thin.shape == (1, 20000)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("", "viewer is missing"),
        ("viewer", "not understood"),
        ("%ff=%ff&x=1", "not understood"),
        ("&".join(f"a{n}=1" for n in range(100)), "not understood"),
        (query(rows=None), "rows is missing"),
        (query() + "&x=1", "not understood"),
        (query(viewer="../../etc"), "viewer is '../../etc'"),
        (query(rows="0"), "rows is '0'; give 1 to"),
        (query(rows="-5"), "rows is '-5'"),
        (query(columns="99999999999999999999"), "columns is '9999"),
        (query(columns="\u0665"), "columns is"),
        (query(nm="nan"), "nm is 'nan'"),
        (query(nm="0"), "nm is '0'; give 0.25"),
        (query(x="1e999"), "x is '1e999'"),
        (query(y="here"), "y is 'here'"),
        (query(mode="cubism"), "mode is 'cubism'; give histogram"),
        (query(by="hearsay"), "by is 'hearsay'; give counts"),
        (query(map="jet"), "map is 'jet'; give grays"),
        (query(contrast="much"), "write such as 500 to 5000"),
        (query(contrast="50+to"), "contrast is '50 to'; give both ends"),
        (query(contrast="5+to+5"), "contrast is '5 to 5'; give both ends"),
        (query(contrast=None), "contrast is missing"),
    ],
)
def test_nonsense_is_refused_in_words(question: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        asked.read(question)


@pytest.mark.parametrize(
    ("host", "welcome"),
    [
        ("127.0.0.1:8080", True),
        ("localhost:8080", True),
        ("LOCALHOST", True),
        ("[::1]:8080", True),
        ("192.168.1.20:8080", True),
        ("microscope.lab:8080", True),
        ("evil.example:8080", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:8080", False),
        ("", False),
        (None, False),
        ("a b", False),
        ("127.0.0.1:8080@evil.example", False),
    ],
)
def test_names_that_others_point_at_us_are_strangers(host: str | None, welcome: bool) -> None:  # noqa: FBT001 - a case
    assert (Guard(named="microscope.lab").stranger(host) is None) is welcome


def test_commands_want_the_token_and_our_own_page() -> None:
    ours, guard = "127.0.0.1:8080", Guard("a-secret")
    assert guard.refusal(ours, f"http://{ours}", "a-secret") is None
    assert guard.refusal(ours, None, "a-secret") is None
    for token in (None, "", "a-secre", "a-secret ", "é"):
        assert "token is wrong" in (guard.refusal(ours, None, token) or "")
    assert "another site" in (guard.refusal(ours, "http://evil.example", "a-secret") or "")
    assert "another site" in (guard.refusal(ours, "null", "a-secret") or "")
    for token in (None, "", "a-secret"):
        assert "only shows" in (Guard().refusal(ours, None, token) or "")
    assert "a-secret" not in repr(guard)


def test_loopback_is_known() -> None:
    ours = ("127.0.0.1", "127.9.9.9", "::1", "localhost")
    assert all(map(is_loopback, ours))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "scope.lab")))  # noqa: S104


def told(**changes: Any) -> dict[str, Any]:
    run = news.with_state(news.joining("a-run"), {**STATE, **changes}, 10.0)
    run = news.with_event(run, Event("alarm", "the focus <drifts>", 12.0))
    return dict(json.loads(report(run, control=False)))


def test_a_page_is_told_numbers_alarms_events_and_charts() -> None:
    alarm = {"name": "width", "value": 1.3, "unit": "", "low": 0.9, "high": 1.1, "cure": "refocus"}
    series = {"frame": [60, 120, 180], "photons": [900.0, None, math.nan], "frc_nm": [None] * 3}
    trust = {"verdict": "alarm", "alarms": [alarm], "shadow": "ok"}
    said = told(trust=trust, series=series, frames_s=math.inf)
    assert (said["phase"], said["run"], said["field_nm"]) == ("running", "a-run", [12800, 12800])
    assert said["counts"] == {n: STATE[n] for n in news.COUNTS}
    assert (said["lag_ms"], said["frames_s"]) == (9.0, None)
    words = "width is 1.3, allowed at least 0.9 and at most 1.1: refocus"
    assert said["alarms"] == [{"words": words, "since_s": 10.0}]
    assert said["trust"] == {"grade": "alarm", "words": words}
    assert [said["events"][0][name] for name in ("what", "grade", "at_s")] == [
        "alarm",
        "alarm",
        12.0,
    ]
    assert [chart["name"] for chart in said["charts"]] == ["photons"]
    assert said["charts"][0]["values"] == [900.0, None, None]


def test_what_a_page_is_told_has_one_tag_until_it_changes() -> None:
    first, same = (report(news.joining("a"), control=False) for _ in range(2))
    assert tag_of(first) == tag_of(same) != tag_of(report(news.joining("b"), control=False))


def test_the_page_needs_nothing_from_elsewhere_and_runs_its_own_script_only() -> None:
    text = page.whole().decode()
    assert "<!-- style -->" not in text
    assert "<!-- script -->" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert "unsafe" not in page.policy()
    assert page.policy().count("'sha256-") == 2
    for name in COLORMAPS:
        assert f'"{name}"' in text


def test_a_picture_of_numbered_colours_is_read_by_others_as_it_was_made() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, 256, (17, 31), np.uint8)
    palette = rng.integers(0, 256, (256, 3), np.uint8)
    np.testing.assert_array_equal(pixels(png.indexed(numbers, palette)), palette[numbers])
    picture = palette[numbers]
    for quick in (False, True):
        np.testing.assert_array_equal(pixels(png.encoded(picture, quick=quick)), picture)
