"""A double-helix PSF from a noisy bead stack, against the truth."""

import functools
from pathlib import Path

import numpy as np
import pytest

from live_smlm.calibration.simulated import BeadStack, bead_stack
from live_smlm.calibration.spline import SplineCalibration, calibrate_spline
from live_smlm.core import F64, PSF, InputError
from live_smlm.physics.psf.files import load_psf, save
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.testing.psf import PsfContract

TRUTH = PupilPSF(model="scalar", mask="double_helix", z_min_nm=-1000, z_max_nm=1000)
Z = np.arange(-750, 751, 25.0)
STEP = 25.0
SIDE = 31


@pytest.fixture(scope="module")
def stack() -> BeadStack:
    return bead_stack(TRUTH, Z, beads=6)


@pytest.fixture(scope="module")
def fitted(stack: BeadStack) -> SplineCalibration:
    return calibrate_spline(stack.stack, stack.camera, STEP, z_first_nm=float(Z[0]))


def images(stack: BeadStack, fitted: SplineCalibration, shift: F64) -> tuple[F64, F64]:
    """Truth and spline at z and sub-pixel positions, for the same light."""
    z = np.linspace(-500, 500, 21)
    x, y = (SIDE * 50.0 + s + 0 * z for s in shift)
    mean = float(stack.height_nm.mean())
    true = TRUTH.images(x, y, z + mean, (SIDE, SIDE), 100.0).value
    found = fitted.psf.images(x, y, z, (SIDE, SIDE), 100.0).value
    return true, found * (np.sum(true * found) / np.sum(found**2))


@pytest.mark.parametrize("shift", [(0.0, 0.0), (37.0, -21.0), (-50.0, 50.0)])
def test_the_spline_looks_like_the_truth(
    stack: BeadStack, fitted: SplineCalibration, shift: tuple[float, float]
) -> None:
    """120,000 photons per plane on a background of 60 per pixel leave 1 % of the peak, rms."""
    true, found = images(stack, fitted, np.array(shift))
    for a, b in zip(true, found, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.998
        assert np.sqrt(np.mean((a - b) ** 2)) < 0.01 * a.max()


def test_beads_are_aligned(stack: BeadStack, fitted: SplineCalibration) -> None:
    """To some nm: 20,000 photons in each of 40 planes give 0.5 nm, up to a common offset."""
    order = [
        int(np.argmin(np.hypot(fitted.x_nm - x, fitted.y_nm - y)))
        for x, y in zip(stack.x_nm, stack.y_nm, strict=True)
    ]
    for found, true in (
        (fitted.x_nm, stack.x_nm),
        (fitted.y_nm, stack.y_nm),
        (fitted.z_nm, stack.height_nm),
    ):
        off = found[order] - true
        assert np.std(off) < 2.5
    # The zero of x and y is the middle of the light.
    assert abs(np.mean(fitted.x_nm[order] - stack.x_nm)) < 3
    assert abs(np.mean(fitted.y_nm[order] - stack.y_nm)) < 3
    assert fitted.photons[order] / stack.photons == pytest.approx(
        float(np.mean(fitted.photons[order] / stack.photons)), rel=0.02
    )


def test_a_molecule_is_placed_without_bias(stack: BeadStack, fitted: SplineCalibration) -> None:
    """First-order bias of a fit with this spline: below a quarter of the bound in the mean.

    For 2,000 photons on a background of 10, where the bound is 8 nm in x and 16 in z.
    """
    z = np.linspace(-450, 450, 19)
    at = np.full(19, SIDE * 50.0)
    true = TRUTH.images(at, at, z + stack.height_nm.mean(), (SIDE, SIDE), 100.0)
    model = fitted.psf.images(at, at, z, (SIDE, SIDE), 100.0)
    share = np.sum(true.value * model.value) / np.sum(model.value**2)
    pulls = []
    for i in range(len(z)):
        parts = [2000 * share * d[i].ravel() for d in (model.d_x, model.d_y, model.d_z)]
        slopes = np.stack([*parts, model.value[i].ravel(), np.ones(SIDE**2)])
        weight = 1 / (2000 * true.value[i].ravel() + 10)
        inverse = np.linalg.inv((slopes * weight) @ slopes.T)
        off = 2000 * (true.value[i] - share * model.value[i]).ravel()
        pulls.append((inverse @ (slopes * weight) @ off)[:3] / np.sqrt(np.diag(inverse)[:3]))
    assert np.all(np.sqrt(np.mean(np.square(pulls), axis=0)) < 0.25)


def test_the_sharpest_plane_holds_one_photon(stack: BeadStack) -> None:
    free = calibrate_spline(stack.stack, stack.camera, STEP).psf
    at = np.array([SIDE * 50.0])
    total = free.images(at, at, np.zeros(1), (SIDE, SIDE), 100.0).value.sum()
    assert total == pytest.approx(1, abs=1e-3)
    low, high = free.z_range_nm or (0.0, 0.0)
    assert low < -400
    assert high > 400


def test_a_stack_the_other_way_round_gives_the_same(
    stack: BeadStack, fitted: SplineCalibration
) -> None:
    other = calibrate_spline(stack.stack[::-1], stack.camera, -STEP, z_first_nm=float(Z[-1]))
    assert other.psf.describe() == fitted.psf.describe()


def test_one_bead_is_enough(stack: BeadStack) -> None:
    camera = stack.camera.crop(0, 0, 48, 48)
    alone = calibrate_spline(stack.stack[:, :48, :48], camera, STEP, z_first_nm=float(Z[0]))
    at, z = np.array([SIDE * 50.0]), np.array([200.0])
    true = TRUTH.images(at, at, z + stack.height_nm[0], (SIDE, SIDE), 100.0).value
    found = alone.psf.images(at, at, z, (SIDE, SIDE), 100.0).value
    assert np.corrcoef(true.ravel(), found.ravel())[0, 1] > 0.98


def test_the_result_is_saved(fitted: SplineCalibration, tmp_path: Path) -> None:
    save(fitted.psf, tmp_path / "psf.h5")
    assert load_psf(tmp_path / "psf.h5").describe() == fitted.psf.describe()


def test_absurd_stacks_are_refused(stack: BeadStack) -> None:
    with pytest.raises(InputError, match="z_step_nm is 0"):
        calibrate_spline(stack.stack, stack.camera, 0.0)
    with pytest.raises(InputError, match="has 20 planes of 25 nm; take 24 or more"):
        calibrate_spline(stack.stack[:20], stack.camera, STEP)


@functools.cache
def measured() -> PSF:
    """Of beads so bright that noise stays below what the contract allows."""
    truth = bead_stack(TRUTH, Z, beads=2, photons=100000.0, background=1.0)
    return calibrate_spline(truth.stack, truth.camera, STEP).psf


class TestMeasuredSpline(PsfContract):
    @property
    def psf(self) -> PSF:  # type: ignore[override] # made when it is first asked for
        return measured()
