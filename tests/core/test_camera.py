"""The camera model refuses nonsense and converts counts to photons."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from live_smlm.core import CameraModel, InputError, SideChannel
from live_smlm.core.side import side_told

SHAPE = (4, 6)


def camera(**changes: Any) -> CameraModel:
    return CameraModel(**{"shape": SHAPE, "pixel_size_nm": 100.0, **changes})


def test_photons_undo_offset_gain_and_quantum_efficiency() -> None:
    model = camera(offset_adu=100.0, gain_e_per_adu=0.5, quantum_efficiency=0.8)
    photons = model.photons(np.full(SHAPE, 180, np.uint16))
    np.testing.assert_allclose(photons, (180 - 100) * 0.5 / 0.8, rtol=1e-6)
    assert photons.dtype == np.float32


def test_photons_undo_multiplication_and_spurious_charge() -> None:
    model = camera(gain_e_per_adu=45.0, em_gain=300.0, quantum_efficiency=0.9, spurious_e=0.1)
    photons = model.photons(np.full(SHAPE, 400, np.uint16))
    np.testing.assert_allclose(photons, ((400 - 100) * 45 / 300 - 0.1) / 0.9, rtol=1e-6)


def test_counts_below_the_offset_stay_negative() -> None:
    assert np.all(camera().photons(np.full(SHAPE, 90, np.uint16)) == -10)


def test_maps_act_pixel_by_pixel() -> None:
    gain = np.arange(1, 25, dtype=np.float32).reshape(SHAPE)
    photons = camera(gain_e_per_adu=gain, offset_adu=0.0).photons(np.full((2, *SHAPE), 3, np.uint8))
    np.testing.assert_allclose(photons, np.broadcast_to(3 * gain, (2, *SHAPE)))


def test_maps_are_held_privately() -> None:
    noise = np.ones(SHAPE, np.float32)
    model = camera(read_noise_e=noise)
    noise[:] = 99
    assert np.all(model.read_variance_photons() == 1)
    with pytest.raises(ValueError, match="read-only"):
        model.read_noise_e[0, 0] = 5  # type: ignore[index]


def test_crop_cuts_the_maps_and_moves_the_corner() -> None:
    offset = np.arange(24, dtype=np.float32).reshape(SHAPE)
    part = camera(offset_adu=offset, roi_corner=(10, 20)).crop(1, 2, 2, 3)
    assert (part.shape, part.roi_corner) == ((2, 3), (11, 22))
    np.testing.assert_array_equal(part.offset_adu, offset[1:3, 2:5])


def test_emccd_is_told_by_its_gain() -> None:
    assert camera(em_gain=300.0).excess_noise == 2
    assert camera().excess_noise == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": (0, 6)}, r"shape is \(0, 6\)"),
        ({"pixel_size_nm": 0.0}, "pixel_size_nm is 0; give nm above 0"),
        ({"gain_e_per_adu": -1.0}, "gain_e_per_adu has the value -1; it must be above 0"),
        ({"gain_e_per_adu": np.ones((3, 6))}, "map is 3x6 but the frames are 4x6"),
        ({"offset_adu": np.full(SHAPE, np.nan)}, "offset_adu has 24 values that are not finite"),
        ({"read_noise_e": -0.1}, "read_noise_e has the value -0.1"),
        ({"quantum_efficiency": 1.2}, "quantum_efficiency is 1.2"),
        ({"em_gain": 0.5}, "em_gain is 0.5; use 1"),
        ({"em_gain": float("nan")}, "em_gain is nan"),
        ({"bits": 17}, "bits is 17"),
        ({"spurious_e": float("inf")}, "spurious_e has 1 values that are not finite"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        camera(**changes)


def test_frames_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="frame is 5x6 but the camera model is 4x6"):
        camera().photons(np.zeros((5, 6), np.uint16))


def test_a_region_outside_is_refused() -> None:
    with pytest.raises(InputError, match="region 4x4 at"):
        camera().crop(1, 2, 4, 4)


def test_description_is_plain() -> None:
    told = camera(offset_adu=np.full(SHAPE, 7.0)).describe()
    assert told["offset_adu"] == 7
    assert told["em_gain"] == 1


BAND = SideChannel(rows=(0, 4), columns=(4, 6), shift_px=(0.0, 3.6), height=3, width=2)


def test_molecules_are_looked_for_outside_of_the_side_channel() -> None:
    assert camera().view == ((0, 4), (0, 6))
    assert camera(side=BAND).view == ((0, 4), (0, 4))
    above = replace(BAND, rows=(0, 1), columns=(0, 6))
    assert camera(side=above).view == ((1, 4), (0, 6))
    assert BAND.step_px == (0, 4)


def test_a_region_has_the_side_channel_whole_or_not() -> None:
    whole = camera(side=BAND)
    assert whole.crop(0, 0, 4, 4).side is None
    part = whole.crop(1, 1, 2, 5)
    assert part.side == replace(BAND, rows=(0, 2), columns=(3, 5))
    assert part.view == ((0, 2), (0, 3))
    with pytest.raises(InputError, match="side channel"):
        whole.crop(0, 0, 4, 5)
    with pytest.raises(InputError, match="side channel"):
        whole.crop(0, 4, 4, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": (6, 4)}, "columns are 6:4"),
        ({"height": 0}, "height is 0"),
        ({"shift_px": (0.0, float("nan"))}, "shift_px is"),
        ({"middle_nm": 650.0}, "give both, or neither"),
        ({"middle_nm": 650.0, "nm_per_px": 0.0}, "nm_per_px is 0.0"),
        ({"middle_nm": -1.0, "nm_per_px": 3.0}, "middle_nm is -1.0"),
        ({"columns": (3, 5)}, "let the band touch the frame's edge"),
        ({"rows": (0, 3)}, "give a band along one edge"),
        ({"columns": (4, 7)}, "give a band along one edge"),
        ({"columns": (0, 6)}, "give a band along one edge"),
    ],
)
def test_a_side_channel_that_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        camera(side=replace(BAND, **changes))


def test_a_side_channel_is_told_in_plain_values() -> None:
    told = camera(side=BAND).describe()["side"]
    assert isinstance(told, dict)
    assert side_told(json.loads(json.dumps(told))) == BAND
    assert "side" not in camera().describe()


def test_a_camera_of_a_kind_has_medians_for_maps_on_any_chip() -> None:
    noise = np.full((4, 6), 1.5, np.float32)
    noise[0, 0] = 30.0
    camera = CameraModel(
        shape=(4, 6), pixel_size_nm=100.0, read_noise_e=noise, em_gain=300.0, roi_corner=(2, 3)
    )
    even = camera.evened((9, 9))
    assert (even.shape, even.roi_corner, even.em_gain) == ((9, 9), (0, 0), 300.0)
    assert even.read_noise_e == 1.5
