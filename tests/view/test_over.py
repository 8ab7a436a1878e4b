"""Pictures of engines lie over the molecules where and as they are wanted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from live_smlm.core import InputError, Reconstruction
from live_smlm.testing.screen import light, opened, seen, wait_for
from live_smlm.testing.told_run import STATE, ToldRun, lines
from live_smlm.view import over
from live_smlm.view.follow_layers import Layers
from live_smlm.view.news import News
from live_smlm.view.over import Over

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from live_smlm.view.window import Window

TOLD = {
    "adder": {"version": 1, "predicted": False, "channels": [""]},
    "dreamer": {"version": 3, "predicted": True, "channels": ["prediction", "error"]},
}


def square(channels: int = 2) -> Reconstruction:
    """The right half of the field shines, its edge brightest; in the second channel the lower."""
    image = np.zeros((channels, 64, 64), np.float32)
    image[0, :, 32:], image[0, :, 60:] = 2.0, 5.0
    image[-1, 48:] = 5.0
    return Reconstruction(
        image=image,
        pixel_size_nm=200.0,
        first_frame=0,
        last_frame=9,
        predicted=True,
        channels=("prediction", "error")[:channels],
    )


def test_a_viewer_fetches_what_is_looked_at_when_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("live_smlm.view.follow_layers.time.monotonic", lambda: now[0])
    layers = Layers()
    layers.heard(TOLD)
    assert layers.missing() is None
    layers.wanted = "dreamer"
    assert layers.missing() == "dreamer"
    layers.fetched("dreamer", 3)
    assert layers.lacking is None
    layers.heard({**TOLD, "dreamer": {"version": 4}})
    assert layers.lacking == "dreamer"
    assert layers.missing() is None  # not at once again
    now[0] += 1.1
    assert layers.missing() == "dreamer"
    layers.fetched("dreamer", 4)
    assert layers.lacking is None
    layers.ended = True  # there will be nobody to ask: all of them, at once
    assert layers.missing() == "adder"
    layers.fetched("adder", 1)
    assert layers.lacking is None
    layers.heard({**TOLD, "dreamer": {"version": 5}})
    layers.forgo("dreamer")
    assert layers.lacking is None
    layers.ended = False
    layers.heard("nonsense")
    layers.heard({"odd": 5, "dreamer": {"version": "x"}})
    assert layers.lacking is None


def test_choices_are_channels_and_predictions_are_called_so() -> None:
    news = News(numbers={"layers": TOLD})
    assert over.choices(news) == {
        "adder": Over("adder"),
        "dreamer: prediction": Over("dreamer", 0),
        "dreamer: error": Over("dreamer", 1),
    }
    assert over.choices(News()) == {}
    assert over.warning(Over("dreamer"), news) == "dreamer: prediction, not measured"
    assert over.warning(Over("dreamer", share=0.0), news) == ""
    assert over.warning(Over("adder"), news) == over.warning(Over(), news) == ""
    with pytest.raises(InputError, match=r"share of a layer is 1.2"):
        Over("adder", share=1.2)


def test_a_large_picture_is_drawn_coarsely_in_its_place() -> None:
    picture = Reconstruction(
        image=np.ones((1, 5000, 3000), np.float32),
        pixel_size_nm=10.0,
        origin_nm=(100.0, 200.0),
        first_frame=0,
        last_frame=0,
    )
    laid = over.laid(picture, Over("adder")).picture
    assert laid.image.shape == (2500, 1500)
    assert laid.viewport.pixel_nm == 20.0
    assert laid.viewport.origin_nm == (100.0, 200.0)
    assert laid.image.sum() == pytest.approx(5000 * 3000)


@pytest.fixture(scope="module")
def run() -> ToldRun:
    return ToldRun()


@pytest.fixture(scope="module")
def window(app: "QApplication", run: ToldRun) -> Iterator["Window"]:
    with opened(app, lambda _where: run.join) as made:
        run.molecules(lines(200))
        run.state(layers=TOLD)
        made.join("runs/a-run")
        wait_for(app, lambda: light(made) > 3990, "the picture is there")
        yield made


def test_a_picture_is_chosen_seen_marked_and_taken_away(
    window: "Window", run: ToldRun, app: "QApplication", drawn: list[str]
) -> None:
    panel, surface = window.beside.layers, window.stage.surface
    wait_for(app, lambda: panel.which.count() == 4, "all channels can be chosen")
    assert not panel.isHidden()
    plain = seen(surface).astype(int)
    panel.which.setCurrentText("dreamer: prediction")
    panel.share.setValue(100)
    assert run.shown == "dreamer"
    run.layer("dreamer", square())
    wait_for(app, lambda: blue_share(surface_of(window)) > 0.05, "it is seen")
    laid = seen(surface).astype(int)
    middle = laid.shape[1] // 2
    quiet = slice(laid.shape[0] // 4, laid.shape[0] // 2)  # between words and map
    right, left = laid[quiet, middle + 60 : -140], laid[quiet, 60 : middle - 60]
    assert right.mean() > 60
    assert right.mean() > 5 * left.mean()  # the molecules are not there any more
    assert window.stage.surface.glass.overlay.warning == "dreamer: prediction, not measured"
    wait_for(app, lambda: not panel.warning.isHidden(), "the panel says so, too")
    panel.which.setCurrentIndex(0)
    wait_for(app, lambda: blue_share(surface_of(window)) < 0.01, "it is gone")
    assert window.stage.surface.glass.overlay.warning == ""
    assert np.abs(seen(surface).astype(int) - plain).mean() < 3
    assert run.shown == ""
    assert not drawn


def test_with_half_its_light_both_are_seen(
    window: "Window", run: ToldRun, app: "QApplication"
) -> None:
    panel = window.beside.layers
    panel.which.setCurrentText("dreamer: prediction")
    panel.share.setValue(50)
    run.state(layers={**TOLD, "dreamer": {**TOLD["dreamer"], "version": 4}})
    run.layer("dreamer", square())
    wait_for(app, lambda: blue_share(surface_of(window)) > 0.05, "it is seen")
    half = seen(window.stage.surface).astype(int)
    quiet = half[half.shape[0] // 4 : half.shape[0] // 2, 60:-140]
    warm = (quiet[..., 0] > quiet[..., 2] + 20).any()
    assert warm  # molecules, in their own colours
    panel.which.setCurrentIndex(0)


def test_a_run_without_pictures_has_no_such_choice(
    window: "Window", run: ToldRun, app: "QApplication"
) -> None:
    run.state(**{**STATE, "layers": {}})
    wait_for(app, window.beside.layers.isHidden, "there is nothing to choose")


def surface_of(window: "Window") -> np.ndarray:
    return seen(window.stage.surface).astype(int)


def blue_share(shown: np.ndarray) -> float:
    """Share of the picture that has the colours of predictions."""
    return float(((shown[..., 2] > 60) & (shown[..., 2] > shown[..., 0] + 30)).mean())
