"""PSFs are said in words or by a file, whatever the file's place is called; cameras in words."""

from pathlib import Path

import pytest

from live_smlm.config.words import camera_model, camera_spec, chip_model, psf
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


SIDE = "side_rows=0:64,side_columns=64:128,side_shift_px=0.5:64,side_size=9:33"


def test_a_camera_says_its_side_channel() -> None:
    said = camera_spec(f"scmos:read_noise_e=1,{SIDE},side_middle_nm=690,side_nm_per_px=5")
    side = camera_model(said, (64, 128), 100.0).side
    assert side is not None
    assert (side.rows, side.columns) == ((0, 64), (64, 128))
    assert (side.shift_px, side.height, side.width) == ((0.5, 64.0), 9, 33)
    assert (side.middle_nm, side.nm_per_px) == (690.0, 5.0)
    assert chip_model(said, 100.0).side is None
    with pytest.raises(InputError, match="side channel has rows"):
        camera_model(said, (64, 64), 100.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("side_rows=0:64", "without side_columns, side_shift_px, side_size; give all four"),
        (SIDE.replace("0:64", "0-64"), "side_rows is '0-64'; give two numbers"),
        (SIDE.replace("9:33", "9.5:33"), "side_size is 9.5:33; give whole pixels"),
        (f"{SIDE},side_middle_nm=690", "give both, or neither"),
    ],
)
def test_a_side_channel_that_is_said_badly_is_refused(words: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        camera_spec(f"scmos:{words}")
