"""The bench scripts start, and do their work on tiny problems."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from live_smlm.cli import main

BENCH = Path(__file__).parents[1] / "bench"
NEEDS = {"beads.py": "matplotlib", "fit.py": "picasso"}
"""What of the extra `bench` a script imports."""
SCRIPTS = sorted(path.name for path in BENCH.glob("*.py"))


def run(script: str, *arguments: str) -> str:
    """What a bench script prints; it must end well."""
    if script in NEEDS:
        pytest.importorskip(NEEDS[script], reason=f"{script} needs the extra bench")
    answer = subprocess.run(
        [sys.executable, BENCH / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_says_how_it_is_used(script: str) -> None:
    assert "usage:" in run(script, "--help")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_precision_on_few_molecules(tmp_path: Path) -> None:
    out = tmp_path / "answer.json"
    told = run("precision.py", "--quick", "--json", str(out))
    assert "$ live-smlm calibrate" in told
    rows = json.loads(out.read_text())["simulated"]
    assert [row["case"] for row in rows] == ["2D", "astigmatic", "double helix"]
    for row in rows:
        for axis in "xyz":
            if axis in row:
                # Some 128 molecules or more tell the spread to 6 %.
                assert 0.7 < row[axis][0] < 1.5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_accuracy_on_few_frames(tmp_path: Path) -> None:
    out = tmp_path / "answer.json"
    told = run("accuracy.py", "--quick", "--engine", "gauss-mle", "--json", str(out))
    assert "no gates" in told
    answer = json.loads(out.read_text())
    rows = {row["set_name"]: row["values"] for row in answer["rows"]}
    assert len(rows) == len(answer["rows"]) == 36 + 36
    assert answer["skipped"] == {}
    assert all(values["recall"] > 0 for values in rows.values())
    # Of 50 molecules or more: 0.5 is five standard errors.
    assert 0.5 < rows["astigmatic/pulse/mid/scmos"]["z"] < 1.5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_line_scores_a_standard_set_alike(tmp_path: Path) -> None:
    name, out = "astigmatic/high/mid/scmos", tmp_path / "answer.json"
    told = run("sets.py", "--sets", name, "--write", str(tmp_path))
    assert told.splitlines()[1].startswith(name)
    movie, found = (
        str(tmp_path / f"{stem}") for stem in ("astigmatic_high_mid_scmos", "found.csv")
    )
    optics = [f"--psf={tmp_path / 'astigmatic.toml'}", f"--camera={tmp_path / 'scmos_64.toml'}"]
    assert main(["localize", f"{movie}.tif", *optics, "--out", found]) == 0
    score = ["score", found, f"{movie}.csv", "--min-photons", "400", "--json"]
    run("accuracy.py", "--engine", "gauss-mle", "--sets", name, "--seeds", "1", "--json", str(out))
    (row,) = json.loads(out.read_text())["rows"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(score) == 0
    for key, value in json.loads(printed.getvalue()).items():
        # Positions in the files have six digits.
        assert row["values"][key] == pytest.approx(value, rel=1e-3), key


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_bound_on_few_fits() -> None:
    rows = json.loads(run("crlb.py", "--fits", "100", "--json"))
    assert len(rows) == 9
    ratios = [row[axis] for row in rows for axis in "xyz" if axis in row]
    assert np.all((np.array(ratios) > 0.65) & (np.array(ratios) < 1.35))  # 5 standard errors


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_trust_on_few_frames(tmp_path: Path) -> None:
    out = tmp_path / "answer.json"
    run("trust.py", "--quick", "--json", str(out))  # which ends well where nothing was missed
    rows = json.loads(out.read_text())
    assert len(rows) == 14
    assert {row["verdict"] for row in rows} == {"ok", "alarm"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_simulation_on_few_pixels() -> None:
    lines = run("simulate.py", "--megapixels", "0.3").splitlines()
    assert len(lines) == 1 + 2 * 3 * 2 * 3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fits_beside_picasso_on_few_cut_outs() -> None:
    few = ("--rois", "200", "--repetitions", "1", "--megapixels", "0.6", "--json")
    answer = json.loads(run("fit.py", *few).splitlines()[-1])
    assert answer.keys() == {"fits", "chains", "sparse"}
    assert all(row["fits/s"] > 0 for row in answer["fits"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_pictures_of_few_molecules(tmp_path: Path) -> None:
    out = tmp_path / "answer.json"
    few = ("--molecules", "2000", "--late", "100000", "--repetitions", "1", "--json", str(out))
    told = run("render.py", *few)
    answer = json.loads(out.read_text())
    assert len(answer["speed"]) == 4 * 2 * 2
    assert all(row["molecules_per_s"] > 0 for row in answer["speed"])
    assert [row["specimen"] for row in answer["growth"]] == ["chip", "dense"]
    assert all(row["in_window"] > 0 for row in answer["zoom"])
    assert told.count("met\n") + told.count("MISSED\n") == len(answer["gates"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_gpu_stages_on_a_double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUT", str(tmp_path))
    stages = ("probe", "parity", "models", "speed", "lanes", "render")
    run("gpu.py", "--double", "--sizes", "32", "--seconds", "0.2", "--stage", *stages)
    rows = {stage: json.loads((tmp_path / f"gpu-{stage}.json").read_text()) for stage in stages}
    assert len(rows["lanes"]) == 2 * 3
    assert all(row["Mpixel/s"] > 0 for row in rows["speed"] + rows["lanes"])
    assert all(row["ok"] for row in rows["render"] if "difference" in row)
    assert all(row["ok"] and row["calls/s"] > 0 for row in rows["models"])
    assert all(row["jaccard"] > 0.99 for row in rows["parity"] if "fp32" in row["by"])
