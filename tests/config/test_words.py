"""PSFs are said in words or by a file, whatever the file's place is called."""

from pathlib import Path

import pytest

from live_smlm.config.words import psf
from live_smlm.core import InputError
from live_smlm.physics.psf.files import save
from live_smlm.physics.psf.gaussian import GaussianPSF


@pytest.mark.parametrize("name", [r"C:\calib\psf.h5", "psf.hdf5", "a:b.toml"])
def test_a_psf_may_be_a_file_with_any_name(name: str) -> None:
    with pytest.raises(InputError, match=r"PSF file .* does not exist"):
        psf(name)


def test_a_psf_is_read_from_a_path_with_a_colon(tmp_path: Path) -> None:
    path = tmp_path / "a:b.toml"
    save(GaussianPSF(120.0), path)
    assert psf(str(path)) == GaussianPSF(120.0)


def test_a_psf_of_a_kind_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    save(GaussianPSF(120.0), path)
    assert psf(f"gaussian:file={path}") == GaussianPSF(120.0)
