"""What the standard sets are: `python bench/sets.py` prints one table of all of them.

The bound is that of a molecule in the middle of the frame and of z, on for a
whole frame. `--write DIR` writes the movies of `--seed` as TIFF, their truth as
CSV, and cameras and PSFs as the files that `live-smlm localize` takes.
"""

import argparse
from pathlib import Path
from typing import TypeAlias

import numpy as np

from live_smlm.core import CameraModel, Localizations, from_columns, require
from live_smlm.core.camera import MAP_FIELDS
from live_smlm.evaluate import isolated, standard
from live_smlm.evaluate.isolated import IsolatedSet
from live_smlm.evaluate.standard import PIXEL_NM, TEST_SEEDS, StandardSet
from live_smlm.physics.crlb import Bound
from live_smlm.physics.psf.files import save
from live_smlm.store.movies import write_tiff
from live_smlm.store.tables import write_table

AnySet: TypeAlias = StandardSet | IsolatedSet


def central(one: AnySet) -> Bound:
    """The least standard errors of a molecule in the middle."""
    there = IsolatedSet(
        psf_name=one.psf_name,
        light="pulse",
        signal_name=one.signal_name,
        camera_name=one.camera_name,
    )
    middle = np.array([there.camera.shape[0] * PIXEL_NM / 2])
    signal = one.signal
    molecule: Localizations = from_columns(
        {
            "frame": np.zeros(1, np.int64),
            "x": middle,
            "y": middle,
            "z": np.zeros(1),
            "photons": np.array([signal.photons]),
            "background": np.array([signal.background]),
        }
    )
    return there.bound(molecule)


def describe(one: AnySet) -> str:
    rows, columns = one.camera.shape
    area = rows * columns * (PIXEL_NM / 1000) ** 2
    bound, signal = central(one), one.signal
    z = "-" if bound.z is None else f"{bound.z[0]:.1f}"
    return (
        f"{one.name:<32}{one.psf.name:<12}{one.density_per_um2:>8.3g}{signal.photons:>9g}"
        f"{signal.background:>12g}  {one.camera_name:<8}{rows:>4}x{columns:<4}{one.frames:>7}"
        f"{one.density_per_um2 * area:>9.1f}{bound.x[0]:>8.2f}{bound.y[0]:>8.2f}{z:>8}"
    )


def write(one: AnySet, seed: int, folder: Path) -> None:
    """One movie and its truth."""
    name = one.name.replace("/", "_")
    movie = one.movie(seed)
    write_tiff(folder / f"{name}.tif", [movie.frames], camera=one.camera)
    write_table(folder / f"{name}.csv", movie.truth, pixel_size_nm=PIXEL_NM)
    write_camera(one.camera, folder, f"{one.camera_name}_{one.camera.shape[0]}")
    save(one.psf, folder / f"{one.psf_name}.toml")


def write_camera(camera: CameraModel, folder: Path, name: str) -> None:
    """The words of `--camera NAME.toml`; maps as NumPy arrays beside it."""
    words: dict[str, object] = {
        "kind": '"emccd"' if camera.is_emccd else '"scmos"',
        "qe": camera.quantum_efficiency,
        "spurious_e": camera.spurious_e,
        **({"em_gain": camera.em_gain} if camera.is_emccd else {}),
    }
    for field in MAP_FIELDS:
        value = getattr(camera, field)
        if np.ndim(value):
            np.save(folder / f"{name}_{field}.npy", value)
            words[f"{field}_map"] = f'"{name}_{field}.npy"'
        else:
            words[field] = value
    text = "".join(f"{key} = {value}\n" for key, value in words.items())
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sets", default="*", metavar="PATTERN", help="of names")
    parser.add_argument("--write", type=Path, metavar="DIR", help="movies and truth go there")
    parser.add_argument("--seed", type=int, default=TEST_SEEDS[0], help="of what is written")
    options = parser.parse_args()
    sets: list[AnySet] = [*standard.named(options.sets), *isolated.named(options.sets)]
    require(bool(sets), f"no set is named as {options.sets!r}; leave out --sets to see all")
    print(
        f"{'set':<32}{'PSF':<12}{'per um2':>8}{'photons':>9}{'background':>12}  {'camera':<8}"
        f"{'pixels':>9}{'frames':>7}{'visible':>9}{'CRLB x':>8}{'y':>8}{'z nm':>8}"
    )
    for one in sets:
        print(describe(one))
    if options.write is not None:
        options.write.mkdir(parents=True, exist_ok=True)
        for one in sets:
            write(one, options.seed, options.write)


if __name__ == "__main__":
    main()
