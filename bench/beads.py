"""PSFs from beads: the measured astigmatic stack, and a simulated double helix.

    python bench/beads.py --data DIR

DIR holds `astigmatic_beads/beads.tif` (100 nm pixels, 10 nm steps, offset 100).
Prints the fitted curve and its residuals, writes `bench/pictures/astigmatic_beads.png`,
and fits molecules with a double-helix spline made from a noisy bead stack.
"""

import argparse
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import tifffile

from live_smlm.calibration.astigmatic import AstigmaticCalibration, calibrate_astigmatic
from live_smlm.calibration.descent import descend, poisson
from live_smlm.calibration.simulated import BeadStack, bead_stack
from live_smlm.calibration.spline import calibrate_spline
from live_smlm.core import F64, CameraModel
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.spline import SplinePSF, patch

mpl.use("Agg")
from matplotlib import pyplot as plt

PICTURE = Path(__file__).parent / "pictures" / "astigmatic_beads.png"
HALF_RANGE_NM = 500.0
GATE_PERCENT = 3.0
SIDE = 25
PHOTONS, BACKGROUND = 2000.0, 10.0


def percent(part: F64) -> float:
    return 100 * float(np.sqrt(np.mean(part**2)))


def astigmatic(path: Path) -> bool:
    stack = tifffile.imread(path)
    camera = CameraModel(shape=stack.shape[1:], pixel_size_nm=100.0, offset_adu=100.0)
    fitted = calibrate_astigmatic(stack, camera, 10.0)
    print(f"{path.name}: {len(fitted.beads.found)} beads, {len(fitted.beads.refused)} refused")
    for name, value in fitted.psf.describe().items():
        print(f"  {name:9} {value if isinstance(value, str) else f'{value:.4g}'}")
    x, y = (percent(part) for part in fitted.residuals(HALF_RANGE_NM))
    print(f"residuals over +-{HALF_RANGE_NM:g} nm: sigma_x {x:.2f} % rms, sigma_y {y:.2f} % rms")
    draw(fitted)
    return max(x, y) <= GATE_PERCENT


def draw(fitted: AstigmaticCalibration) -> None:
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(6.4, 5.2), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    z = fitted.z_nm[fitted.used]
    line = np.linspace(fitted.psf.z_min_nm, fitted.psf.z_max_nm, 300)
    sigma_x, sigma_y, _, _ = fitted.psf.widths(line)
    for seen, curve, colour, name in (
        ([p.sigma_x_nm for p in fitted.planes], sigma_x, "tab:blue", r"$\sigma_x$"),
        ([p.sigma_y_nm for p in fitted.planes], sigma_y, "tab:orange", r"$\sigma_y$"),
    ):
        values = np.array(seen)[fitted.used]
        top.plot(z, values, ".", color=colour, ms=2.5, alpha=0.5, label=f"{name} of 6 beads")
        top.plot(line, curve, "-", color=colour, lw=1.5, label=f"{name} curve")
        off = 100 * (values / np.interp(z, line, curve) - 1)
        bottom.plot(z, off, ".", color=colour, ms=2.5, alpha=0.5)
    for limit in (-GATE_PERCENT, GATE_PERCENT):
        bottom.axhline(limit, color="grey", lw=0.8, ls=":")
    top.set_ylabel("width (nm)")
    top.legend(frameon=False, ncols=2)
    bottom.set(xlabel="z (nm)", ylabel="residual (%)", ylim=(-8, 8))
    figure.savefig(PICTURE, dpi=90)
    plt.close(figure)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size / 1000:.0f} kB")


def double_helix() -> None:
    truth = PupilPSF(mask="double_helix", z_min_nm=-900, z_max_nm=900)
    beads = bead_stack(truth, np.arange(-750, 751, 25.0), beads=6)
    psf = calibrate_spline(beads.stack, beads.camera, 25.0, z_first_nm=-750.0).psf
    z = np.linspace(-500, 500, 21)
    middle = np.full(21, SIDE * 50.0)
    lift = float(beads.height_nm.mean())
    true = truth.images(middle, middle, z + lift, (SIDE, SIDE), 100.0).value
    found = psf.images(middle, middle, z, (SIDE, SIDE), 100.0).value
    found *= np.sum(true * found) / np.sum(found**2)
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(true, found, strict=True)]
    off = np.sqrt(np.mean((true - found) ** 2, axis=(1, 2))) / true.max(axis=(1, 2))
    print("double helix from 6 beads of 20,000 photons, 61 planes of 25 nm, against the truth:")
    print(
        f"  correlation {min(alike):.4f} at worst, error {100 * off.max():.2f} % of the peak, rms"
    )
    ratios, bias = molecules(truth, psf, beads)
    print(f"  {PHOTONS:g} photons on {BACKGROUND:g}, |z| <= 500 nm, 400 fits:")
    for name, ratio, shift in zip("xyz", ratios, bias, strict=True):
        print(f"  {name}: std/CRLB {ratio:.3f}, bias {shift:+.1f} nm")


def molecules(truth: PupilPSF, psf: SplinePSF, beads: BeadStack) -> tuple[F64, F64]:
    """Fit molecules that the truth made with the measured PSF."""
    rng = np.random.default_rng(5)
    places = np.concatenate(
        [SIDE / 2 + rng.uniform(-0.5, 0.5, (2, 400)), rng.uniform(-5, 5, (1, 400))]
    )
    x, y, z = 100 * places
    image = truth.images(x, y, z + beads.height_nm.mean(), (SIDE, SIDE), 100.0)
    errors, bounds = [], []
    for i in range(len(x)):
        mean = PHOTONS * image.value[i].ravel() + BACKGROUND
        parts = [PHOTONS * d[i].ravel() for d in (image.d_x, image.d_y, image.d_z)]
        slopes = np.stack([*parts, image.value[i].ravel(), np.ones(SIDE**2)])
        bounds.append(np.sqrt(np.diag(np.linalg.inv(slopes / mean @ slopes.T)))[:3])
        start = np.array([*places[:, i], PHOTONS, BACKGROUND])
        errors.append(100 * (fit(psf, rng.poisson(mean).astype(float), start) - start)[:3])
    return (np.array(errors) / bounds).std(axis=0), np.mean(errors, axis=0)


def fit(psf: SplinePSF, data: F64, start: F64) -> F64:
    """x, y in pixels, z in units of 100 nm, photons, background."""
    out = np.empty((4, SIDE, SIDE))
    unit = 100 / psf.z_step_nm

    def model(at: F64) -> tuple[F64, F64] | None:
        patch(psf.coefficients, at[0], at[1], at[2] * unit - psf.z0_nm / psf.z_step_nm, out)
        value, d_x, d_y, d_z = (part.ravel() for part in out)
        slopes = [at[3] * d_x, at[3] * d_y, at[3] * unit * d_z, value, np.ones_like(value)]
        return at[3] * value + at[4], np.stack(slopes)

    return descend(model, start, data, poisson).parameters


def main() -> int:
    parser = argparse.ArgumentParser(description="PSFs from beads")
    parser.add_argument("--data", type=Path, required=True, help="folder with astigmatic_beads/")
    good = astigmatic(parser.parse_args().data / "astigmatic_beads" / "beads.tif")
    double_helix()
    print("gate (residuals <= 3 %):", "met" if good else "MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
