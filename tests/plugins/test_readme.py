"""The plugin that plugins/README.md prints: installed by pip from a folder elsewhere, found, run
live, and held to the contract.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from live_smlm.core import InputError
from live_smlm.engines import registry
from live_smlm.testing.engine import EngineContract

README = Path(__file__).parents[2] / "plugins" / "README.md"
COMMAND = Path(sys.executable).with_name("live-smlm")


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip puts the README's package; nothing is known of it but what the README prints."""
    package, site = tmp_path_factory.mktemp("package"), tmp_path_factory.mktemp("site")
    (package / "brightest.py").write_text(code_blocks("python")[0])
    (package / "pyproject.toml").write_text(code_blocks("toml")[0])
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    told = subprocess.run(
        [*pip, "--no-build-isolation", "--target", site, package],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return site


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Found in this process."""
    monkeypatch.syspath_prepend(site)
    invalidate_caches()
    yield site
    sys.modules.pop("brightest", None)


def test_it_fits_on_one_screen() -> None:
    assert len(code_blocks("python")[0].splitlines()) <= 50


def test_it_is_listed_and_takes_options(installed: Path) -> None:
    assert installed.is_dir()
    rows = {row.name: row for row in registry.listing()}
    assert rows["brightest"].arrow == "FrameBatch -> Localizations"
    assert rows["brightest"].missing == ()
    assert registry.engine("brightest:min_photons=80").min_photons == 80  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="'brightest' has no option 'x'; it has min_photons"):
        registry.engine("brightest:x=1")


def test_it_runs_live_in_processes_of_its_own(site: Path, tmp_path: Path) -> None:
    source = "simulated:frames=300,size=48x48,density=0.2,rate_hz=200"
    words = f"run --source {source} --engine brightest:min_photons=1 --workers 2 --lanes 1 --json"
    told = subprocess.run(
        [COMMAND, *words.split(), "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(site)},
        timeout=100,
    )
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert (answer["captured"], answer["localized"], answer["lost"]) == (300, 300, 0)
    assert 100 < answer["molecules"] <= 300  # at most the brightest pixel of each frame


class TestBrightest(EngineContract):
    @pytest.fixture(autouse=True)
    def _engine(self, installed: Path) -> None:
        assert installed.is_dir()
        self.engine: Any = import_module("brightest").Brightest()
