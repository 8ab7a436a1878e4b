from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from live_smlm.core import (
    F32,
    CameraModel,
    EngineContext,
    FrameBatch,
    InputError,
    Localizations,
    RawPixels,
    concatenate,
)
from live_smlm.engines.chain import Chain
from live_smlm.fitting.fields import FIELDS
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.model_engine import Localizer, ModelEngine, molecules
from live_smlm.inference.runtime import Peaks
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.testing.engine import CAMERA, EngineContract

Movie = tuple[RawPixels, list[F32]]


def engine(bundle: Bundle | str, **options: Any) -> ModelEngine:
    model = bundle if isinstance(bundle, str) else str(bundle.folder)
    return ModelEngine(name="spots", package="live_smlm.core", model=model, **options)


class TestModelEngine(EngineContract):
    @pytest.fixture(autouse=True)
    def _engine(self, bundle: Bundle) -> None:
        self.engine = engine(bundle)


class TestSkippingTheDark(EngineContract):
    @pytest.fixture(autouse=True)
    def _engine(self, bundle: Bundle) -> None:
        self.engine = engine(bundle, skip_dark=True)


def batch(pixels: RawPixels, index: Any, halo: tuple[int, int] = (0, 0)) -> FrameBatch:
    return FrameBatch(pixels, np.asarray(index, np.int64), np.asarray(index, np.float64), halo)


def localized(one: ModelEngine, camera: CameraModel, *batches: FrameBatch) -> Localizations:
    with one.open(EngineContext(camera=camera)) as localize:
        return concatenate([localize(part) for part in batches])


def assert_same(left: Localizations, right: Localizations) -> None:
    assert left.columns().keys() == right.columns().keys()
    for name, column in left.columns().items():
        np.testing.assert_allclose(column, right.columns()[name], rtol=1e-5, atol=0.01)


def test_chunks_as_the_dispatcher_cuts_them_change_nothing(
    bundle: Bundle, camera: CameraModel, movie: Movie
) -> None:
    """The first and last frame have no context on one side."""
    pixels, _ = movie
    one, index = engine(bundle), np.arange(40, 60)
    whole = localized(one, camera, batch(pixels, index))
    parts = [
        batch(pixels[begin:end], index[begin:end], halo)
        for begin, end, halo in ((0, 7, (0, 1)), (5, 12, (1, 1)), (10, 20, (1, 0)))
    ]
    assert len(whole) > 50
    assert_same(localized(one, camera, *parts), whole)


def test_a_lost_frame_is_no_context(bundle: Bundle, camera: CameraModel, movie: Movie) -> None:
    pixels, _ = movie
    one = engine(bundle)
    kept = np.r_[0:8, 9:20]
    gapped = localized(one, camera, batch(pixels[kept], kept))
    apart = localized(one, camera, batch(pixels[:8], range(8)), batch(pixels[9:], range(9, 20)))
    assert_same(gapped, apart)


def test_more_context_than_wanted_changes_nothing(
    bundle: Bundle, camera: CameraModel, movie: Movie
) -> None:
    pixels, _ = movie
    one = engine(bundle)
    wide = localized(one, camera, batch(pixels, range(20), (3, 4)))
    exact = localized(one, camera, batch(pixels[2:17], range(2, 17), (1, 1)))
    assert_same(wide, exact)


def test_light_is_in_photons_at_the_camera(
    bundle: Bundle, camera: CameraModel, movie: Movie
) -> None:
    """An EMCCD with a quantum efficiency of 0.9: one count is 2 / 0.9 photons."""
    found = localized(engine(bundle), camera, batch(movie[0], range(20)))
    light, background = found.axis("photons"), found.axis("background")
    # Neighbours and the smoothing's own bias stay below a tenth.
    assert np.median(light) == pytest.approx(1500, rel=0.1)
    assert np.median(background) == pytest.approx(15, rel=0.15)
    assert found.z is None
    assert found.sigma_z is None
    assert (found.axis("probability") >= 0.5).all()


def test_three_axes_tell_z(
    make_bundle: Callable[..., Bundle], camera: CameraModel, movie: Movie
) -> None:
    one = engine(make_bundle(axes=3))
    found = localized(one, camera, batch(movie[0], range(20)))
    assert found.z is not None
    assert found.sigma_z is not None


def test_peaks_become_molecules_of_the_frame(
    make_bundle: Callable[..., Bundle], camera: CameraModel
) -> None:
    values = np.zeros((4, len(FIELDS)), np.float32)
    values[:, FIELDS.index("x")] = [-0.1, 0.0, 69.9, 70.0]
    values[:, FIELDS.index("y")] = 49.9
    values[:, FIELDS.index("photons")] = 90.0
    peaks = Peaks(np.array([0, 0, 1, 1]), values, np.zeros(2, np.int32))
    found = molecules(peaks, np.array([7, 9]), make_bundle().manifest, camera)
    assert found.frame.tolist() == [7, 9]
    np.testing.assert_allclose(found.x, [0, 6990], rtol=1e-6)
    np.testing.assert_allclose(found.y, 4990, rtol=1e-6)
    np.testing.assert_allclose(found.axis("photons"), 200, rtol=1e-6)


