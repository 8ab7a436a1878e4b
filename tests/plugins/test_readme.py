"""The plugin that plugins/README.md prints is installed, found, run and held to the contract."""

import re
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


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The README's module and entry point, as pip would lay them."""
    (tmp_path / "brightest.py").write_text(code_blocks("python")[0])
    folder = tmp_path / "brightest-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: brightest\nVersion: 1\n")
    group, line = code_blocks("toml")[0].strip().splitlines()
    assert group == f'[project.entry-points."{registry.GROUP}"]'
    (folder / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{line.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    invalidate_caches()
    yield tmp_path
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


class TestBrightest(EngineContract):
    @pytest.fixture(autouse=True)
    def _engine(self, installed: Path) -> None:
        assert installed.is_dir()
        self.engine: Any = import_module("brightest").Brightest()
