"""The house's own rules: what an import costs, and that the checkers see what is wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "vispy", "zmq", "pycromanager", "PySide6", "onnxruntime", "numba", "tensorrt")


_COMPILED = shutil.ignore_patterns("__pycache__")


def python(
    *arguments: str, cwd: Path = ROOT, path: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
        timeout=110,
    )


def test_importing_the_package_needs_nothing_heavy() -> None:
    code = "import sys, json, live_smlm, live_smlm.core; print(json.dumps(list(sys.modules)))"
    loaded = set(json.loads(python("-c", code).stdout))
    assert "live_smlm" in loaded
    assert not loaded.intersection(HEAVY)


def test_importing_the_package_is_quick() -> None:
    code = (
        "from time import process_time as now; start = now()\n"
        "import live_smlm.core; print(now() - start)"
    )
    fastest = min(float(python("-c", code).stdout) for _ in range(3))
    assert fastest < 0.3


def test_the_top_level_holds_what_it_should() -> None:
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - the git that the user has
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    ).stdout.split()
    if not listed:
        pytest.skip("not a git checkout")
    top = {name.split("/")[0] for name in listed}
    allowed = {"pyproject.toml", "live_smlm", "plugins", "tests", "bench", "README.md", "LICENSE"}
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_every_plugin_is_built_and_linted() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {p.parent.name for p in (ROOT / "plugins").glob("*/live_smlm_*/__init__.py")}
    built = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages <= {path.split("/")[-1] for path in built}
    assert packages <= set(settings["tool"]["importlinter"]["root_packages"])
    forbidden = settings["tool"]["importlinter"]["contracts"][-1]
    assert packages == set(forbidden["source_modules"])


def planted(tmp_path: Path, name: str, text: str) -> Path:
    """A copy of the house with one file more."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "live_smlm", tmp_path / "live_smlm", ignore=_COMPILED)
    for package in (ROOT / "plugins").glob("*/live_smlm_*"):
        shutil.copytree(package, tmp_path / package.name, ignore=_COMPILED)
    fault = tmp_path / name
    fault.write_text(text)
    return fault


def test_ruff_sees_a_planted_fault(tmp_path: Path) -> None:
    fault = planted(tmp_path, "live_smlm/core/planted.py", '"""A fault."""\n\nimport os\n')
    answer = python("-m", "ruff", "check", "--no-cache", str(fault), cwd=tmp_path)
    assert answer.returncode == 1
    assert "F401" in answer.stdout


def test_mypy_sees_a_planted_fault(tmp_path: Path) -> None:
    text = "from live_smlm.core import Localizations\n\nlength: str = len(Localizations.x)\n"
    fault = planted(tmp_path, "planted.py", text)
    cache = f"--cache-dir={tmp_path / 'cache'}"
    answer = python("-m", "mypy", cache, str(fault), cwd=tmp_path)
    assert answer.returncode == 1
    assert "Incompatible types in assignment" in answer.stdout


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("live_smlm/core/planted.py", "import live_smlm.engines.registry\n", "downwards"),
        ("live_smlm/store/planted.py", "import live_smlm.render.splat\n", "downwards"),
        ("live_smlm/engines/planted.py", "import torch\n", "Heavy packages"),
        ("live_smlm_radial/planted.py", "import live_smlm.engines\n", "Plugins see"),
        ("live_smlm/attic.py", "", "downwards"),
    ],
)
def test_import_linter_sees_a_planted_fault(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    planted(tmp_path, name, text)
    answer = lint_imports(tmp_path)
    assert answer.returncode == 1
    assert re.search(rf"{complaint}.* BROKEN", answer.stdout) or "attic" in answer.stdout


def test_import_linter_accepts_the_house(tmp_path: Path) -> None:
    planted(tmp_path, "live_smlm/core/planted.py", "")
    answer = lint_imports(tmp_path)
    assert answer.returncode == 0, answer.stdout


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
    return python("-c", code, cwd=folder, path=folder)
