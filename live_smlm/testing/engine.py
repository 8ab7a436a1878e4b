"""What every engine promises, whatever its arrow."""

import threading
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from live_smlm.core import (
    F64,
    AnyArray,
    CameraModel,
    Engine,
    EngineContext,
    FrameBatch,
    Localizations,
    Reconstruction,
    RoiBatch,
)
from live_smlm.physics.psf.gaussian import GaussianPSF

CAMERA = CameraModel(shape=(32, 40), pixel_size_nm=100.0, offset_adu=100.0, read_noise_e=1.6)
PSF_SIGMA_NM = 130.0
MOLECULE = (1234.0, 1567.0)
"""x, y in nm of the one molecule in every sample."""
PHOTONS = 5000.0
BACKGROUND = 10.0
SIDE = (13, 41)
"""Rows and columns of what a sample's side channel sees of each molecule."""


def _expected_photons() -> F64:
    x, y = (np.array([value]) for value in MOLECULE)
    image = GaussianPSF(PSF_SIGMA_NM).images(x, y, x, CAMERA.shape, CAMERA.pixel_size_nm)
    return np.asarray(BACKGROUND + PHOTONS * image.value[0])


def known(n: int) -> dict[str, AnyArray]:
    """What somebody knew of the molecules in a sample of cut-outs: a standard and a new column."""
    return {"channel": np.arange(n, dtype=np.int16), "known_before": np.arange(n) + 0.5}


