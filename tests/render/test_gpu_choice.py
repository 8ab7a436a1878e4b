"""Who draws is found out by trying, and said in words."""

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.render import choose
from live_smlm.render.accumulator import CpuAccumulator, Drawing
from live_smlm.render.painter import on_the_processor
from live_smlm.render.quick import QuickAccumulator
from live_smlm.render.viewport import Viewport
from live_smlm.testing.opengl import opengl

VIEW = Viewport(shape=(8, 8), pixel_nm=10.0)


def test_software_leaves_drawing_to_the_processor() -> None:
    with opengl():
        chosen = choose.choose()
    assert "llvmpipe" in chosen.why
    assert "software itself" in chosen.why
    assert isinstance(chosen.make(VIEW, Drawing(), None), QuickAccumulator)


def test_a_card_that_adds_floats_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_SOFTWARE", ())  # this renderer taken for a card
    with opengl() as accumulator:
        chosen = choose.choose()
        assert chosen.why.endswith(" draws")
        assert type(chosen.make(VIEW, Drawing(), None)).__name__ == "GpuAccumulator"
        monkeypatch.setattr("live_smlm.render.gpu.largest_side", lambda: 7)
        assert isinstance(chosen.make(VIEW, Drawing(), None), QuickAccumulator)
        with pytest.raises(InputError, match="this graphics card takes 7 a side"):
            accumulator(VIEW)


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    with opengl():
        monkeypatch.setenv(choose.ENVIRONMENT, "card")
        assert choose.choose().by_card
        monkeypatch.setenv(choose.ENVIRONMENT, "processor")
        chosen = choose.choose()
    assert not chosen.by_card
    assert chosen.why == "the processor draws: LIVE_SMLM_DRAWS says so"


def test_a_card_of_half_floats_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = {1: ("red", "r16f")}
    monkeypatch.setattr(choose, "_SOFTWARE", ())
    monkeypatch.setattr("live_smlm.render.gpu._FORMATS", halves)
    with opengl():
        chosen = choose.choose()
    # Beyond 2048 a half float does not feel one molecule more.
    assert chosen.why.endswith("adds 3000 molecules up to 2048")
    assert isinstance(chosen.make(VIEW, Drawing(), None), QuickAccumulator)


def test_a_card_that_cannot_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_SOFTWARE", ())
    monkeypatch.setattr("live_smlm.render.gpu._FORMATS", {})
    with opengl():
        chosen = choose.choose()
    assert "cannot add floats" in chosen.why
    assert isinstance(chosen.make(VIEW, Drawing(), None), QuickAccumulator)


def test_the_trial_looks_at_places_and_values() -> None:
    assert choose.trial(on_the_processor) == ""

    class Turned(CpuAccumulator):
        def sums(self) -> np.ndarray:
            return super().sums()[:, ::-1]

    turned = choose.trial(lambda view, drawing, by: Turned(view, drawing, by=by))
    assert turned == "adds 3000 molecules up to 3000, in another place"
