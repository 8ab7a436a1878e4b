"""The commands do what they say, in process; one test starts a real one."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from vispy.io import read_png

from live_smlm.cli import main
from live_smlm.config import RunConfig, read_config
from live_smlm.store.tables import read_table

CAMERA = "scmos:offset_adu=100,gain_e_per_adu=1,read_noise_e=1.6,qe=1"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Run a command that must succeed; its JSON."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must be refused; its one line."""
    capsys.readouterr()
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small movie with its truth beside it."""
    folder = tmp_path_factory.mktemp("movie")
    arguments = "--frames 20 --size 48x64 --density 0.3 --specimen grid --seed 5".split()
    out = ["--out", str(folder / "movie.tif"), "--truth", str(folder / "truth.csv")]
    assert main(["simulate", *arguments, *out]) == 0
    return folder / "movie.tif"


def test_simulate_localize_score(
    movie: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.csv"
    psf = ("--psf", "gaussian:sigma_nm=130")
    told = said(capsys, "localize", str(movie), "--camera", CAMERA, *psf, "--out", str(out))
    assert told.keys() == {"molecules", "frames", "seconds", "Mpixel/s", "device", "trust"}
    assert told["trust"].startswith("too early")
    assert told["frames"] == 20
    assert told["molecules"] == len(read_table(out))
    scored = said(capsys, "score", str(out), str(movie.with_name("truth.csv")))
    assert scored["jaccard"] > 0.95
    assert scored["n_found"] == told["molecules"]
    assert scored["rmse_axial_nm"] is None


def test_the_same_seed_gives_the_same_movie(movie: Path, tmp_path: Path) -> None:
    arguments = "--frames 20 --size 48x64 --density 0.3 --specimen grid --seed".split()
    for seed, same in (("5", True), ("6", False)):
        again = tmp_path / f"{seed}.tif"
        assert main(["simulate", *arguments, seed, "--out", str(again)]) == 0
        assert np.array_equal(tifffile.imread(again), tifffile.imread(movie)) == same


@pytest.mark.parametrize("engine", ["phasor", "radial", "detect+mle:free_sigma=true"])
def test_engines_by_name_and_chain(
    movie: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    psf = ("--psf", "gaussian:sigma_nm=130")
    told = said(capsys, "localize", str(movie), "--camera", CAMERA, *psf, "--engine", engine)
    assert told["molecules"] > 20 * 5


def test_cameras_and_psfs_from_files(
    movie: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "offset.npy", np.full((48, 64), 100.0))
    (tmp_path / "camera.toml").write_text('kind = "scmos"\noffset_adu_map = "offset.npy"\n')
    (tmp_path / "psf.toml").write_text('kind = "gaussian"\nsigma_nm = 130\n')
    command = ["localize", str(movie)]
    inline = said(capsys, *command, "--camera", CAMERA, "--psf", "gaussian:sigma_nm=130")
    camera = ("--camera", str(tmp_path / "camera.toml"))
    filed = said(capsys, *command, *camera, "--psf", str(tmp_path / "psf.toml"))
    named = said(capsys, *command, *camera, "--psf", f"gaussian:file={tmp_path / 'psf.toml'}")
    assert inline["molecules"] == filed["molecules"] == named["molecules"]


def test_engines_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in said(capsys, "engines")}
    assert rows["gauss-mle"]["default"]
    assert rows["gauss-mle"]["arrow"] == "FrameBatch -> Localizations"
    assert rows["mle"]["devices"] == ["cpu"]
    assert main(["engines"]) == 0
    assert "gauss-mle (default)" in capsys.readouterr().out


def test_the_demo_runs_through_micro_manager_and_its_picture_is_not_black(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    told = said(capsys, "demo", "--frames", "150", "--out", str(folder), "--topology", "threads")
    assert (told["finish"], told["captured"], told["localized"]) == ("completed", 150, 150)
    assert told["lost"] == told["deferred"] == told["shed"] == 0
    record = json.loads((folder / "run.json").read_text())
    assert record["simulated"]
    assert record["source"].startswith("simulated specimen in Micro-Manager")
    assert record["frames"]["captured"] == 150
    picture = read_png(str(folder / "picture.png"))[..., :3]
    left, right = picture[:, :768], picture[:, -768:]
    assert left.max() > 200
    assert np.count_nonzero(right.max(axis=2) > 128) > told["molecules"] / 4
    assert told["jaccard"] > 0.7


def test_a_run_from_a_configuration_and_what_can_be_done_with_it(
    movie: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    lines = [
        f"source = {json.dumps(str(movie))}",
        f"camera = {json.dumps(CAMERA)}",
        'psf = "gaussian:sigma_nm=130"',
        'topology = "threads"',
        "record = true",
    ]
    (tmp_path / "run.toml").write_text("\n".join(lines))
    told = said(capsys, "run", str(tmp_path / "run.toml"), "--out", str(folder))
    assert (told["captured"], told["localized"]) == (20, 20)
    assert said(capsys, "info", str(folder))["disk"]["recorded"] == 20
    assert said(capsys, "recover", str(folder))["localized"] == 20
    table = tmp_path / "locs.csv"
    assert said(capsys, "convert", str(folder), str(table))["molecules"] == told["molecules"]
    direct = tmp_path / "direct.csv"
    psf = ("--psf", "gaussian:sigma_nm=130")
    said(capsys, "localize", str(movie), "--camera", CAMERA, *psf, "--out", str(direct))
    assert table.read_text() == direct.read_text()
    again = tmp_path / "again.tif"
    assert said(capsys, "convert", str(movie), str(again))["frames"] == 20
    assert np.array_equal(tifffile.imread(again), tifffile.imread(movie))


def test_a_movie_is_replayed_at_a_rate_and_watched_while_it_grows(
    movie: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--camera", CAMERA, "--psf", "gaussian:sigma_nm=130", "--topology", "threads")
    paced = f"movie:file={movie},rate_hz=100"
    told = said(capsys, "run", "--source", paced, *words, "--out", str(tmp_path / "paced"))
    assert told["localized"] == 20
    assert told["seconds"] >= 0.2
    watched = f"movie:file={movie},watch_s=0.5,last=9"
    told = said(capsys, "run", "--source", watched, *words, "--out", str(tmp_path / "watched"))
    assert told["localized"] == 10


def test_the_example_configuration_is_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "--example"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "run.toml").write_text(text)
    assert read_config(tmp_path / "run.toml", {}) == RunConfig()
    for key in fields(RunConfig):
        assert f"\n# {key.metadata['help']}\n" in text


def test_the_installed_command_refuses_with_code_2() -> None:
    command = Path(sys.executable).with_name("live-smlm")
    answer = subprocess.run(
        [command, "localize", "nowhere.tif", "--camera", "scmos"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "live-smlm: nowhere.tif does not exist; check the name\n"


def bad_files(folder: Path) -> None:
    """Movies, maps and tables with something wrong."""
    frames = np.full((4, 8, 8), 110, np.uint16)
    tifffile.imwrite(folder / "ok.tif", frames, photometric="minisblack")
    whole = (folder / "ok.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.tif").write_bytes(b"")
    (folder / "text.tif").write_text("no picture")
    tifffile.imwrite(folder / "float.tif", frames / 7.0, photometric="minisblack")
    tifffile.imwrite(folder / "colour.tif", np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    np.save(folder / "small.npy", np.ones((4, 4)))
    np.save(folder / "nan.npy", np.full((8, 8), np.nan))
    np.save(folder / "minus.npy", np.full((8, 8), -1.0))
    (folder / "text.npy").write_text("no array")
    (folder / "bad.toml").write_text("kind = ")
    (folder / "unknown.toml").write_text('sauce = "demo"')
    (folder / "noxy.csv").write_text("frame,z_nm\n1,2\n")


LOCALIZE = "localize {d}/ok.tif --psf gaussian:sigma_nm=130 --camera scmos"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("localize {d}/cut.tif --camera scmos", "cut.tif"),
        ("localize {d}/empty.tif --camera scmos", "empty.tif"),
        ("localize {d}/text.tif --camera scmos", "text.tif"),
        ("localize {d}/float.tif --camera scmos", "float"),
        ("localize {d}/colour.tif --camera scmos", "colour.tif"),
        ("localize {d}/none.tif --camera scmos", "does not exist"),
        (LOCALIZE + ":offset_adu_map={d}/small.npy", "map is 4x4 but the frames are 8x8"),
        (LOCALIZE + ":offset_adu_map={d}/nan.npy", "64 values that are not finite"),
        (LOCALIZE + ":gain_e_per_adu_map={d}/minus.npy", "gain_e_per_adu has the value -1"),
        (LOCALIZE + ":offset_adu_map={d}/text.npy", "text.npy is not a NumPy array file"),
        (LOCALIZE + ":offset_adu_map={d}/none.npy", "none.npy"),
        (LOCALIZE + ":gain_e_per_adu=-2", "gain_e_per_adu has the value -2"),
        (LOCALIZE + ":gain_e_per_adu=2,gain_e_per_adu_map={d}/minus.npy", "say one of them"),
        (LOCALIZE + ":qe=nan", "quantum_efficiency is nan"),
        (LOCALIZE + ":bits=12.5", "bits is '12.5'; give a whole number"),
        (LOCALIZE + " --pixel-nm 0", "pixel_size_nm is 0"),
        (LOCALIZE + " --engine deepstrom", "'deepstrom' is not installed; there are"),
        (LOCALIZE + " --engine gauss-mle:threshold=-1", "threshold"),
        (LOCALIZE + " --engine detect", "a run needs FrameBatch -> Localizations"),
        (LOCALIZE + " --threads -1", "lanes is -1"),
        (LOCALIZE + " --out {d}/table.xyz", "unknown ending '.xyz'"),
        (LOCALIZE + " --out {d}/nowhere/table.csv", "nowhere"),
        ("localize {d}/ok.tif --camera ccd", "kind 'ccd' is unknown; use scmos or emccd"),
        ("localize {d}/ok.tif --camera {d}/bad.toml", "not valid TOML"),
        ("localize {d}/ok.tif --camera scmos", "give --psf"),
        ("localize {d}/ok.tif --camera scmos --psf airy:na=1", "'airy' is unknown"),
        ("localize {d}/ok.tif --camera scmos --psf gaussian", "needs sigma_nm"),
        ("localize {d}/ok.tif --camera scmos --psf gaussian:sigma_nm=0", "sigma_nm is 0"),
        ("localize {d}/ok.tif --camera scmos --psf spline:file={d}/none.h5", "none.h5"),
        ("localize {d}/ok.tif", "--camera"),
        ("score {d}/noxy.csv {d}/noxy.csv", "x_nm"),
        ("simulate --out {d}/m.tif --frames 0", "--frames is 0"),
        ("simulate --out {d}/m.tif --size 0x4", "size is '0x4'"),
        ("simulate --out {d}/m.tif --density -1", "density is -1"),
        ("simulate --out {d}/m.tif --photons 0", "photons is 0"),
        ("simulate --out {d}/m.tif --background nan", "background"),
        ("simulate --out {d}/m.tif --specimen cat", "specimen is 'cat'"),
        ("simulate --out {d}/m.tif --blinking cat", "blinking is 'cat'"),
        ("simulate --out {d}/m.tif --drift cat", "drift 'cat' is unknown"),
        ("simulate --out {d}/m.tif --z-range-nm 100", "says nothing about z"),
        ("simulate --out {d}/m.png", "m.png"),
        ("simulate --out {d}/nowhere/m.tif", "nowhere"),
        ("calibrate {d}/ok.tif --camera scmos --out {d}/p.h5 --z-step-nm 10 --kind cat", "'cat'"),
        ("calibrate {d}/ok.tif --camera scmos --out {d}/p.h5 --z-step-nm 10", "bead"),
        ("run --source {d}/none.tif", "neither demo, simulated, micromanager, movie nor a movie"),
        ("run --source {d}/ok.tif", 'camera is not said; give camera = "scmos'),
        ("run --source movie:file={d}/ok.tif,rate_hz=x --camera scmos", "rate_hz is 'x'"),
        ("run --source movie:rate_hz=3 --camera scmos", "source 'movie' needs file"),
        ("run --source simulated:size=3", "size is '3'"),
        ("run --source simulated:colour=red", "no option 'colour'"),
        ("run --source simulated --overload panic", "overload is 'panic'"),
        ("run --source simulated --overload defer", "needs the raw movie"),
        ("run --source simulated --topology cloud", "topology is 'cloud'"),
        ("run --source simulated --frames 0", "frames is 0"),
        ("run --source simulated --lanes 0", "lanes is 0"),
        ("run --source simulated --listen tcp://0.0.0.0:5570 --out {d}/r", "needs keys"),
        ("run --source simulated --desk tcp://0.0.0.0:5571 --out {d}/r", "needs keys"),
        ("run --source simulated --snapshot-every 0 --out {d}/r", "snapshot_every is 0"),
        ("run --source simulated --keys {d}/none --out {d}/r", "make them with 'live-smlm keys"),
        ("run --source simulated --out {d}", "is not empty"),
        ("run --source simulated --engine nothing --out {d}/r", "'nothing' is not installed"),
        ("run {d}/bad.toml", "not valid TOML"),
        ("run {d}/unknown.toml", "no option 'sauce'; it has camera"),
        ("worker --connect lab-pc", "write tcp://host:port"),
        ("worker --connect tcp://lab-pc:5570", "give --keys FOLDER"),
        ("keys {d}", "keys are never overwritten"),
        ("watch nowhere", "write tcp://host:port"),
        ("recover {d}", "has no run.json"),
        ("info {d}/none", "none"),
        ("convert {d}/noxy.csv {d}/x.csv", "x_nm"),
        ("convert {d}/ok.tif {d}/nowhere/x.tif", "nowhere"),
        ("config", "say --example"),
        ("fly", "No such command 'fly'"),
    ],
)
def test_bad_input_ends_with_one_line_and_leaves_nothing(
    command: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad_files(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert message in refused(capsys, *command.format(d=tmp_path).split())
    assert sorted(tmp_path.iterdir()) == before
