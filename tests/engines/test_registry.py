"""Engines are found by name, chained where their arrows meet, refused with a reason."""

import sys
from dataclasses import dataclass
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from live_smlm.core import (
    CameraModel,
    EngineContext,
    EngineSpec,
    FrameBatch,
    InputError,
    Localizations,
    RoiBatch,
    envelope_in,
)
from live_smlm.engines import registry
from live_smlm.engines.chain import Chain
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.testing.engine import EngineContract

CAMERA = CameraModel(shape=(32, 40), pixel_size_nm=100.0)


def install(folder: Path, name: str, module: str, source: str | None) -> None:
    """Lay out a distribution with one engine, as pip would."""
    if source is not None:
        (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{name} = {module}:Made\n")
    invalidate_caches()


def test_the_official_engines_are_installed() -> None:
    rows = {row.name: row for row in registry.listing()}
    assert {"detect", "mle", "phasor", "gauss-mle", "radial"} <= rows.keys()
    assert [row.name for row in rows.values() if row.default] == ["gauss-mle"]
    assert rows["mle"].arrow == "RoiBatch -> Localizations"


def test_an_engine_of_rois_gets_the_detector_before_it() -> None:
    chain = registry.chain("radial")
    assert chain.spec.name == "detect+radial"
    assert (chain.spec.consumes, chain.spec.produces) == (FrameBatch, Localizations)


def test_a_chain_is_an_engine() -> None:
    spec = registry.chain("detect+mle").spec
    assert (spec.name, spec.arrow) == ("detect+mle", "FrameBatch -> Localizations")
    assert registry.engine("detect").spec.produces is RoiBatch


@dataclass(frozen=True)
class Trained:
    """An engine that says what it was made for, and what part of that in a place."""

    wide: dict[str, tuple[float, float]]
    narrow: dict[str, tuple[float, float]]

    @property
    def spec(self) -> EngineSpec:
        return EngineSpec(
            name="trained",
            consumes=Localizations,
            produces=Localizations,
            envelope=self.wide,
        )

    def unsupported(self, context: EngineContext) -> str | None:
        raise AssertionError(context)

    def open(self, context: EngineContext) -> Any:
        raise AssertionError(context)

    def envelope_in(self, context: EngineContext) -> dict[str, tuple[float, float]]:
        assert context.camera is CAMERA
        return self.narrow


def test_a_chain_was_made_for_what_all_of_its_parts_were() -> None:
    one = Trained({"z_nm": (-600, 600)}, {"z_nm": (-300, 400)})
    two = Trained({"z_nm": (-500, 700), "photons": (1, 2)}, {"z_nm": (-400, 300)})
    chain = Chain((one, two))
    assert chain.spec.envelope == {"z_nm": (-500, 600), "photons": (1, 2)}
    assert envelope_in(chain, EngineContext(camera=CAMERA)) == {"z_nm": (-300, 300)}


class TestChain(EngineContract):
    engine = registry.chain("radial")


def test_a_chain_passes_on_the_first_reason() -> None:
    chain = registry.chain("detect+radial")
    shaped = AstigmaticPSF(130, 130, 250, -250, 400)
    assert "round PSF" in str(chain.unsupported(EngineContext(camera=CAMERA, psf=shaped)))
    assert chain.unsupported(EngineContext(camera=CAMERA, psf=GaussianPSF(130))) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gaus-mle", "'gaus-mle' is not installed; there are"),
        ("", "engine is empty"),
        ("mle+detect", "'mle' consumes|'detect' consumes FrameBatch, but 'mle'"),
        ("gauss-mle:jont=true", "no option 'jont'"),
    ],
)
def test_what_cannot_be_made_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        registry.chain(text)


def test_a_chain_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="chain is empty"):
        Chain(())


def test_a_plugin_that_cannot_be_imported_is_listed_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "broken", "broken_engine", "import a_module_that_is_not_there\n")
    (row,) = [row for row in registry.listing() if row.name == "broken"]
    assert "a_module_that_is_not_there" in row.missing[0]
    with pytest.raises(InputError, match="'broken' cannot be loaded: No module named 'a_module"):
        registry.engine("broken")
    assert "broken_engine" not in sys.modules


def test_a_name_claimed_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "radial", "another_radial", None)
    with pytest.raises(InputError, match="'radial' is claimed by"):
        registry.found()
