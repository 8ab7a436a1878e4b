"""The bench scripts start, and do their work on tiny problems."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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
def test_bound_on_few_fits() -> None:
    rows = json.loads(run("crlb.py", "--fits", "100", "--json"))
    assert len(rows) == 9
    ratios = [row[axis] for row in rows for axis in "xyz" if axis in row]
    assert np.all((np.array(ratios) > 0.65) & (np.array(ratios) < 1.35))  # 5 standard errors


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
def test_pictures_of_few_molecules() -> None:
    few = ("--molecules", "2000", "--late", "100000", "--repetitions", "1", "--json")
    answer = json.loads(run("render.py", *few))
    assert len(answer["speed"]) == 4 * 2 * 2
    assert len(answer["growth"]) == 4
    assert all(row["molecules_per_s"] > 0 for row in answer["speed"])