def sample(kind: type, halo: tuple[int, int] = (0, 0)) -> Any:
    """An input of this type: one bright, isolated molecule, Poisson noise.

    Only frames have a halo.
    """
    rng = np.random.default_rng(7)
    expected = _expected_photons()
    if kind is FrameBatch:
        n = 5 + sum(halo)
        pixels = (rng.poisson(expected, (n, *expected.shape)) + 100).astype(np.uint16)
        return FrameBatch(pixels, np.arange(10, 10 + n), np.arange(n, dtype=np.float64), halo)
    if kind is RoiBatch:
        corner = (int(MOLECULE[1] // 100) - 6, int(MOLECULE[0] // 100) - 6)
        cut = expected[corner[0] : corner[0] + 13, corner[1] : corner[1] + 13]
        photons = rng.poisson(cut, (3, *cut.shape)).astype(np.float32)
        row, column = (np.full(3, c, np.int32) for c in corner)
        side = rng.poisson(BACKGROUND, (3, *SIDE)).astype(np.float32)
        return RoiBatch(photons, np.arange(3), row, column, side=side, columns=known(3))
    if kind is Localizations:
        positions = rng.normal(1500, 10, (2, 50)).astype(np.float32)
        return Localizations(frame=np.arange(50), x=positions[0], y=positions[1])
    if kind is Reconstruction:
        image = rng.poisson(1.0, (1, 64, 64)).astype(np.float32)
        return Reconstruction(image=image, pixel_size_nm=20.0, first_frame=0, last_frame=99)
    raise TypeError(f"no sample of {kind.__name__}; the core has no such type")


def nothing(kind: type) -> Any:
    """An input of this type with nothing in it, where that can be."""
    if kind is FrameBatch:
        empty = np.zeros((0, *CAMERA.shape), np.uint16)
        return FrameBatch(empty, np.zeros(0, np.int64), np.zeros(0))
    item = sample(kind)
    return item if kind is Reconstruction else item.where(np.zeros(len(item), bool))


class EngineContract:
    """Subclass and set `engine`; `context` may be replaced where it needs another one."""

    engine: Engine[Any, Any]
    context = EngineContext(camera=CAMERA, psf=GaussianPSF(PSF_SIGMA_NM))

    def opened(self, item: Any) -> Any:
        """The engine's answer to one item."""
        with self.engine.open(self.context) as process:
            return process(item)

    def input(self) -> Any:
        """The sample that this engine's arrow asks for."""
        spec = self.engine.spec
        return sample(spec.consumes, spec.halo)

    def test_says_what_it_is(self) -> None:
        """A name, an arrow between core types, a device."""
        spec = self.engine.spec
        kinds = {FrameBatch, RoiBatch, Localizations, Reconstruction}
        assert {spec.consumes, spec.produces} <= kinds
        assert spec.devices
        assert spec.name == spec.name.strip().lower()

    def test_supports_the_sample_camera(self) -> None:
        """The contract's camera and PSF are ordinary ones."""
        assert self.engine.unsupported(self.context) is None

    def test_gives_what_it_says(self) -> None:
        """The answer has the type of the arrow."""
        assert isinstance(self.opened(self.input()), self.engine.spec.produces)

    def test_same_input_same_answer(self) -> None:
        """Nothing is remembered from one call to the next, nothing is random."""
        item = self.input()
        with self.engine.open(self.context) as process:
            first, second = process(item), process(item)
        _assert_same(first, second)

    def test_leaves_its_input_alone(self) -> None:
        """The input belongs to someone else."""
        item, untouched = self.input(), self.input()
        self.opened(item)
        _assert_same(item, untouched)

    def test_keeps_its_answer(self) -> None:
        """An answer is not written to again by a later call."""
        with self.engine.open(self.context) as process:
            kept = process(self.input())
            copy = {name: array.copy() for name, array in _arrays(kept).items()}
            process(nothing(self.engine.spec.consumes))
        for name, array in _arrays(kept).items():
            np.testing.assert_array_equal(array, copy[name])

    def test_accepts_nothing(self) -> None:
        """No frames, no cut-outs, no molecules: an empty answer, not an error."""
        answer = self.opened(nothing(self.engine.spec.consumes))
        if not isinstance(answer, Reconstruction):
            assert len(answer) == 0

    def test_passes_on_what_is_known(self) -> None:
        """Columns that come with cut-outs leave with the molecules found in them, or better."""
        spec = self.engine.spec
        if spec.consumes is not RoiBatch:
            pytest.skip("not an engine of cut-outs")
        answer = self.opened(self.input())
        columns = answer.columns if isinstance(answer, RoiBatch) else answer.columns()
        before = known(len(self.input()))
        assert before.keys() <= columns.keys()
        places = np.searchsorted(self.input().frame, answer.frame)
        np.testing.assert_array_equal(
            columns["known_before"], before["known_before"][places], strict=True
        )

    def test_two_lanes_at_once(self) -> None:
        """Two openings in two threads do not disturb each other."""
        item = self.input()
        alone = self.opened(item)
        answers: list[Any] = []
        lanes = [threading.Thread(target=lambda: answers.append(self.opened(item))) for _ in "ab"]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        assert len(answers) == len(lanes)
        for answer in answers:
            _assert_same(answer, alone)

    def test_answers_for_core_frames_only(self) -> None:
        """Molecules carry the numbers of the frames between the halos."""
        spec = self.engine.spec
        if spec.consumes is not FrameBatch:
            pytest.skip("not an engine of frames")
        batch = sample(FrameBatch, (1, 1))
        answer = self.opened(batch)
        numbers = batch.index[batch.core]
        if isinstance(answer, Localizations | RoiBatch):
            assert set(np.unique(answer.frame)) <= set(numbers)
        else:
            assert (answer.first_frame, answer.last_frame) == (numbers[0], numbers[-1])

    def test_finds_the_molecule(self) -> None:
        """Positions are nm from the outer corner of pixel (0, 0)."""
        spec = self.engine.spec
        if spec.produces is not Localizations or spec.consumes not in (FrameBatch, RoiBatch):
            pytest.skip("not a localizer")
        found = self.opened(self.input())
        assert len(found)
        # Half a pixel: a convention mixed up is off by that much or more.
        assert abs(float(np.median(found.x)) - MOLECULE[0]) < CAMERA.pixel_size_nm / 4
        assert abs(float(np.median(found.y)) - MOLECULE[1]) < CAMERA.pixel_size_nm / 4


def _arrays(item: Any) -> dict[str, Any]:
    if isinstance(item, Localizations):
        return dict(item.columns())
    named = {field.name: getattr(item, field.name) for field in fields(item)}
    named |= dict(named.pop("columns", {}))
    return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}


def _assert_same(left: Any, right: Any) -> None:
    ours, theirs = _arrays(left), _arrays(right)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
