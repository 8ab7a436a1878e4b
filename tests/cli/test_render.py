"""Tables become pictures that show what they hold; what cannot be drawn says so in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from vispy.io import read_png

from live_smlm.cli import main
from live_smlm.core import drift_curve, from_columns
from live_smlm.render.colour import value_shades
from live_smlm.store.log import LocalizationLog
from live_smlm.store.quality import QualityLog
from live_smlm.store.tables import read_table, write_table

LINE_X = 1003.0, 1203.0
"""Two lines of molecules, 200 nm apart."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lines along y, the left one deep and dim, the right one high and bright."""
    place = tmp_path_factory.mktemp("render")
    y = np.tile(np.arange(500.0, 2500.0, 4.0), 2)
    right = np.repeat([False, True], 500)
    columns = {
        "frame": np.arange(1000),
        "x": np.where(right, LINE_X[1], LINE_X[0]),
        "y": y,
        "z": np.where(right, 300.0, -300.0),
        "photons": np.where(right, 2000.0, 400.0),
        "sigma_x": np.full(1000, 8.0),
        "sigma_y": np.full(1000, 8.0),
    }
    found = from_columns(columns)
    write_table(place / "found.csv", found)
    bare = {name: columns[name] for name in ("frame", "x", "y")}
    write_table(place / "bare.csv", from_columns(bare))
    write_table(place / "none.csv", found.where(slice(0)))
    return place


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """Render, which must succeed; the answer."""
    capsys.readouterr()
    assert main(["render", *map(str, arguments), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


WINDOW = ("--window", "800,1000,600,400")


@pytest.mark.parametrize("mode", ["histogram", "gaussian", "precision", "dithered"])
def test_a_tiff_holds_molecules_and_its_scale(
    mode: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.tif"
    told = said(capsys, folder / "found.csv", "--out", out, "--pixel", 5, *WINDOW, "--mode", mode)
    assert (told["mode"], told["rows"], told["columns"]) == (mode, 80, 120)
    with tifffile.TiffFile(out) as file:
        image, page = file.asarray(), file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        above, below = page.tags["XResolution"].value
        assert 1e3 / (above / below) == pytest.approx(5.0)
        assert file.imagej_metadata is not None
        assert file.imagej_metadata["unit"] == "um"
        assert json.loads(file.imagej_metadata["Info"])["origin_yx_nm"] == [1000, 800]
    assert image.dtype == np.float32
    # 100 molecules of each line lie in the window; those beside its edges reach over them.
    assert image.sum(dtype=float) == pytest.approx(200, rel=0.03)
    assert told["sum"] == pytest.approx(image.sum(dtype=float), rel=1e-4)
    x = 800 + 5 * (np.arange(120) + 0.5)
    across = image.sum(0, dtype=float)
    means = [np.average(x[half], weights=across[half]) for half in (slice(60), slice(60, 120))]
    assert means[1] - means[0] == pytest.approx(200, abs=2)
    assert means[0] == pytest.approx(LINE_X[0], abs=2.6)


def test_a_picture_is_as_large_as_its_molecules_and_not_black(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.png"
    told = said(capsys, folder / "found.csv", "--out", out, "--pixel", 2)
    assert told["mode"] == "precision"
    picture = read_png(str(out))[..., :3]
    assert picture.shape == (told["rows"], told["columns"], 3) == (1023, 125, 3)
    assert picture.max() == 255
    assert told["scale_bar_nm"] == 50
    white = (picture[-16:-12] == 255).all(axis=(0, 2))
    assert white[-12 - 25 : -12].all()


def test_colours_tell_the_value(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.png"
    by = ("--colour-by", "z", "--mode", "histogram", "--percentile", "0")
    told = said(capsys, folder / "found.csv", "--out", out, *by)
    assert (told["colour_low"], told["colour_high"]) == (-300, 300)
    picture, ends = read_png(str(out))[:100, :, :3], value_shades("viridis")
    assert picture[50, 0].tolist() == ends[0].tolist()
    assert picture[50, 20].tolist() == ends[-1].tolist()
    wide = ("--colour-range", "-300,900", "--colormap", "magma")
    said(capsys, folder / "found.csv", "--out", out, *by, *wide)
    picture = read_png(str(out))[..., :3]
    assert picture[50, 20].tolist() == value_shades("magma")[round(255 / 2)].tolist()


def test_a_tiff_has_the_value_on_its_second_page(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.tif"
    said(
        capsys, folder / "found.csv", "--out", out, "--mode", "histogram", "--colour-by", "photons"
    )
    image, mean = tifffile.imread(out)
    assert mean[50, 0] == pytest.approx(400)
    assert mean[50, 20] == pytest.approx(2000)
    assert np.array_equal(np.isfinite(mean), image > 0)


def test_filters_leave_molecules_out(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.tif"
    told = said(capsys, folder / "found.csv", "--out", out, "--filter", "photons>500,precision<9")
    assert told["molecules"] == 500
    assert tifffile.imread(out).sum(dtype=float) == pytest.approx(500, rel=1e-5)


def test_a_table_without_precisions_is_drawn_with_one_width(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(capsys, folder / "bare.csv", "--out", tmp_path / "p.png")
    assert told["mode"] == "gaussian"
    assert read_png(str(tmp_path / "p.png"))[..., :3].max() == 255


def test_a_run_s_folder_is_a_table_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    movie, run = tmp_path / "m.tif", tmp_path / "run"
    assert main(["simulate", "--frames", "20", "--size", "32x32", "--out", str(movie)]) == 0
    words = f"run --source {movie} --camera scmos --psf gaussian:sigma_nm=130 --out {run} --json"
    assert main(words.split()) == 0
    told = said(capsys, run, "--out", tmp_path / "p.png", "--colour-by", "frame")
    assert told["molecules"] == len(read_table(run)) > 0
    assert read_png(str(tmp_path / "p.png"))[..., :3].max() > 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("found.csv --out p.jpg", "unknown ending '.jpg'; use .png, .tif, .tiff"),
        ("found.csv --out no/p.png", "create it to write p.png"),
        ("gone.csv --out p.png", "gone.csv does not exist"),
        ("none.csv --out p.png", "none.csv holds no molecules"),
        ("found.csv --out p.png --pixel 0", "pixel is 0 nm"),
        ("found.csv --out p.png --pixel 1e-4", "pixels; give 1 to"),
        ("found.csv --out p.png --window 1,2,3", "give 4 numbers with commas between"),
        ("found.csv --out p.png --window 1,2,nan,3", "give 4 numbers with commas between"),
        ("found.csv --out p.png --window 1,2,0,3", "both must be above 0"),
        ("found.csv --out p.png --window 1e6,1e6,100,100", "move its --window"),
        (
            "found.csv --out p.png --colour-by z --window 1e6,1e6,100,100",
            "no molecule with a known z lies in the picture",
        ),
        ("found.csv --out p.png --filter photons", "write such as photons>500"),
        ("found.csv --out p.png --filter photons>9e9", "none of the 1000 molecules passes"),
        ("found.csv --out p.png --filter light>5", "no column 'light'"),
        ("found.csv --out p.png --colour-by channel", "no column 'channel'"),
        ("found.csv --out p.png --colormap jet", "colour map 'jet' is unknown"),
        ("found.csv --out p.png --colour-range 1,2", "say --colour-by as well"),
        ("found.csv --out p.png --colour-by z --colour-range 2,1", "runs backwards"),
        ("found.csv --out p.png --gamma 0", "gamma is 0"),
        ("found.csv --out p.png --percentile 101", "percentile is 101"),
        ("found.csv --out p.png --mode star", "'star' is not one of"),
        ("found.csv --out p.png --mode gaussian --width-nm 0", "width of a molecule is 0 nm"),
        ("found.csv --out p.png --mode dithered --copies 0", "points per molecule are 0"),
        ("bare.csv --out p.png --mode precision", "no column 'sigma_x'"),
    ],
)
def test_what_cannot_be_drawn_says_so_in_one_line(
    arguments: str,
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert main(["render", *arguments.split()]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert message in line
    assert captured.out == ""
    assert sorted(folder.iterdir()) == before


def test_a_run_is_drawn_without_its_drift_where_that_is_asked_for(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    n = 200
    found = from_columns({"frame": np.arange(n), "x": 500.0 + np.arange(n), "y": np.full(n, 500.0)})
    with LocalizationLog(tmp_path) as log, QualityLog(tmp_path) as quality:
        log.append(0, n, np.arange(n), found)
        quality.latest(drift_curve([0, n - 1], [0.0, n - 1], [0.0, 0.0]), {})
    out = tmp_path / "picture.png"
    raw = said(capsys, tmp_path, "--out", out)
    still = said(capsys, tmp_path, "--out", out, "--drift")
    assert raw["columns"] - still["columns"] == pytest.approx(n / 10, abs=2)
    assert main(["render", str(folder / "bare.csv"), "--out", str(out), "--drift"]) == 2
    assert "drop --drift" in capsys.readouterr().err
