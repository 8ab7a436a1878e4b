"""Less likely mistakes on the command line: each ends with one line and leaves nothing."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from live_smlm.calibration.simulated import bead_stack
from live_smlm.calibration.spline import calibrate_spline
from live_smlm.cli import main
from live_smlm.physics.psf.files import save
from live_smlm.physics.psf.gaussian import AstigmaticPSF


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in which something is wrong, and a good movie, table and bead stack."""
    place = tmp_path_factory.mktemp("refusals")
    frames = np.full((3, 32, 32), 110, np.uint16)
    tifffile.imwrite(place / "ok.tif", frames, photometric="minisblack")
    (place / "ok.csv").write_text("frame,x_nm,y_nm,photons\n0,100,100,500\n")
    np.save(place / "words.npy", np.full((32, 32), "a"))
    np.save(place / "complex.npy", np.ones((32, 32), complex))
    (place / "empty.npy").write_bytes(b"")
    (place / "number.toml").write_text('kind = "scmos"\noffset_adu_map = 5\n')
    psf = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
    beads = bead_stack(psf, np.arange(-500.0, 501.0, 25.0), beads=4)
    tifffile.imwrite(place / "beads.tif", beads.stack, photometric="minisblack")
    save(calibrate_spline(beads.stack, beads.camera, 25.0).psf, place / "psf.h5")
    return place


LOCALIZE = "localize {d}/ok.tif --psf gaussian:sigma_nm=130 --camera scmos"
CALIBRATE = "calibrate {d}/beads.tif --z-step-nm 25 --camera scmos"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (LOCALIZE + ":offset_adu_map={d}/words.npy", "words.npy holds <U1; give real numbers"),
        (LOCALIZE + ":offset_adu_map={d}/complex.npy", "complex.npy holds complex128"),
        (LOCALIZE + ":offset_adu_map={d}/empty.npy", "empty.npy is not a NumPy array file"),
        (LOCALIZE + ":offset_adu_map={d}", "does not exist; check the name"),
        (LOCALIZE + ":offset_adu=70000", "offset_adu is 70000, but 16 bits count to 65535"),
        (LOCALIZE + " --pixel-nm 1e-9", "pixel size is 1e-09 nm; give 1 to 100000"),
        (LOCALIZE + " --pixel-nm 1e9", "pixel size is 1e+09 nm; give 1 to 100000"),
        (LOCALIZE + " --threads 100000", "number of lanes is 100000; give 1 to 256"),
        (LOCALIZE + " --threads -1", "number of lanes is -1; give 1 to 256"),
        ("localize {d}/ok.tif --camera {d}/number.toml", "has the map 5; give a file's name"),
        ("localize {d}/ok.tif --camera {d}/none.toml", "none.toml does not exist; check the name"),
        (
            "localize {d}/ok.tif --camera scmos --psf pupil:mask={d}/empty.npy",
            "empty.npy' is not a NumPy array file",
        ),
        (
            "localize {d}/ok.tif --camera scmos --psf pupil:z_min_nm=-1e5,z_max_nm=1e5",
            "samples of the pupil, 1024 are the most; narrow the range",
        ),
        ("simulate --out {d}/m.tif --on-frames -1", "on_frames is -1; it must be above 0"),
        ("score {d}/ok.csv {d}/ok.csv --min-photons nan", "min_photons is nan"),
        ("score {d}/ok.csv {d}/ok.csv --min-photons -5", "min_photons is -5"),
        (CALIBRATE + " --out {d}/p.toml", "p.toml should end in .h5 for this kind; rename it"),
        (CALIBRATE + " --out {d}/p.h5 --kind astigmatic", "p.h5 should end in .toml"),
        (CALIBRATE + " --out {d}/no/p.h5", "create it to write p.h5"),
        (CALIBRATE + " --out {d}/p.h5 --z-first-nm nan", "--z-first-nm is nan"),
        (
            CALIBRATE + " --out {d}/p.toml --kind astigmatic --z-first-nm 0",
            "an astigmatic curve fits its own zero",
        ),
        (CALIBRATE + ":offset_adu=60000 --out {d}/p.h5", "check the camera's offset"),
        (
            "localize {d}/ok.tif --camera scmos --psf {d}/psf.h5 --pixel-nm 160",
            "pixels of 100 nm and cannot serve 160 nm",
        ),
    ],
)
def test_one_line_and_nothing_left(
    command: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.iterdir())
    assert main(command.format(d=folder).split()) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert message in line
    assert captured.out == ""
    assert sorted(folder.iterdir()) == before
