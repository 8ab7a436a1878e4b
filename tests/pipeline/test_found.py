"""What an engine should not have given is refused on its lane, by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from live_smlm.core import FrameBatch, Localizations, Reconstruction, from_columns
from live_smlm.pipeline.found import checked, prediction

FRAMES = FrameBatch(np.zeros((4, 8, 8), np.uint16), np.arange(10, 14), np.zeros(4), (1, 1))


def molecules(**columns: Any) -> Localizations:
    return from_columns({"frame": [11, 12], "x": [1.0, 2.0], "y": [3.0, 4.0], **columns})


def picture(image: Any, **changes: Any) -> Reconstruction:
    told: Mapping[str, Any] = {"pixel_size_nm": 10.0, "first_frame": 11, "last_frame": 12}
    return Reconstruction(image=np.asarray(image, np.float32), **{**told, **changes})


def test_molecules_and_pictures_pass() -> None:
    found = molecules(sigma_x=[1.0, np.nan])  # not every engine knows every error
    assert checked(found, FRAMES) == (found, None)
    drawn = picture(np.ones((1, 2, 2)), molecules=found)
    assert checked(drawn, FRAMES) == (found, drawn)
    alone, image = checked(picture(np.ones((1, 2, 2))), FRAMES)
    assert len(alone) == 0
    assert image is not None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([1, 2], "gave list, neither Localizations nor"),
        (None, "gave NoneType"),
        (molecules(x=[np.nan, 1.0]), "1 of 2 molecules whose x is no number"),
        (molecules(z=[0.0, np.inf]), "1 of 2 molecules whose z is no number"),
        (molecules(frame=[11, 13]), "molecules of frame 13, which it was not"),
        (picture([[[0.0, np.nan]]]), "a picture with 1 pixels that are no number"),
        (picture([[[0.0]]], molecules=[1]), "holds list for molecules"),
        (picture([[[0.0]]], molecules=molecules(frame=[10, 11])), "molecules of frame 10"),
    ],
)
def test_anything_else_is_named(found: object, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        checked(found, FRAMES)


def test_a_prediction_is_marked_as_one_and_covers_what_was_asked() -> None:
    asked = picture(np.zeros((1, 4, 6)))
    finer = picture(np.ones((2, 8, 12)), pixel_size_nm=5.0, channels=("prediction", "error"))
    assert prediction(finer, asked).predicted
    assert prediction(picture(np.zeros((1, 4, 6)), molecules=molecules()), asked).molecules is None
    for wrong in (picture(np.ones((1, 4, 5))), picture(np.ones((1, 4, 6)), origin_nm=(5.0, 0.0))):
        with pytest.raises(ValueError, match=r"asked for a picture of \(0, 0, 40, 60\) nm"):
            prediction(wrong, asked)
    with pytest.raises(TypeError, match="gave Localizations, not a Reconstruction"):
        prediction(molecules(), asked)
