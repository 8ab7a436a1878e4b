"""Which spots of a stack are beads that can be used."""

from dataclasses import replace

import numpy as np
import pytest

from live_smlm.calibration.beads import find_beads
from live_smlm.calibration.simulated import bead_stack
from live_smlm.calibration.widths import fit_planes
from live_smlm.core import CameraModel, InputError
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF

PSF = AstigmaticPSF(sx0_nm=140, sy0_nm=140, gx_nm=250, gy_nm=-250, d_nm=350)
Z = np.linspace(-500, 500, 21)
ROUND = GaussianPSF(sigma_nm=150)


def test_every_bead_is_found_where_it_is() -> None:
    truth = bead_stack(PSF, Z, beads=6)
    beads = find_beads(truth.stack, truth.camera)
    assert beads.refused == ()
    middle = [
        (b.column + b.photons.shape[2] / 2, b.row + b.photons.shape[1] / 2) for b in beads.found
    ]
    expected = np.stack([truth.x_nm, truth.y_nm], axis=1) / 100
    for x, y in expected:
        assert min(np.hypot(a - x, b - y) for a, b in middle) < 1.5
    assert len(beads.found) == 6
    assert all(b.photons.shape == (21, 27, 27) for b in beads.found)


def test_neighbours_spoil_each_other() -> None:
    """Two beads 1.5 um apart are refused, the others are kept."""
    truth = bead_stack(PSF, Z, beads=4)
    moved = np.roll(truth.stack[:, :48, :48].astype(int) - 110, 15, axis=2)
    stack = truth.stack.astype(int)
    stack[:, :48, :48] += moved
    beads = find_beads(np.clip(stack, 0, 65535).astype(np.uint16), truth.camera)
    assert len(beads.found) == 3
    assert [r.reason for r in beads.refused] == ["another bead is near"] * 2


def test_beads_at_the_edge_are_refused() -> None:
    truth = bead_stack(PSF, Z, beads=4)
    stack = truth.stack[:, 16:, :]
    camera = truth.camera.crop(16, 0, *stack.shape[1:])
    beads = find_beads(stack, camera)
    assert len(beads.found) == 2
    assert {r.reason for r in beads.refused} == {"too near the edge"}
    assert all(r.row < 14 for r in beads.refused)


def test_saturated_beads_are_refused() -> None:
    truth = bead_stack(PSF, Z, beads=4, photons=6000)
    camera = replace(truth.camera, bits=8)
    stack = np.minimum(truth.stack, 255).astype(np.uint8)
    beads = find_beads(stack, camera)
    assert len(beads.found) + len(beads.refused) == 4
    assert {r.reason for r in beads.refused} == {"saturated"}


def test_noise_holds_no_beads() -> None:
    stack = np.random.default_rng(0).poisson(110, (21, 96, 96)).astype(np.uint16)
    camera = CameraModel(shape=(96, 96), pixel_size_nm=100.0)
    beads = find_beads(stack, camera)
    assert beads.found == ()
    with pytest.raises(InputError, match=r"no usable bead in the stack \(0 refused\)"):
        beads.needed()


def test_bad_stacks_are_refused() -> None:
    camera = CameraModel(shape=(50, 50), pixel_size_nm=100.0)
    with pytest.raises(InputError, match="5 planes or more"):
        find_beads(np.zeros((3, 50, 50), np.uint16), camera)
    with pytest.raises(InputError, match="frame is 40x50 but the camera model is 50x50"):
        find_beads(np.zeros((9, 40, 50), np.uint16), camera)
    with pytest.raises(InputError, match="radius_nm is 100"):
        find_beads(np.zeros((9, 50, 50), np.uint16), camera, radius_nm=100)


def test_widths_of_a_gaussian_bead_are_its_own() -> None:
    """Bias below 1 nm; scatter near what 20,000 photons give: sigma / sqrt(2 N) = 0.75 nm."""
    truth = bead_stack(ROUND, np.zeros(60), beads=1, height_range_nm=0)
    (bead,) = find_beads(truth.stack, truth.camera).found
    planes = fit_planes(bead, 100.0)
    assert planes.good.all()
    for sigma in (planes.sigma_x_nm, planes.sigma_y_nm):
        assert abs(sigma.mean() - 150) < 1
        assert sigma.std() < 2.5 * 150 / np.sqrt(2 * truth.photons[0])
    assert planes.x_nm.mean() == pytest.approx(truth.x_nm[0], abs=1)
    assert planes.y_nm.mean() == pytest.approx(truth.y_nm[0], abs=1)
    assert planes.photons.mean() == pytest.approx(truth.photons[0], rel=0.02)
    assert planes.background.mean() == pytest.approx(10, abs=1)
