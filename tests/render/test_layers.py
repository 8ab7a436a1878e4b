"""Whatever happens meanwhile, the picture shown in the end is the one drawn at once."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live_smlm.core import STILL, InputError, Localizations, drift_curve, from_columns
from live_smlm.render import chunks
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode
from live_smlm.render.choose import on_the_card
from live_smlm.render.filters import Filters
from live_smlm.render.layer import Picture, draw
from live_smlm.render.layers import Canvas
from live_smlm.render.look import Look, usual_mode
from live_smlm.render.painter import Painter
from live_smlm.render.store import MoleculeStore
from live_smlm.render.viewport import Rect, Viewport, covering
from live_smlm.testing.opengl import opengl

FINE = Viewport(shape=(80, 100), pixel_nm=5.0, origin_nm=(2000.0, 3000.0))
BESIDE = Viewport(shape=(80, 100), pixel_nm=5.0, origin_nm=(2100.0, 3050.0))
COARSE = Viewport(shape=(80, 100), pixel_nm=100.0, origin_nm=(-500.0, -500.0))
VIEWS = (FINE, BESIDE, COARSE)
DRIFT = drift_curve([0, 3000], [0, 300], [50, -80], [0, 100])
LOOKS = (
    Look(drawing=Drawing(mode=Mode.HISTOGRAM)),
    Look(by="z"),
    Look(drawing=Drawing(mode=Mode.GAUSSIAN, width_nm=15), by="precision", drift=DRIFT),
    Look(filters=Filters(photons=(1000, 4000)), by="frame"),
)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 500)
    monkeypatch.setattr("live_smlm.render.store._PIECE", 200)


def molecules(n: int, seed: int = 1, first: int = 0, widest: float = 95) -> Localizations:
    rng = np.random.default_rng(seed)
    columns = {
        "frame": np.arange(first, first + n),
        "x": rng.uniform(0, 8000, n),
        "y": rng.uniform(0, 6000, n),
        "z": rng.uniform(-400, 400, n),
        "photons": rng.uniform(100, 5000, n),
        "sigma_x": rng.uniform(5, widest, n),
        "sigma_y": rng.uniform(5, widest, n),
    }
    return from_columns(columns)


def at_once(found: Localizations, viewport: Viewport, look: Look) -> CpuAccumulator:
    """Without a store, chunks, layers and threads."""
    picture = CpuAccumulator(viewport, look.drawing, by=look.by)
    put = look.drift.corrected(found)
    assert put.sigma_x is not None
    assert put.sigma_y is not None
    short = {"sigma_x": put.sigma_x.astype(np.float16), "sigma_y": put.sigma_y.astype(np.float16)}
    put = put.with_columns(**short)
    picture.add(put.where(look.filters.passes(put)))
    return picture


def check(shown: Picture | None, found: Localizations, viewport: Viewport, look: Look) -> None:
    assert shown is not None
    assert (shown.viewport, shown.look, shown.molecules) == (viewport, look, len(found))
    truth = at_once(found, viewport, look)
    if viewport.pixel_nm < 20:
        np.testing.assert_allclose(shown.image, truth.image(), rtol=1e-3, atol=1e-5)
        if look.by is not None:
            assert shown.values is not None
            lit = shown.image > 1e-3
            np.testing.assert_allclose(shown.values[lit], truth.values()[lit], rtol=1e-3, atol=0.5)
    else:
        check_coarse(shown, truth.image())


def check_coarse(shown: Picture, truth: np.ndarray) -> None:
    """What was drawn in the field's pixels first: as much, and on average in the same place."""
    total = truth.sum(dtype=float)
    assert shown.image.sum(dtype=float) == pytest.approx(total, rel=2e-5)
    for axis in (0, 1):
        along = shown.viewport.pixel_nm * np.arange(truth.shape[1 - axis])
        ours, theirs = (along @ image.sum(axis, dtype=float) for image in (shown.image, truth))
        # Each within half a pixel of its place, which is 30 nm on average.
        assert abs(ours - theirs) < 5 * 30 * np.sqrt(total)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("viewport", [FINE, BESIDE])
