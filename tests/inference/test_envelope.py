from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from live_smlm.core import PSF, CameraModel, InputError
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.envelope import (
    IMAGE_PER_WIDTH,
    Envelope,
    hull,
    image_difference,
    photon_ranges,
    psf_misfit,
)
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.sampling import sample

ASTIGMATIC: dict[str, float] = {
    "sx0_nm": 130.0,
    "sy0_nm": 130.0,
    "gx_nm": 250.0,
    "gy_nm": -250.0,
    "d_nm": 400.0,
    "z_min_nm": -500.0,
    "z_max_nm": 500.0,
}
Z = (-500.0, 500.0)


def astigmatic(**changes: float) -> AstigmaticPSF:
    return AstigmaticPSF(**{**ASTIGMATIC, **changes})


def camera(**changes: Any) -> CameraModel:
    return CameraModel(**{"shape": (32, 32), "pixel_size_nm": 100.0, **changes})


@pytest.mark.parametrize("share", [0.02, 0.05, -0.05])
def test_images_differ_as_widths_do(share: float) -> None:
    """To first order; the second is half of the share again, pixels blunt it by a sixth."""
    psf, other = GaussianPSF(130 * (1 + share)), GaussianPSF(130.0)
    found = image_difference(psf, other, np.zeros(1), 100.0)
    assert found / IMAGE_PER_WIDTH == pytest.approx(abs(share), rel=0.25)


@pytest.mark.parametrize(
    ("psf", "trained", "complaint"),
    [
        (GaussianPSF(134.0), GaussianPSF(130.0), None),
        (GaussianPSF(149.5), GaussianPSF(130.0), "sigma_nm is 149.5, trained was 130.0"),
        (astigmatic(), GaussianPSF(130.0), "astigmatic PSF is not the gaussian PSF"),
        (GaussianPSF(130.0), astigmatic(), "gaussian PSF is not the astigmatic PSF"),
        (astigmatic(gx_nm=253.0), astigmatic(), None),
        (astigmatic(d_nm=500.0), astigmatic(), "d_nm is 500.0, trained was 400.0"),
        (astigmatic(gx_nm=-250.0, gy_nm=250.0), astigmatic(), "gx_nm is -250.0"),
        (astigmatic(z_min_nm=-520.0), astigmatic(), None),
        (astigmatic(z_max_nm=750.0), astigmatic(), "over z -500 to 750 nm, trained was -500 to"),
        (astigmatic(z_max_nm=200.0), astigmatic(), "over z -500 to 200 nm"),
        (astigmatic(z_max_nm=750.0), astigmatic(z_min_nm=-750.0, z_max_nm=750.0), None),
        (sample(astigmatic(), 100.0), astigmatic(), None),
        (sample(astigmatic(d_nm=500.0), 100.0), astigmatic(), "spline PSF is not the astigmatic"),
    ],
)
def test_psfs_are_told_apart_by_their_images(psf: PSF, trained: PSF, complaint: str | None) -> None:
    reason = psf_misfit(psf, trained, Z, 100.0)
    assert (reason is None) == (complaint is None)
    assert (complaint or "") in (reason or "")


def test_a_plane_s_network_is_not_for_a_psf_that_only_in_focus_looks_alike() -> None:
    """Equal widths at z = 0: 110 nm sqrt(1 + (250 / 400)²) is 130 nm."""
    narrow = astigmatic(sx0_nm=110.0, sy0_nm=110.0)
    assert image_difference(narrow, GaussianPSF(130.0), np.zeros(1), 100.0) < 0.01
    reason = psf_misfit(narrow, GaussianPSF(130.0), (0.0, 0.0), 100.0)
    assert reason is not None
    assert "astigmatic PSF is not the gaussian PSF" in reason
    assert psf_misfit(narrow, narrow, (0.0, 0.0), 100.0) is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pixel_size_nm": 101.0}, None),
        ({"pixel_size_nm": 110.0}, "pixels are 110 nm, trained were 100 nm"),
        ({"read_noise_e": 1.6}, None),
        ({"read_noise_e": 4.0}, "read noise is 4 effective counts, trained were 0 to 2"),
        ({"read_noise_e": 40.0, "em_gain": 100.0}, None),
        ({"spurious_e": 5.0}, None),
        ({"spurious_e": 9.0}, "read noise is 3 "),
    ],
)
def test_cameras_are_checked(
    bundle: Bundle, changes: dict[str, Any], complaint: str | None
) -> None:
    reason = bundle.misfit(camera(**changes), None)
    assert (reason is None) == (complaint is None)
    assert (complaint or "") in (reason or "")
    assert reason is None or "live-smlm train matched-filter --psf" in reason


def test_without_a_psf_the_trained_one_holds(bundle: Bundle) -> None:
    assert bundle.misfit(camera(), None) is None
    assert bundle.misfit(camera(), GaussianPSF(130.0)) is None
    reason = bundle.misfit(camera(), GaussianPSF(150.0))
    assert reason is not None
    assert "sigma_nm is 150.0" in reason


def test_ranges_are_told_in_the_cameras_photons(make_bundle: Callable[..., Bundle]) -> None:
    envelope = make_bundle().manifest.envelope
    emccd = camera(em_gain=100.0, quantum_efficiency=0.8)
    told = photon_ranges(envelope.spec_ranges(), emccd)
    assert told["photons"] == (150.0 * 2.5, 5000.0 * 2.5)
    assert told["background"] == (2.0 * 2.5, 30.0 * 2.5)
    assert told["density_per_um2"] == envelope.density_per_um2


def ranges(**changes: Any) -> Envelope:
    given = {"pixel_size_nm": (100.0, 100.0), "z_nm": (0.0, 0.0), "density_per_um2": (0.1, 1.0)}
    light = {"photons": (100.0, 200.0), "background": (1.0, 2.0), "read_noise": (0.0, 1.0)}
    return Envelope(**{**given, **light, "psf": {"kind": "gaussian"}, **changes})


def test_density_is_told_as_it_will_be_found() -> None:
    assert ranges(found_per_um2=0.7).spec_ranges()["density_per_um2"] == (0.1, 0.7)
    assert ranges(found_per_um2=1.2).spec_ranges()["density_per_um2"] == (0.1, 1.0)
    assert ranges(found_per_um2=0.7).describe()["found_per_um2"] == 0.7


def test_a_hull_holds_all() -> None:
    both = hull([ranges(), ranges(photons=(50.0, 150.0))])
    assert both["photon_counts"] == (50.0, 200.0)
    assert both["background_counts"] == (1.0, 2.0)
    assert hull([]) == {}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"photons": (2.0, 1.0)}, "photons is"),
        ({"photons": (0.0, 1.0)}, "photons begins at 0"),
        ({"background": (-1.0, 1.0)}, "background begins at -1"),
        ({"z_nm": (0.0, float("nan"))}, "z_nm is"),
        ({"psf": {}}, "psf has no kind"),
        ({"found_per_um2": 0.0}, "found_per_um2 is 0"),
    ],
)
def test_ranges_without_sense_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        ranges(**changes)
