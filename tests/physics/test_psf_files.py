"""PSFs come back from files as they were; bad files are refused in one line."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from live_smlm.core import PSF, InputError
from live_smlm.physics.psf.files import load_psf, save
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.sampling import sample

ASTIGMATIC = AstigmaticPSF(sx0_nm=130, sy0_nm=135, gx_nm=250, gy_nm=-250, d_nm=400, bx=0.1)
PARAMETRIC = [
    GaussianPSF(sigma_nm=131.5),
    ASTIGMATIC,
    PupilPSF(na=1.3, zernike={5: 0.3, 11: -0.2}, mask="double_helix", model="scalar"),
]


@pytest.mark.parametrize("psf", PARAMETRIC, ids=lambda p: p.name)
def test_parameters_come_back(psf: PSF, tmp_path: Path) -> None:
    save(psf, tmp_path / "psf.toml")
    loaded = load_psf(tmp_path / "psf.toml")
    assert type(loaded) is type(psf)
    assert loaded.describe() == psf.describe()
    assert [p.name for p in tmp_path.iterdir()] == ["psf.toml"]


def test_splines_come_back(tmp_path: Path) -> None:
    psf = sample(ASTIGMATIC, 108.0)
    save(psf, tmp_path / "psf.h5")
    loaded = load_psf(tmp_path / "psf.h5")
    assert loaded.describe() == psf.describe()
    assert [p.name for p in tmp_path.iterdir()] == ["psf.h5"]


def test_a_phase_map_is_found_beside_the_file(tmp_path: Path) -> None:
    """A ramp of phase moves the image: by (rad per pupil radius) wavelength / (2 pi NA)."""
    side = 256
    ramp = np.broadcast_to((np.arange(side) + 0.5) / side * 2 - 1, (side, side)) * 3.0
    np.save(tmp_path / "ramp.npy", ramp)
    text = 'kind = "pupil"\nmask = "ramp.npy"\nmodel = "scalar"\nna = 1.2\nwavelength_nm = 600\n'
    (tmp_path / "psf.toml").write_text(text)
    psf, flat = load_psf(tmp_path / "psf.toml"), PupilPSF(na=1.2, wavelength_nm=600, model="scalar")
    at, z = np.array([1500.0]), np.zeros(1)
    shift = 3.0 * 600 / (2 * np.pi * 1.2)
    found = psf.images(at, at, z, (60, 60), 50.0).value
    expected = flat.images(at - shift, at, z, (60, 60), 50.0).value
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.01 * expected.max())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "kind = ", "is not valid TOML"),
        ("a.toml", "sigma_nm = 130", "kind None"),
        ("a.toml", 'kind = "spline"', "kind 'spline'"),
        ("a.toml", 'kind = "gaussian"', "needs sigma_nm"),
        ("a.toml", 'kind = "gaussian"\nsigma_nm = 130\nsigm = 2', "no option 'sigm'"),
        ("a.toml", 'kind = "gaussian"\nsigma_nm = "wide"', "give a number"),
        ("a.h5", "no HDF5", "holds no spline PSF"),
        ("a.txt", "", "give .toml, or .h5"),
    ],
)
def test_bad_files_are_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        load_psf(tmp_path / name)


def test_another_hdf5_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(InputError, match="has format None"):
        load_psf(tmp_path / "a.h5")


def test_missing_files_and_wrong_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_psf(tmp_path / "none.toml")
    with pytest.raises(InputError, match=r"should end in \.toml"):
        save(ASTIGMATIC, tmp_path / "psf.h5")
    with pytest.raises(InputError, match=r"folder .* does not exist"):
        save(ASTIGMATIC, tmp_path / "nowhere" / "psf.toml")
    assert list(tmp_path.iterdir()) == []


def test_pickled_phase_maps_are_not_run(tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="is not a NumPy array file"):
        PupilPSF(mask=str(tmp_path / "bad.npy"))
