"""Dyes are told apart in the side channel: their light is all there, where and as it should be."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from live_smlm.core import CameraModel, InputError
from live_smlm.physics.dispersion import Spread, draw_side, own_shift_nm, side_channel, with_side
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.physics.spectra import DYES, Dye, dyes

PSF = GaussianPSF(130.0)
SHAPE = with_side((40, 48))
SIDE = side_channel(SHAPE)
CAMERA = CameraModel(shape=SHAPE, pixel_size_nm=100.0, read_noise_e=1.6, side=SIDE)
TWO = dyes("two")


def scenario(**changes: Any) -> Scenario:
    said = {"camera": CAMERA, "psf": PSF, "dyes": "two", "density": 0.2, "photons": 3000.0}
    return Scenario(**{**said, "background": 5.0, "seed": 4, **changes})


@pytest.mark.parametrize("dye", DYES.values(), ids=list(DYES))
def test_a_dye_gives_all_of_its_light_around_its_peak(dye: Dye) -> None:
    at = np.arange(550.0, 900.0, 1.0)
    below = dye.below(at)
    assert np.all(np.diff(below) >= 0)
    np.testing.assert_allclose(below[[0, -1]], [0, 1], atol=1e-3)
    assert at[np.diff(below).argmax()] == pytest.approx(dye.peak_nm, abs=2)
    low, high = dye.below(np.array(dye.reach_nm))
    assert high - low > 0.995


def test_dyes_are_named() -> None:
    assert [dye.name for dye in TWO] == ["af647", "cf660c"]
    with pytest.raises(InputError, match="dye 'af6' is unknown; give names"):
        dyes("af6/cf680")
    with pytest.raises(InputError, match="names one twice"):
        dyes("cf680/cf680")


@pytest.mark.parametrize("nm_per_px", [5.0, -4.0])
def test_a_spectrum_lies_where_its_wavelengths_belong(nm_per_px: float) -> None:
    side = replace(SIDE, nm_per_px=nm_per_px)
    light = np.zeros((1, *SHAPE), np.float32)
    place = np.array([[2430.0, 1870.0, 0.0]])
    zero = np.zeros(1, np.int64)
    draw_side(
        light, CAMERA, PSF, Spread(TWO, side), zero, place, np.array([1e4]), zero, np.zeros(1)
    )
    assert light.sum() == pytest.approx(1e4, rel=0.01)
    assert not light[:, :, : SIDE.columns[0]].any()
    column, row = (light[0] * np.indices(SHAPE)[::-1]).sum(axis=(1, 2)) / light.sum() + 0.5
    at = np.arange(500.0, 900.0)
    mean_nm = (np.diff(TWO[0].below(at)) * (at[1:] - 0.5)).sum()
    assert row == pytest.approx(18.7, abs=0.02)
    expected = 24.3 + SIDE.shift_px[1] + (mean_nm - side.middle_nm) / nm_per_px
    assert column == pytest.approx(expected, abs=0.1)


def test_a_molecule_keeps_its_own_spectrum() -> None:
    molecule = np.arange(20_000)
    dye = molecule % 2
    shift = own_shift_nm(TWO, dye, molecule)
    np.testing.assert_array_equal(shift[5000:6000], own_shift_nm(TWO, dye, molecule)[5000:6000])
    assert shift.mean() == pytest.approx(0, abs=0.1)
    assert shift.std() == pytest.approx(3.0, rel=0.03)
    assert abs(np.corrcoef(shift[:-1], shift[1:])[0, 1]) < 0.03


def test_frames_with_dyes_hold_each_molecule_twice() -> None:
    acquisition = scenario(background=5.0).simulator().start()
    batch, truth = acquisition.advance(60)
    light = CAMERA.photons(batch.pixels).sum(axis=0) - 60 * 5.0
    (_, _), (_, seen) = CAMERA.view
    assert truth.x.max() < seen * 100
    assert light[:, seen:].sum() == pytest.approx(light[:, :seen].sum(), rel=0.05)
    assert truth.channel is not None
    share = truth.channel.mean()
    assert share == pytest.approx(0.5, abs=4 * 0.5 / len(truth) ** 0.5)
    assert len(np.unique(truth.axis("molecule"))) == len(truth)


def test_the_same_seed_gives_the_same_frames_in_whatever_batches() -> None:
    said = scenario(specimen="filaments", blinking="four-state")
    whole, truth = said.simulator().start().advance(6)
    run = said.simulator().start()
    parts = [run.advance(2) for _ in range(3)]
    np.testing.assert_array_equal(whole.pixels, np.concatenate([b.pixels for b, _ in parts]))
    assert sum(len(t) for _, t in parts) == len(truth)


def test_a_channel_on_the_left_moves_the_image() -> None:
    rows, columns = SHAPE
    width = columns - 48
    side = replace(SIDE, columns=(0, width), shift_px=(0.0, 20.0 - width))
    batch, truth = (
        scenario(camera=replace(CAMERA, side=side), density=0.05).simulator().start().advance(30)
    )
    assert truth.x.min() > 100 * width
    light = CAMERA.photons(batch.pixels)
    row, column = (np.floor(axis / 100).astype(int) for axis in (truth.y, truth.x))
    assert np.median(light[truth.frame, row, column]) > 100
    assert rows == light.shape[1]


def test_dyes_need_a_dispersed_side_channel() -> None:
    with pytest.raises(InputError, match="camera has no side channel"):
        scenario(camera=replace(CAMERA, side=None)).simulator()
    blank = replace(SIDE, middle_nm=None, nm_per_px=None)
    with pytest.raises(InputError, match="side channel is not dispersed"):
        scenario(camera=replace(CAMERA, side=blank)).simulator()
    with pytest.raises(InputError, match="no room for an image and its spectra"):
        side_channel((40, 60))