def test_the_store_is_drawn_as_a_table_is(viewport: Viewport, look: Look) -> None:
    store, found = MoleculeStore(), molecules(3000, widest=400)
    store.add(found)
    check(draw(store, viewport, look), found, viewport, look)


_ACTS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from([1, 90, 450, 700])),
    st.tuples(st.just("look"), st.integers(0, len(LOOKS) - 1)),
    st.tuples(st.just("view"), st.integers(0, len(VIEWS) - 1)),
    st.tuples(st.just("step"), st.integers(1, 4)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(_ACTS, min_size=4, max_size=14))
def test_no_molecule_is_lost_or_drawn_twice(acts: list[tuple[str, int]]) -> None:
    store, look, viewport = MoleculeStore(), LOOKS[0], FINE
    painter = Painter(store, look)
    painter.ask(viewport=viewport)
    parts = [molecules(50)]
    store.add(parts[0])
    for act, number in acts:
        if act == "add":
            parts.append(molecules(number, seed=number, first=sum(map(len, parts))))
            store.add(parts[-1])
        elif act == "look":
            look = LOOKS[number]
            painter.ask(look=look)
        elif act == "view":
            viewport = VIEWS[number]
            painter.ask(viewport=viewport)
        else:
            for _ in range(number):
                painter.step(0.0)
    settle(painter)
    found = _joined(parts)
    check(painter.picture(), found, viewport, look)
    overview = painter.overview()
    assert (overview.look, overview.molecules) == (look, len(found))
    truth = at_once(found, overview.viewport, look).image().sum(dtype=float)
    assert overview.image.sum(dtype=float) == pytest.approx(truth, rel=2e-5)


def settle(painter: Painter) -> None:
    while painter.step(0.0) < np.inf:
        pass


def _joined(parts: list[Localizations]) -> Localizations:
    names = parts[0].columns()
    return from_columns({n: np.concatenate([p.columns()[n] for p in parts]) for n in names})


CURVES = tuple(
    drift_curve([0, 900, 3000], [100 * n, 90 * n + 40, 0], [50, 9, 0], [0, 9 * n, 99])
    for n in range(4)
)
_WANDERS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from([1, 90, 450])),
    st.tuples(st.just("drift"), st.integers(0, len(CURVES) - 1)),
    st.tuples(st.just("view"), st.integers(0, len(VIEWS) - 1)),
    st.tuples(st.just("step"), st.integers(1, 4)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(_WANDERS, min_size=4, max_size=16))
