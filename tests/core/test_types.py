"""Frames, cut-outs, molecules and images are checked when they are made."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from live_smlm.core import (
    EngineSpec,
    FrameBatch,
    InputError,
    Localizations,
    Reconstruction,
    RoiBatch,
    concatenate,
    empty,
    from_columns,
)


def frames(n: int, **changes: Any) -> FrameBatch:
    given: dict[str, Any] = {
        "pixels": np.zeros((n, 3, 4), np.uint16),
        "index": np.arange(n),
        "time_s": np.zeros(n),
        **changes,
    }
    return FrameBatch(**given)


def test_core_is_what_lies_between_the_halos() -> None:
    batch = frames(6, halo=(1, 2))
    assert batch.index[batch.core].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixels": np.zeros((3, 4), np.uint16)}, "shape"),
        ({"pixels": np.zeros((3, 3, 4), np.float32)}, "float32; frames are uint8 or uint16"),
        ({"index": np.arange(2)}, "3 frames but 2 numbers"),
        ({"index": np.array([0, 2, 1])}, "do not rise"),
        ({"halo": (2, 2)}, "does not fit into 3 frames"),
        ({"halo": (-1, 0)}, "halo"),
    ],
)
def test_bad_frames_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        frames(3, **changes)


def test_bad_cutouts_are_refused() -> None:
    n = np.zeros(2, np.int64)
    corner = np.zeros(2, np.int32)
    with pytest.raises(InputError, match="square"):
        RoiBatch(np.zeros((2, 3, 4), np.float32), n, corner, corner)
    with pytest.raises(InputError, match="1 cut-outs but"):
        RoiBatch(np.zeros((1, 3, 3), np.float32), n, corner, corner)
    photons = np.zeros((2, 3, 3), np.float32)
    with pytest.raises(InputError, match="background"):
        RoiBatch(photons, n, corner, corner, photons[:, :2, :2])
    with pytest.raises(InputError, match="side is not"):
        RoiBatch(photons, n, corner, corner, side=photons[:1])
    with pytest.raises(InputError, match="'x' is measured by every engine"):
        RoiBatch(photons, n, corner, corner, columns={"x": n})
    with pytest.raises(InputError, match=r"'dye' has shape \(3,\) for 2 cut-outs"):
        RoiBatch(photons, n, corner, corner, columns={"dye": np.zeros(3)})


def cutouts() -> RoiBatch:
    corner, photons = np.arange(3, dtype=np.int32), np.arange(27, dtype=np.float32)
    known = {"channel": np.array([2, 0, 1], np.int16), "photons": np.full(3, 7.0)}
    return RoiBatch(
        photons.reshape(3, 3, 3), np.arange(3), corner, corner, side=np.ones((3, 2, 5), np.float32)
    ).with_columns(**known)


def test_cutouts_that_are_chosen_keep_all_that_is_theirs() -> None:
    some = cutouts().where(np.array([False, True, True]))
    assert some.frame.tolist() == [1, 2]
    assert some.columns["channel"].tolist() == [0, 1]
    assert some.side is not None
    assert some.side.shape == (2, 2, 5)
    assert some.background is None


def test_what_is_known_of_cutouts_goes_to_the_molecules_after_what_was_measured() -> None:
    kept = np.array([True, False, True])
    found = from_columns({"frame": [0, 2], "x": [1, 2], "y": [1, 2], "photons": [10, 20]})
    whole = cutouts().passed_on(found, kept)
    assert whole.axis("channel").tolist() == [2, 1]
    assert whole.axis("photons").tolist() == [10, 20]


def molecules(n: int, **more: Any) -> Localizations:
    return from_columns({"frame": range(n), "x": np.arange(n), "y": np.zeros(n), **more})


def test_absent_columns_are_none() -> None:
    found = molecules(2)
    assert found.z is None
    assert list(found.columns()) == ["frame", "x", "y"]
    with pytest.raises(InputError, match="no column 'z'; they have frame, x, y"):
        found.axis("z")


def test_rows_are_chosen_with_their_extra_columns() -> None:
    found = molecules(4, chi2=np.arange(4) * 2.0).where(np.array([False, True, False, True]))
    assert found.x.tolist() == [1, 3]
    assert found.extra["chi2"].tolist() == [2, 6]
    assert found.with_columns(z=np.ones(2)).axis("z").tolist() == [1, 1]


def test_columns_must_agree() -> None:
    with pytest.raises(InputError, match="differ in length"):
        molecules(3, z=np.zeros(2))
    with pytest.raises(InputError, match="no column 'y'"):
        from_columns({"frame": [0], "x": [1.0]})
    with pytest.raises(InputError, match="one dimension"):
        molecules(3, z=np.zeros((3, 1)))
    column = np.zeros(1, np.float32)
    with pytest.raises(InputError, match=r"extra column \['z'\]"):
        Localizations(frame=np.zeros(1, np.int64), x=column, y=column, extra={"z": column})


def test_joining_keeps_order_and_refuses_mixtures() -> None:
    joined = concatenate([empty(), molecules(2, z=np.ones(2)), molecules(1, z=np.zeros(1))])
    assert joined.axis("z").tolist() == [1, 1, 0]
    assert len(concatenate([])) == 0
    with pytest.raises(InputError, match=r"differ in columns \['z'\]"):
        concatenate([molecules(1), molecules(1, z=np.zeros(1))])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": np.zeros((4, 4), np.float32)}, "channels"),
        ({"pixel_size_nm": 0.0}, "pixel_size_nm"),
        ({"first_frame": 5}, "covers frames 5 to 4"),
    ],
)
def test_bad_reconstructions_are_refused(changes: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "image": np.zeros((1, 4, 4), np.float32),
        "pixel_size_nm": 10.0,
        "first_frame": 0,
        "last_frame": 4,
        **changes,
    }
    with pytest.raises(InputError, match=message):
        Reconstruction(**given)


def test_increments_on_one_grid_are_added_up() -> None:
    grid: dict[str, Any] = {"pixel_size_nm": 20.0, "channels": ("light",)}
    one = Reconstruction(image=np.ones((1, 2, 3), np.float32), first_frame=4, last_frame=7, **grid)
    two = Reconstruction(image=one.image, first_frame=8, last_frame=9, **grid)
    both = one.plus(two)
    assert both.image.tolist() == [[[2.0] * 3] * 2]
    assert (both.first_frame, both.last_frame, both.channels) == (4, 9, ("light",))
    with pytest.raises(InputError, match="differ in shape"):
        one.plus(replace(two, image=np.ones((1, 2, 4), np.float32)))
    with pytest.raises(InputError, match="differ in pixel_size_nm"):
        one.plus(replace(two, pixel_size_nm=10.0))
    with pytest.raises(InputError, match="names 2 channels and has 1"):
        replace(one, channels=("a", "b"))


def test_an_engine_needs_a_name_and_an_honest_halo() -> None:
    with pytest.raises(InputError, match="name is empty"):
        EngineSpec(name="", consumes=FrameBatch, produces=Localizations)
    with pytest.raises(InputError, match="halo"):
        EngineSpec(name="x", consumes=FrameBatch, produces=Localizations, halo=(-1, 0))
