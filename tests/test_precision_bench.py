"""Movies through the command line come back as precisely as the bound allows."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from live_smlm import config
from live_smlm.cli import main
from live_smlm.evaluate.matching import match
from live_smlm.evaluate.precision import precision
from live_smlm.physics.crlb import Readout, crlb
from live_smlm.store.tables import read_table

PIXEL, BACKGROUND, READ_NOISE, PATCH = 100.0, 10.0, 1.6, 31
CAMERA = f"scmos:offset_adu=100,gain_e_per_adu=1,read_noise_e={READ_NOISE},qe=1"


@dataclass(frozen=True)
class Case:
    psf: str
    photons: float
    density: str
    frames: str
    z_range: str
    most: dict[str, float]
    """How much wider than the bound the errors may be: what the default cut-out leaves out."""


ROUND = Case(
    psf="gaussian:sigma_nm=130",
    photons=1000.0,
    density="0.25",
    frames="16",
    z_range="0",
    most={"x": 1.02, "y": 1.02},
)
ASTIGMATIC = Case(
    psf="astigmatic:sx0_nm=130,sy0_nm=130,gx_nm=250,gy_nm=-250,d_nm=400",
    photons=2000.0,
    density="0.11",
    frames="32",
    z_range="400",
    most={"x": 1.02, "y": 1.02, "z": 1.06},
)


@pytest.mark.parametrize("case", [ROUND, ASTIGMATIC], ids=["2D", "astigmatic"])
def test_errors_are_as_wide_as_the_bound(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    movie, true, out = (str(tmp_path / name) for name in ("movie.tif", "truth.csv", "found.csv"))
    optics = ["--psf", case.psf, "--camera", CAMERA]
    light = ["--photons", str(case.photons), "--background", str(BACKGROUND)]
    field = ["--frames", case.frames, "--size", "256x256", "--density", case.density]
    places = ["--specimen", "grid", "--z-range-nm", case.z_range, "--seed", "7"]
    files = ["--out", movie, "--truth", true]
    assert main(["simulate", *optics, *light, *field, *places, *files]) == 0
    assert main(["localize", movie, *optics, "--engine", "gauss-mle", "--out", out]) == 0
    capsys.readouterr()
    assert main(["score", out, true, "--json"]) == 0
    # One false spot per million pixels, at the detector's own threshold.
    assert json.loads(capsys.readouterr().out)["jaccard"] > 0.997
    found, truth = read_table(out), read_table(true)
    pairs = match(found, truth)
    there = truth.where(pairs.truth)
    x, y = (np.mod(there.axis(a), PIXEL) + PATCH // 2 * PIXEL for a in ("x", "y"))
    patch = (PATCH, PATCH)
    readout = Readout(read_variance_e=READ_NOISE**2)
    psf = config.psf(case.psf)
    at = (x, y, there.axis("z"), case.photons, BACKGROUND)
    bound = crlb(psf, *at, patch, PIXEL, readout)
    for axis, most in case.most.items():
        ratio = precision(pairs.errors(found, truth, axis), getattr(bound, axis))
        wide = 4 * ratio.std.standard_error
        assert 1 - wide < ratio.std.value < most + wide, axis
        assert abs(ratio.bias.value) < 4 * ratio.bias.standard_error + 0.02, axis