def test_whatever_becomes_known_of_the_drift_all_lie_right_in_the_end(
    acts: list[tuple[str, int]],
) -> None:
    store, look, viewport = MoleculeStore(), LOOKS[1], FINE
    parts = [molecules(600)]
    store.add(parts[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("live_smlm.render.redraw.LEAST_S", 0.0)
        patch.setattr("live_smlm.render.redraw.SHARE", 1.0)
        painter = Painter(store, look)
        painter.ask(viewport=viewport)
        for act, number in acts:
            if act == "add":
                parts.append(molecules(number, seed=number, first=sum(map(len, parts))))
                store.add(parts[-1])
            elif act == "drift":
                look = replace(look, drift=CURVES[number])
                painter.ask(look=look)
            elif act == "view":
                viewport = VIEWS[number]
                painter.ask(viewport=viewport)
            else:
                for _ in range(number):
                    painter.step(0.0)
        settle(painter)
    assert not painter.redrawing
    check(painter.picture(), _joined(parts), viewport, look)
    assert painter.overview().look == look


def test_new_molecules_are_drawn_by_the_newest_drift_before_the_old_ones_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("live_smlm.render.redraw.LEAST_S", 1e6)
    store, first = MoleculeStore(), molecules(2000)
    store.add(first)
    painter = Painter(store, replace(LOOKS[1], drift=CURVES[0]))
    painter.ask(viewport=FINE)
    _idle(painter)
    painter.ask(look=replace(LOOKS[1], drift=CURVES[1]))  # the first of all may come at once
    _idle(painter)
    check(painter.picture(), first, FINE, replace(LOOKS[1], drift=CURVES[1]))
    look = replace(LOOKS[1], drift=CURVES[3])
    painter.ask(look=look)
    later = molecules(1000, seed=9, first=2000)
    store.add(later)
    waits = _idle(painter)
    assert 1e5 < waits < np.inf
    shown = painter.picture()
    assert shown is not None
    early = at_once(first, FINE, replace(look, drift=CURVES[1])).image()
    np.testing.assert_allclose(
        shown.image, early + at_once(later, FINE, look).image(), rtol=2e-3, atol=1e-4
    )
    painter.ask(look=replace(look, drift=STILL))  # a switch is obeyed at once
    _idle(painter)
    check(painter.picture(), _joined([first, later]), FINE, replace(look, drift=STILL))


def _idle(painter: Painter) -> float:
    """Step until there is nothing to do for a while."""
    while (waits := painter.step(0.0)) < 10:
        pass
    return waits


def test_the_picture_before_stays_until_the_new_one_is_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("live_smlm.render.painter._PREVIEW_S", np.inf)
    store, found = MoleculeStore(), molecules(5000)
    store.add(found)
    painter = Painter(store, LOOKS[0])
    painter.ask(viewport=FINE)
    settle(painter)
    before = painter.picture()
    painter.ask(look=LOOKS[1], viewport=COARSE)
    steps = 0
    while painter.picture() is before:
        painter.step(0.0)
        steps += 1
    assert steps > 5
    check(painter.picture(), found, COARSE, LOOKS[1])
    assert before is not None
    check(before, found, FINE, LOOKS[0])


def test_a_window_that_takes_long_is_shown_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live_smlm.render.painter._PREVIEW_S", 0.0)
    monkeypatch.setattr("live_smlm.render.store._PIECE", 20)
    store, found = MoleculeStore(), molecules(5000)
    store.add(found)
    painter = Painter(store, LOOKS[1])
    painter.ask(viewport=FINE)
    painter.step(0.0)
    first = painter.picture()
    assert first is not None
    assert not first.complete
    assert 0 < first.molecules < len(found)
    check(first, found.where(slice(first.molecules)), FINE, LOOKS[1])
    settle(painter)
    last = painter.picture()
    assert last is not None
    assert last.complete
    check(last, found, FINE, LOOKS[1])


def test_a_view_that_moves_all_the_time_is_followed() -> None:
    store = MoleculeStore()
    store.add(molecules(20_000))
    painter = Painter(store, LOOKS[1])
    shown = set()
    for shift in range(60):
        painter.ask(viewport=replace(FINE, origin_nm=(2000.0 + shift, 3000.0)))
        painter.step(0.0)
        now = painter.picture()
        shown.add(None if now is None else now.viewport.origin_nm)
    assert len(shown) >= 2


def test_the_field_grows_and_gets_coarser_where_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live_smlm.render.layer.MOST_FIELD_PIXELS", 400 * 500)
    store = MoleculeStore()
    painter = Painter(store, LOOKS[0])
    one = from_columns({"frame": [0], "x": [4000.0], "y": [3000.0]})
    store.add(one)
    settle(painter)
    small = painter.overview().viewport
    assert small.pixel_nm == 20
    for x, y in ((4100.0, 3000.0), (-3000.0, 9000.0), (30_000.0, -20_000.0), (1e9, np.nan)):
        store.add(one.with_columns(x=np.array([x]), y=np.array([y])))
        settle(painter)
    large = painter.overview()
    assert large.image.sum() == 4
    assert large.viewport.pixel_nm == 160
    lit = np.argwhere(large.image) * 160.0 + large.viewport.origin_nm
    truth = np.array([(3000, 4000), (9000, -3000), (-20_000, 30_000)])
    for place in truth:
        assert np.abs(lit - place).max(axis=1).min() <= 160


def test_a_field_that_was_told_stays() -> None:
    store = MoleculeStore()
    painter = Painter(store, LOOKS[0], field=Rect(0, 0, 6000, 8000))
    store.add(from_columns({"frame": [0, 1], "x": [50.0, 9000.0], "y": [50.0, 9000.0]}))
    settle(painter)
    shown = painter.overview()
    assert shown.viewport == covering((6000, 8000), 20)
    assert shown.image.sum() == 1


def test_molecules_without_what_the_look_needs_are_not_drawn() -> None:
    bare = from_columns({"frame": [0], "x": [3100.0], "y": [2100.0]})
    store, full = MoleculeStore(), molecules(10)
    store.add(bare)
    assert draw(store, FINE, Look()).image.sum() == 0
    assert draw(store, FINE, LOOKS[0]).image.sum() == 1
    assert usual_mode(bare) is Mode.GAUSSIAN
    assert usual_mode(full) is Mode.PRECISION


def test_one_draws_while_others_add_and_look() -> None:
    parts = [molecules(300, seed=n, first=300 * n) for n in range(60)]
    with Canvas(LOOKS[0]) as canvas:
        halves = (parts[::2], parts[1::2])
        adders = [threading.Thread(target=_add_all, args=(canvas, half)) for half in halves]
        for adder in adders:
            adder.start()
        looks = 0
        while any(adder.is_alive() for adder in adders) or looks < 40:
            canvas.ask(look=LOOKS[looks % 4], viewport=VIEWS[looks % 3])
            canvas.picture()
            looks += 1
        for adder in adders:
            adder.join()
        canvas.ask(look=LOOKS[1], viewport=FINE)
        assert canvas.settle(30)
        check(canvas.picture(), _joined(parts), FINE, LOOKS[1])
        assert canvas.overview().molecules == len(canvas.store) == 300 * 60


def _add_all(canvas: Canvas, parts: list[Localizations]) -> None:
    for part in parts:
        canvas.add(part)


def test_a_graphics_card_draws_on_its_own_thread() -> None:
    found = molecules(3000)
    with opengl(), Canvas(LOOKS[1], make=on_the_card, own_thread=False) as canvas:
        canvas.add(found.where(slice(1000)))
        canvas.ask(viewport=FINE)
        assert canvas.settle(30)
        canvas.add(found.where(slice(1000, 3000)))
        assert canvas.settle(30)
        shown = canvas.picture()
        canvas.ask(viewport=COARSE)
        assert canvas.settle(30)
        check(canvas.picture(), found, COARSE, LOOKS[1])
    check(shown, found, FINE, LOOKS[1])
    with Canvas() as canvas, pytest.raises(InputError, match="draws on its own thread"):
        canvas.step(0.1)


def test_what_goes_wrong_while_drawing_is_told() -> None:
    def refuse(viewport: Viewport, drawing: Drawing, by: str | None) -> CpuAccumulator:
        raise InputError(f"no {drawing.mode} of {by} at {viewport.pixel_nm:g} nm; plant no faults")

    with Canvas(make=refuse) as canvas:
        canvas.ask(viewport=FINE)
        with pytest.raises(InputError, match="plant no faults"):
            canvas.settle(30)
        with pytest.raises(InputError, match="plant no faults"):
            canvas.picture()


def test_a_canvas_without_news_does_nothing() -> None:
    with Canvas(LOOKS[0]) as canvas:
        canvas.ask(viewport=FINE)
        assert canvas.settle(30)
        first = canvas.picture()
        assert canvas.settle(30)
        assert canvas.picture() is first
    with pytest.raises(InputError, match="choose one of channel, frame"):
        Look(by="colour")
