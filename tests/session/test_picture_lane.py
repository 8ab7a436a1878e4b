"""The lane of pictures lives through whatever its engine does."""

from pathlib import Path

import numpy as np
import pytest

from live_smlm.core import CameraModel, Reconstruction
from live_smlm.engines import registry
from live_smlm.pipeline.picture_lane import LaneError, PictureLane
from live_smlm.session.crew import make_engines
from live_smlm.testing.distribution import lay_out
from live_smlm.transport.messages import Setup

ENGINE = """
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from live_smlm.core import EngineSpec, Reconstruction


@dataclass(frozen=True)
class Dreamer:
    opens: bool = True
    spec = EngineSpec(name="dreamer", consumes=Reconstruction, produces=Reconstruction)

    def unsupported(self, context):
        return None

    @contextmanager
    def open(self, context):
        if not self.opens:
            raise RuntimeError("the door is shut")
        yield dream


def dream(picture):
    how = ("well", "raises", "type", "nan", "crops", "dies", "hangs")[picture.first_frame]
    if how == "raises":
        raise ValueError("no dream today")
    if how == "type":
        return 5
    if how == "dies":
        os._exit(7)
    if how == "hangs":
        time.sleep(1000)
    image = 2 * picture.image
    if how == "nan":
        image[0, 0, 0] = np.nan
    return replace(picture, image=image[:, 1:] if how == "crops" else image)
"""
WELL, RAISES, TYPE, NAN, CROPS, DIES, HANGS = range(7)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay_out(tmp_path, "dreaming", ENGINE, {registry.GROUP: {"dreamer": "Dreamer"}})
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def lane(engine: str, patience_s: float = 60.0) -> PictureLane:
    camera = CameraModel(shape=(4, 6), pixel_size_nm=100.0)
    setup = Setup(engine=engine, fallback=None, camera=camera, psf=None, ring=None)
    return PictureLane(setup, make_engines, patience_s)


def picture(how: int) -> Reconstruction:
    image = np.ones((1, 4, 6), np.float32)
    return Reconstruction(image=image, pixel_size_nm=100.0, first_frame=how, last_frame=99)


def test_whatever_an_engine_does_the_next_picture_is_drawn(site: Path) -> None:
    assert site.is_dir()
    dreamer = lane("dreamer")
    with dreamer.open():
        for how, words in (
            (RAISES, "ValueError: no dream today"),
            (TYPE, "the engine gave int, not a Reconstruction"),
            (NAN, "a picture with 1 pixels that are no number"),
            (CROPS, "gave one of (0, 0, 300, 600) nm"),
            (DIES, "its process died with exit code 7"),
        ):
            with pytest.raises(LaneError) as refused:
                dreamer.ask(picture(how))
            assert words in str(refused.value)
        drawn = dreamer.ask(picture(WELL))
        assert drawn.predicted
        assert drawn.image.tolist() == [[[2.0] * 6] * 4]
        dreamer.patience_s = 0.5
        with pytest.raises(LaneError, match=r"no answer within 0.5 s and was ended"):
            dreamer.ask(picture(HANGS))


def test_an_engine_that_cannot_be_opened_is_told(site: Path) -> None:
    assert site.is_dir()
    shut = lane("dreamer:opens=no")
    with shut.open(), pytest.raises(LaneError, match="RuntimeError: the door is shut"):
        shut.ask(picture(WELL))


def test_who_does_not_wait_gets_nothing(site: Path) -> None:
    assert site.is_dir()
    dreamer = lane("dreamer")
    dreamer.waits = lambda: False
    with dreamer.open(), pytest.raises(LaneError, match="the run ended before"):
        dreamer.ask(picture(WELL))
