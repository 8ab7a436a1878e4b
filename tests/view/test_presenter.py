"""What a window shows of a run, without a window."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from live_smlm.core import Localizations, drift_curve, empty, from_columns
from live_smlm.render.filters import Filters
from live_smlm.render.store import MoleculeStore
from live_smlm.testing.told_run import FIELD_NM, ToldRun, lines
from live_smlm.view.hand import Hand
from live_smlm.view.news import Phase
from live_smlm.view.presenter import Fresh, Presenter


@pytest.fixture
def run() -> ToldRun:
    return ToldRun()


@pytest.fixture
def presenter(run: ToldRun) -> Iterator[Presenter]:
    made = Presenter()
    made.resized((400, 500), 1.0)
    made.join(run.join, "a-run")
    yield made
    made.leave()


def until(presenter: Presenter, there: Callable[[], bool]) -> Fresh:
    """Tick until something is so; all that was new meanwhile."""
    seen, deadline = Fresh(), time.monotonic() + 20
    while True:
        fresh = presenter.tick()
        for name in Fresh.__slots__:
            if getattr(fresh, name) is not None:
                setattr(seen, name, getattr(fresh, name))
        if there():
            return seen
        assert time.monotonic() < deadline
        time.sleep(0.005)


def light(presenter: Presenter) -> float:
    return 0.0 if presenter.near is None else float(presenter.near.image.sum())


def test_molecules_that_come_before_the_first_state_are_seen_too(
    presenter: Presenter, run: ToldRun
) -> None:
    run.molecules(lines(200))
    time.sleep(0.05)
    assert presenter.tick().near is None
    run.state()
    run.molecules(lines(200))
    seen = until(presenter, lambda: light(presenter) > 7990)
    assert light(presenter) == pytest.approx(8000, rel=1e-3)
    assert seen.far is not None
    assert seen.news is not None
    assert seen.news.phase is Phase.RUNNING


def test_nothing_is_new_when_nothing_happened(presenter: Presenter, run: ToldRun) -> None:
    run.molecules(lines(200))
    run.state()
    until(presenter, lambda: light(presenter) > 3990)
    deadline = time.monotonic() + 20
    while presenter.tick():  # the map of the whole field comes a little later
        assert time.monotonic() < deadline
        time.sleep(0.6)
    assert not presenter.tick()


def test_two_lines_200_nm_apart_are_measured_so_after_zooming_in(
    presenter: Presenter, run: ToldRun
) -> None:
    run.molecules(lines(200))
    run.state()
    until(presenter, lambda: light(presenter) > 3990)
    presenter.steer(lambda hand: replace(hand, sight=hand.sight.over((6000, 5900), (6300, 6300))))
    until(presenter, lambda: presenter.near is not None and presenter.near.viewport.pixel_nm < 1)
    assert presenter.near is not None
    sums = presenter.near.image.sum(axis=0, dtype=np.float64)
    grid = presenter.near.viewport
    x = grid.origin_nm[1] + (np.arange(len(sums)) + 0.5) * grid.pixel_nm
    means = [float(np.average(x[side], weights=sums[side])) for side in (x < 6100, x > 6100)]
    assert means[1] - means[0] == pytest.approx(200, abs=0.5)
    assert means[0] == pytest.approx(6000, abs=0.5)


def test_colours_and_filters_are_drawn_as_chosen(presenter: Presenter, run: ToldRun) -> None:
    run.molecules(lines(200))
    run.state()
    until(presenter, lambda: light(presenter) > 3990)
    presenter.choose(replace(presenter.taste, by="z"))
    until(
        presenter,
        lambda: presenter.shading is not None and presenter.shading.value_limits is not None,
    )
    assert presenter.shading is not None
    assert presenter.shading.value_limits == pytest.approx((100, 300), abs=1)
    presenter.choose(replace(presenter.taste, filters=Filters(photons=(1000.0, np.inf))))
    until(presenter, lambda: abs(light(presenter) - 2000) < 2)


def test_a_value_that_is_unknown_is_said_and_the_picture_stays(
    presenter: Presenter, run: ToldRun
) -> None:
    plain = lines(200).columns()
    run.molecules(from_columns({name: plain[name] for name in ("frame", "x", "y")}))
    run.state()
    presenter.choose(replace(presenter.taste, by="z"))
    until(presenter, lambda: light(presenter) > 3900)
    assert "not all molecules tell z" in presenter.look[1]
    assert presenter.shading is not None
    assert presenter.shading.value_limits is None


def test_molecules_of_two_kinds_are_all_drawn_and_empty_chunks_tell_nothing(
    presenter: Presenter, run: ToldRun
) -> None:
    run.molecules(empty())
    run.molecules(lines(200))
    run.state()
    until(presenter, lambda: light(presenter) > 3990)
    assert presenter.look[1] == ""
    plain = lines(200).columns()
    run.molecules(from_columns({name: plain[name] for name in ("frame", "x", "y")}))
    until(presenter, lambda: light(presenter) > 7900)
    assert "drawn equally wide" in presenter.look[1]


def test_contrast_by_hand_starts_from_what_is_seen(presenter: Presenter, run: ToldRun) -> None:
    run.molecules(lines(200))
    run.state()
    until(presenter, lambda: light(presenter) > 3990 and presenter.shading is not None)
    assert presenter.shading is not None
    top = presenter.shading.limits[1]
    presenter.dim(2.0)
    presenter.tick()
    assert presenter.shading.limits[0] == 0
    assert presenter.shading.limits[1] == pytest.approx(2 * top)


def test_a_frame_is_shown_once_and_only_the_newest(presenter: Presenter, run: ToldRun) -> None:
    some = lines(200, count=8)
    for number in range(3):
        run.frame(number, some)
    run.state()
    seen = until(presenter, lambda: presenter.news.phase is Phase.RUNNING)
    assert seen.frame is not None
    assert seen.frame.number == 2
    assert presenter.tick().frame is None


def test_the_hand_is_there_once_the_field_is_known(presenter: Presenter, run: ToldRun) -> None:
    presenter.steer(Hand.fitted)
    assert presenter.hand is None
    run.state()
    until(presenter, lambda: presenter.hand is not None)
    assert presenter.hand is not None
    assert presenter.hand.sight.field_nm == (FIELD_NM, FIELD_NM)
    assert presenter.hand.sight.size == (400, 500)


def test_stop_is_asked_with_its_reason_and_a_refusal_is_told(
    presenter: Presenter, run: ToldRun
) -> None:
    assert presenter.link.in_control
    presenter.link.stop("enough")
    presenter.link.wait()
    assert run.asked == [("stop", "enough")]
    assert presenter.link.refusal() is None
    run.refusal = "the token is not this run's"
    presenter.link.abort("now")
    presenter.link.wait()
    assert presenter.link.refusal() == "the token is not this run's"
    assert presenter.link.refusal() is None


def test_leaving_forgets_the_run(presenter: Presenter, run: ToldRun) -> None:
    run.state()
    until(presenter, lambda: presenter.hand is not None)
    presenter.leave()
    assert presenter.news.phase is Phase.NONE
    assert presenter.hand is None
    assert not presenter.link.in_control


def test_drift_is_taken_off_once_the_run_tells_it_and_while_that_is_liked(
    presenter: Presenter, run: ToldRun
) -> None:
    run.molecules(lines(200))
    run.state()
    until(presenter, lambda: light(presenter) > 3990)
    curve = drift_curve([0, 1000], [1000, 1000], [0, 0])
    run.drift(curve)
    until(presenter, lambda: leftmost(presenter) == pytest.approx(5000, abs=60))
    kept = presenter.curve
    run.drift(drift_curve([0, 1000], [1000, 1000], [0, 0]))
    run.state(captured=1235)
    until(presenter, lambda: presenter.news.counts["captured"] == 1235)
    assert presenter.curve is kept  # told again for who comes late, it is no news
    assert light(presenter) == pytest.approx(4000, rel=1e-3)
    presenter.choose(replace(presenter.taste, drift=False))
    until(presenter, lambda: leftmost(presenter) == pytest.approx(6000, abs=60))


def leftmost(presenter: Presenter) -> float:
    """Where the left of the two lines is seen, nm."""
    assert presenter.near is not None
    grid = presenter.near.viewport
    columns = np.flatnonzero(presenter.near.image.sum(axis=0) > 1)
    return grid.origin_nm[1] + (float(columns[0]) + 0.5) * grid.pixel_nm


def test_a_window_does_not_wait_for_molecules_that_have_come_before(
    presenter: Presenter, run: ToldRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    let, threads = threading.Event(), set[str]()
    keep = MoleculeStore.add

    def slow(store: MoleculeStore, molecules: Localizations) -> None:
        threads.add(threading.current_thread().name)
        assert let.wait(20)
        keep(store, molecules)

    monkeypatch.setattr(MoleculeStore, "add", slow)
    for _ in range(3):
        run.molecules(lines(200))
    run.state()
    until(presenter, lambda: presenter.hand is not None)
    run.molecules(lines(200))
    let.set()
    until(presenter, lambda: light(presenter) > 15_990)
    assert light(presenter) == pytest.approx(16_000, rel=1e-3)
    assert threading.current_thread().name not in threads
