"""What a bench says of a graphics card, with software in the card's place."""

import pytest

from live_smlm.render.accumulator import Mode
from live_smlm.render.choose import ENVIRONMENT
from live_smlm.testing import card_frames


@pytest.fixture(autouse=True)
def _software_is_taken_for_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("EGL_PLATFORM", "surfaceless")
    monkeypatch.setenv(ENVIRONMENT, "card")


def test_every_picture_is_compared() -> None:
    rows = card_frames.compared(300)
    assert len(rows) == len(Mode) * 2 * 2
    assert all(row["ok"] for row in rows)
    assert {row["mode"] for row in rows} == set(Mode)


def test_a_picture_that_lacks_something_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from live_smlm.render.gpu import GpuAccumulator  # noqa: PLC0415 - heavy

    draw = GpuAccumulator._draw

    def all_but_one(card, x, y, sigma, amounts) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
        draw(card, x[1:], y[1:], None if sigma is None else sigma[1:], amounts[1:])

    monkeypatch.setattr(GpuAccumulator, "_draw", all_but_one)
    rows = card_frames.compared(300)
    assert not any(row["ok"] for row in rows if row["mode"] != Mode.DITHERED)


def test_frames_are_counted_and_not_black() -> None:
    row = card_frames.frames(0.2, 2e4, Mode.HISTOGRAM, panned=False)
    assert row["by"].endswith(" draws")
    assert row["frames_s"] > 0
    assert row["pictures_s"] > 0
    assert row["behind"] < 2e4
    assert row["brightest"] > 100