def test_a_higher_threshold_gives_fewer(bundle: Bundle, camera: CameraModel, movie: Movie) -> None:
    frames = batch(movie[0], range(20))
    usual = localized(engine(bundle), camera, frames)
    strict = localized(engine(bundle, threshold=0.9), camera, frames)
    assert_same(strict, usual.where(usual.axis("probability") >= 0.9))


def test_what_found_no_slot_is_counted(bundle: Bundle) -> None:
    """More spots in a tile than it has slots."""
    expected = np.full((3, 32, 32), 5.0)
    expected[:, 3::5, 3::5] = 5000.0
    camera = CameraModel(shape=(32, 32), pixel_size_nm=100.0, offset_adu=0.0)
    pixels = expected.astype(np.uint16)
    with engine(bundle).open(EngineContext(camera=camera)) as localize:
        assert isinstance(localize, Localizer)
        found = localize(batch(pixels, range(3)))
        assert len(found) == 3 * bundle.manifest.slots
        assert localize.crowded == 3 * (36 - bundle.manifest.slots)


def test_it_says_what_it_is(bundle: Bundle) -> None:
    one = engine(bundle)
    assert one.spec.halo == (1, 1)
    assert one.spec.devices == ("cpu", "cuda")
    assert one.spec.envelope["density_per_um2"] == (0.05, 1.0)
    context = EngineContext(camera=CAMERA, psf=GaussianPSF(130.0))
    told = one.describe(context)
    assert told["hash"] == bundle.hash
    assert (told["runtime"], told["precision"]) == ("onnxruntime", "fp32")
    assert Chain((one,)).describe(context) == {"spots": told}
    with one.open(context) as localize:
        assert isinstance(localize, Localizer)
        assert localize.opened.identity.startswith("onnxruntime")


def test_a_model_that_does_not_fit_says_why(bundle: Bundle) -> None:
    wrong = EngineContext(camera=CAMERA, psf=GaussianPSF(150.0))
    reason = engine(bundle).unsupported(wrong)
    assert reason is not None
    assert "sigma_nm is 150.0, trained was 130.0" in reason
    coarse = EngineContext(camera=replace(CAMERA, pixel_size_nm=160.0))
    with pytest.raises(InputError, match="pixels are 160 nm"), engine(bundle).open(coarse):
        pass


def test_of_a_folder_of_models_the_one_that_fits_is_taken(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    for axes in (2, 3):
        copytree(make_bundle(axes=axes).folder, tmp_path / f"axes-{axes}")
    several = ModelEngine(name="spots", package="live_smlm", model=str(tmp_path))
    flat = EngineContext(camera=CAMERA)
    assert several.bundle(flat).manifest.axes == 2
    with pytest.raises(InputError, match=r"PSF.*; .*PSF"):
        several.bundle(EngineContext(camera=CAMERA, psf=GaussianPSF(150.0)))


def test_models_that_are_not_there_are_refused() -> None:
    with pytest.raises(InputError, match="neither a folder nor shipped with spots, which has none"):
        _ = engine("flagship").spec
    nothing = engine("")
    assert nothing.spec.envelope == {}
    reason = nothing.unsupported(EngineContext(camera=CAMERA))
    assert reason is not None
    assert "live-smlm train spots" in reason


@pytest.fixture
def package(
    make_bundle: Callable[..., Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A plugin that ships a model of the plane and one with z, which say the same otherwise."""
    models = tmp_path / "shipping_package" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    (models / "a-volume").symlink_to(make_bundle(axes=3).folder)
    (models / "b-plane").symlink_to(make_bundle(axes=2).folder)
    monkeypatch.syspath_prepend(tmp_path)
    return "shipping_package"


def test_the_shipped_model_that_fits_is_chosen(package: str) -> None:
    one = ModelEngine(name="spots", package=package)
    chosen = one.bundle(EngineContext(camera=CAMERA, psf=GaussianPSF(130.0)))
    assert chosen.manifest.axes == 2
    named = ModelEngine(name="spots", package=package, model="a-volume")
    assert named.bundle(EngineContext(camera=CAMERA)).manifest.axes == 3
    reason = one.unsupported(EngineContext(camera=CAMERA, psf=GaussianPSF(200.0)))
    assert reason is not None
    assert reason.count("does not fit") == 2


def test_options_without_sense_are_refused(bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"spots threshold is 1\.2"):
        engine(bundle, threshold=1.2)
    reason = engine(bundle, runtime="onnxruntime", precision="int8").unsupported(
        EngineContext(camera=CAMERA)
    )
    assert reason is not None
    assert "has no precision 'int8'; it has fp32" in reason


def test_a_processor_is_not_taken_for_a_gpu(bundle: Bundle) -> None:
    context = EngineContext(camera=CAMERA, device="cuda")
    reason = engine(bundle, runtime="onnxruntime").unsupported(context)
    assert reason is not None
    assert "runs on the CPU, but device cuda is asked for" in reason
