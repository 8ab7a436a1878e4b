"""What is streamed, cut or skipped is what the whole would have been."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from live_smlm.core import F32, AnyArray, CameraModel, EngineContext, RawPixels
from live_smlm.inference import ring, stream
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.onnx_cpu import OnnxRuntime, encoder, graph
from live_smlm.inference.ring import PerFrame
from live_smlm.inference.runtime import Peaks, RuntimeSettings
from live_smlm.inference.stream import Network, Streamed

SETTINGS = RuntimeSettings(threshold=0.5)
Movie = tuple[RawPixels, list[F32]]


@contextmanager
def opened(bundle: Bundle, camera: CameraModel, **changes: Any) -> Iterator[Any]:
    settings = replace(SETTINGS, **changes)
    with OnnxRuntime().open(bundle, EngineContext(camera=camera), settings) as session:
        yield session


def assert_same(left: Peaks, right: Peaks, *, in_order: bool = True) -> None:
    """To float32's rounding of positions around 1000 px."""
    ours, theirs = [np.c_[p.frame, p.values] for p in (left, right)]
    if not in_order:
        ours, theirs = (table[np.lexsort(table[:, [2, 3, 0]].T)] for table in (ours, theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(left.crowded, right.crowded)


def test_molecules_are_where_they_were_put(
    bundle: Bundle, camera: CameraModel, movie: Movie
) -> None:
    pixels, true = movie
    with opened(bundle, camera) as session:
        peaks = session(pixels, np.arange(len(pixels)))
    assert session.identity.startswith("onnxruntime ")
    assert session.identity.endswith(" cpu fp32")
    x, y = peaks.column("x"), peaks.column("y")
    inside = (x >= 0) & (y >= 0) & (x < camera.shape[1]) & (y < camera.shape[0])
    assert inside.sum() > 50
    away = [
        np.hypot(*(true[frame + 1] / camera.pixel_size_nm - (at_x, at_y)).T).min(initial=np.inf)
        for at_x, at_y, frame in zip(x[inside], y[inside], peaks.frame[inside], strict=True)
    ]
    # Of 1500 photons on 15, an EMCCD tells x and y within 0.14 px each; its noise has tails,
    # and one in twenty molecules overlaps another.
    assert np.mean(np.array(away) < 5 * 0.14) > 0.9


def test_streamed_is_batched(bundle: Bundle, camera: CameraModel, movie: Movie) -> None:
    pixels, _ = movie
    index = np.arange(100, 100 + len(pixels))
    with opened(bundle, camera) as session:
        whole = session(pixels, index)
    with opened(bundle, camera) as session:
        parts = []
        for first, last in ((0, 5), (5, 6), (6, 13), (13, 18)):
            part = session(pixels[first : last + 2], index[first : last + 2])
            parts.append(Peaks(part.frame + first, part.values, part.crowded))
    assert_same(
        Peaks(*(np.concatenate([getattr(p, f) for p in parts]) for f in Peaks.__slots__)), whole
    )


class Counted:
    """An encoder that counts the frames it was given."""

    def __init__(self, run: stream.Encode) -> None:
        self.run = run
        self.frames = 0

    def __call__(self, values: F32) -> PerFrame:
        self.frames += len(values)
        return self.run(values)


@pytest.fixture
def counted(make_bundle: Callable[..., Bundle], camera: CameraModel) -> tuple[Streamed, Counted]:
    bundle = make_bundle(encoder=True)
    encode = Counted(encoder(bundle.graph("features")))
    network = Network(bundle.manifest, graph(bundle.graph("molecules")), encode)
    return Streamed(network, camera, SETTINGS, "counted"), encode


def test_every_frame_is_encoded_once(
    counted: tuple[Streamed, Counted], movie: Movie, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, encode = counted
    pixels, _ = movie
    monkeypatch.setattr(stream, "_PIXELS_AT_ONCE", 3 * 64 * 96)  # in blocks of three frames
    for first, last in ((0, 7), (7, 8), (8, 18)):
        session(pixels[first : last + 2], np.arange(first, last + 2))
    assert encode.frames == len(pixels)


def test_a_frame_that_stands_in_for_another_is_encoded_once(
    counted: tuple[Streamed, Counted], movie: Movie
) -> None:
    session, encode = counted
    places = np.array([0, 0, 1, 2, 2])
    session(movie[0][places], places + 40)
    assert encode.frames == 3


def test_a_number_that_comes_back_with_other_pixels_is_another_frame(
    counted: tuple[Streamed, Counted], bundle: Bundle, camera: CameraModel, movie: Movie
) -> None:
    session, encode = counted
    pixels, _ = movie
    index = np.arange(4)
    session(pixels[:4], index)
    again = session(pixels[4:8], index)
    assert encode.frames == 8
    with opened(bundle, camera) as fresh:
        assert_same(again, fresh(pixels[4:8], index))


def test_features_beyond_the_memory_are_made_again(
    counted: tuple[Streamed, Counted], movie: Movie, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring, "MOST_BYTES", 0)
    session, encode = counted
    for first in (0, 4):
        session(movie[0][first : first + 6], np.arange(first, first + 6))
    assert encode.frames == 12


@pytest.fixture(scope="module")
def wide(simulate: Callable[..., Movie]) -> tuple[CameraModel, RawPixels]:
    """Large enough to be cut, with a region that is dark in all frames."""
    camera = CameraModel(shape=(200, 260), pixel_size_nm=100.0, offset_adu=100.0, read_noise_e=1.0)
    pixels, _ = simulate(camera, frames=8, density_per_um2=0.3, photons=900.0, background=10.0)
    dark, _ = simulate(camera, frames=8, density_per_um2=0.0, photons=1.0, background=10.0)
    pixels[:, :, 90:] = dark[:, :, 90:]
    return camera, pixels


@pytest.mark.parametrize("tile_px", [32, 64, 100])
def test_a_frame_in_windows_is_the_frame_whole(
    bundle: Bundle, wide: tuple[CameraModel, RawPixels], tile_px: int
) -> None:
    camera, pixels = wide
    with opened(bundle, camera) as session:
        whole = session(pixels, np.arange(8))
    with opened(bundle, camera, tile_px=tile_px) as session:
        cut = session(pixels, np.arange(8))
    assert len(whole.frame) > 200
    assert_same(cut, whole, in_order=False)


def test_what_is_dark_is_not_looked_at(
    make_bundle: Callable[..., Bundle], wide: tuple[CameraModel, RawPixels]
) -> None:
    camera, pixels = wide
    bundle = make_bundle(encoder=False)
    run = graph(bundle.graph("molecules"))
    looked = []
    answers = []
    for skip_dark in (False, True):
        shapes: list[tuple[int, ...]] = []

        def seen(values: PerFrame, shapes: list[tuple[int, ...]] = shapes) -> tuple[AnyArray, ...]:
            shapes.append(np.shape(values))
            return run(values)

        settings = replace(SETTINGS, skip_dark=skip_dark)
        session = Streamed(Network(bundle.manifest, seen), camera, settings, "seen")
        answers.append(session(pixels, np.arange(8)))
        looked.append(sum(np.prod(shape) for shape in shapes))
    assert_same(answers[1], answers[0], in_order=False)
    # Four of nine columns of tiles are lit or beside lit ones; noise lights some more.
    assert looked[1] < 0.7 * looked[0]


@pytest.mark.parametrize(
    ("photons", "background"), [(150, 5), (150, 10), (250, 30), (1000, 5), (1000, 30)]
)
def test_no_molecule_is_lost_in_the_dark(
    make_bundle: Callable[..., Bundle],
    simulate: Callable[..., Movie],
    photons: float,
    background: float,
) -> None:
    """Few and dim ones, single or with fainter neighbours in time, all over the envelope."""
    camera = CameraModel(shape=(192, 192), pixel_size_nm=100.0, offset_adu=100.0, read_noise_e=1.0)
    pixels, true = simulate(
        camera, frames=32, density_per_um2=0.003, photons=photons, background=background
    )
    bundle = make_bundle(encoder=False)
    index = np.arange(32)
    with opened(bundle, camera) as session, opened(bundle, camera, skip_dark=True) as quick:
        whole, lit = session(pixels, index), quick(pixels, index)
    wanted = found(whole, true, camera)
    assert len(wanted) >= sum(map(len, true[1:-1])) / 2
    assert len(wanted) > 20
    np.testing.assert_allclose(found(lit, true, camera), wanted, rtol=1e-5, atol=1e-4)
    assert {*map(tuple, np.round(lit.values, 2))} <= {*map(tuple, np.round(whole.values, 2))}


def found(peaks: Peaks, true: list[F32], camera: CameraModel) -> AnyArray:
    """The peaks that are no noise, sorted: some molecule lies within two pixels."""
    table = np.c_[peaks.frame, peaks.values]
    near = [
        np.hypot(*(true[int(row[0]) + 1] / camera.pixel_size_nm - row[2:4]).T).min(initial=9) < 2
        for row in table
    ]
    table = table[near]
    return np.asarray(table[np.lexsort(table[:, [2, 3, 0]].T)])
