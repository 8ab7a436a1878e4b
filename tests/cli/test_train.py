import json
from pathlib import Path

import numpy as np
import pytest

from live_smlm.cli import main
from live_smlm.inference.bundle import Bundle
from live_smlm.training import molecules, molecules_bundle

SCENE = "--psf gaussian:sigma_nm=130 --camera scmos:read_noise_e=1.6 --density 0.2:1".split()


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(molecules, "_JUDGED", (1, 2))
    monkeypatch.setattr(molecules_bundle, "_BATCHES", 1)


def test_a_trained_bundle_localizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "small"
    words = ["train", "glint:width=4", *SCENE, "--steps", "2", "--out", str(out), "--no-score"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    bundle = Bundle.load(out)
    assert told["hash"] == bundle.hash
    assert bundle.manifest.axes == 2
    assert bundle.manifest.envelope.density_per_um2 == (0.2, 1.0)
    assert bundle.manifest.provenance["steps"] == 2
    assert (tmp_path / "small.checkpoint").is_dir()
    assert main([*words, "--json"]) == 0  # again, in its place

    movie = tmp_path / "movie.tif"
    assert main(["simulate", "--frames", "4", "--size", "40x50", "--out", str(movie)]) == 0
    words = ["localize", str(movie), "--engine", f"glint:model={out},threshold=0.001"]
    words += ["--camera", "scmos:read_noise_e=1.6", "--out", str(tmp_path / "found.csv")]
    assert main(words) == 0


def test_a_camera_s_maps_may_be_as_large_as_its_chip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "noise.npy", np.full((40, 50), 1.6))
    words = ["train", "glint", *SCENE, "--steps", "0", "--out", str(tmp_path / "x")]
    assert main([*words, "--camera", f"scmos:read_noise_e_map={tmp_path / 'noise.npy'}"]) == 2
    assert (
        "give one of them" in capsys.readouterr().err
    )  # of steps and minutes: the last to be read


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--density", "some"], "write LOW:HIGH"),
        (["--steps", "0"], "give one of them"),
        (["--z-range-nm", "300"], "stay within it"),
        (["--threads", "0"], "--threads is 0"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    change: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "glint", *SCENE, "--steps", "2", "--out", str(tmp_path / "x"), *change]
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_options_of_an_architecture_are_whole_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "glint:width=wide", *SCENE, "--steps", "2", "--out", str(tmp_path / "x")]
    assert main(words) == 2
    assert "width is 'wide'" in capsys.readouterr().err
