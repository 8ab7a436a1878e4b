"""The simulated specimen before the real core's demo camera."""

from collections.abc import Iterator

import numpy as np
import pytest

from live_smlm.core import (
    AnyArray,
    CameraModel,
    FrameBatch,
    FrameSource,
    InputError,
    concatenate,
)
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.physics.simulator import Simulator
from live_smlm.sources.specimen import LASER, LiveScene, SpecimenSource, in_demo_camera
from live_smlm.testing.source import SourceContract

INTERVAL_S = 0.005


def simulator(**changed: object) -> Simulator:
    camera = CameraModel(shape=(32, 48), pixel_size_nm=100.0, offset_adu=100.0)
    told: dict[str, object] = {"density": 2.0, "background": 20.0, "seed": 4}
    return Scenario(
        camera=camera,
        psf=GaussianPSF(130.0),
        frame_interval_s=INTERVAL_S,
        **{**told, **changed},  # type: ignore[arg-type] # the fields' own types
    ).simulator()


def joined(batches: list[FrameBatch], part: str) -> AnyArray:
    return np.concatenate([getattr(batch, part) for batch in batches])


class TestContract(SourceContract):
    @pytest.fixture(params=[0, 7])
    def source(self, request: pytest.FixtureRequest) -> Iterator[FrameSource]:
        with in_demo_camera(
            simulator(), frames=40, precomputed=request.param, buffer_mb=16
        ) as source:
            yield source

    def test_opening_again_gives_the_same_frames(self, source: FrameSource) -> None:
        """The clock is real, so the times differ."""
        movies = []
        for _ in range(2):
            with source.open() as stream:
                batches = list(stream)
            movies.append([joined(batches, part) for part in ("pixels", "index")])
        for one, other in zip(*movies, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.fixture
def source() -> Iterator[SpecimenSource]:
    with in_demo_camera(simulator(), frames=60, buffer_mb=16) as source:
        yield source


def test_everything_says_that_it_is_simulated(source: SpecimenSource) -> None:
    info = source.info
    assert info.simulated
    assert info.name == "simulated specimen in Micro-Manager DemoCamera 'Camera'"
    assert info.camera is not None
    assert info.camera.shape == (32, 48)
    assert info.frame_interval_s == INTERVAL_S
    assert info.expected_frames == 60
    assert not info.can_wait


def test_frames_are_the_simulators_and_the_truth_is_theirs(source: SpecimenSource) -> None:
    with source.open() as stream:
        batches = list(stream)
    [(expected, truth)] = simulator().stream(60, batch=60)
    np.testing.assert_array_equal(joined(batches, "pixels"), expected.pixels)
    found = concatenate(source.truth)
    for part in ("frame", "x", "y", "photons"):
        np.testing.assert_array_equal(getattr(found, part), getattr(truth, part))
    assert source.status().frames == 60


def means(batches: list[FrameBatch]) -> AnyArray:
    return np.concatenate([batch.pixels.mean(axis=(1, 2)) for batch in batches])


def test_the_laser_changes_what_the_camera_sees(source: SpecimenSource) -> None:
    """Frames that waited in the buffer when the voltage changed are at most a batch."""
    batches: list[FrameBatch] = []
    changed = None
    with source.open() as stream:
        for batch in stream:
            batches.append(batch)
            if changed is None and batch.index[-1] >= 20:
                source.set(LASER, 0.0)
                changed = int(batch.index[-1])
                waiting = round(source.status().fill * 5000)
    assert source.camera.get(LASER) == "0.0000"
    seen = means(batches)
    assert changed is not None
    lit, dark = seen[:changed], seen[changed + 3 + waiting :]
    assert dark.max() < lit.min()
    # Light out: nothing but the background of 20 photons on the offset of 100.
    assert dark.mean() == pytest.approx(120.0, abs=5 * np.sqrt(20 / (32 * 48 * len(dark))))


def test_the_exposure_scales_the_light() -> None:
    with in_demo_camera(simulator(density=8.0), frames=80, buffer_mb=16) as source:
        batches: list[FrameBatch] = []
        with source.open() as stream:
            for batch in stream:
                batches.append(batch)
                if batch.index[-1] == 30:
                    source.camera.set_exposure(500 * INTERVAL_S)
        seen = means(batches) - 120
        assert source.camera.exposure() == 500 * INTERVAL_S
        assert seen[36:].mean() < 0.75 * seen[:30].mean()


def test_precomputed_frames_repeat_with_new_numbers() -> None:
    with in_demo_camera(simulator(), frames=25, precomputed=10, buffer_mb=16) as source:
        with source.open() as stream:
            batches = list(stream)
        pixels = joined(batches, "pixels")
        np.testing.assert_array_equal(joined(batches, "index"), np.arange(25))
        np.testing.assert_array_equal(pixels[:10], pixels[10:20])
        np.testing.assert_array_equal(pixels[:5], pixels[20:])
        truth = concatenate(source.truth)
        assert set(np.unique(truth.frame)) <= set(range(10))
    with (
        pytest.raises(InputError, match="precomputed is -1"),
        in_demo_camera(simulator(), precomputed=-1),
    ):
        pass


def test_molecules_go_on_in_frames_that_were_lost() -> None:
    whole, gaps = simulator().start(), LiveScene(simulator().start())
    expected, _ = whole.advance(12)
    kept = np.array([0, 1, 5, 6, 7, 11])
    np.testing.assert_array_equal(gaps.show(kept, 1.0), expected.pixels[kept])
    assert set(np.unique(concatenate(gaps.truth).frame)) <= set(kept)


def test_truth_is_kept_only_where_there_is_some_and_it_is_wanted() -> None:
    with in_demo_camera(simulator(), frames=20, buffer_mb=16, keep_truth=False) as source:
        with source.open() as stream:
            assert sum(len(batch) for batch in stream) == 20
        assert source.truth == []
    nobody = LiveScene(simulator(density=1e-9).start())
    nobody.show(np.arange(5), 1.0)
    assert nobody.truth == []


def test_a_move_of_the_stage_moves_the_sample() -> None:
    """Grid molecules are drawn anew in every frame, so filaments: their places are lasting."""
    said = {"specimen": "filaments", "blinking": "four-state"}
    with in_demo_camera(simulator(**said), frames=120, buffer_mb=16) as source:
        truths = []
        for where in ((0.0, 0.0), (0.6, -0.3)):
            source.move(*where)
            place = source.position()
            with source.open() as stream:
                for _ in stream:
                    pass
            truths.append((place, concatenate(source.truth)))
    (_, before), (place, after) = truths
    assert place == pytest.approx((0.6, -0.3), abs=0.01)
    sites = [
        dict(zip(t.extra["molecule"].tolist(), zip(t.x, t.y, strict=True), strict=True))
        for t in (before, after)
    ]
    both = sites[0].keys() & sites[1].keys()
    assert len(both) > 5
    for molecule in both:
        shift = np.subtract(sites[1][molecule], sites[0][molecule])
        np.testing.assert_allclose(shift, 1000 * np.array(place), atol=1e-2)
