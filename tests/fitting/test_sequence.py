from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from live_smlm.core import F32, F64, I64, PSF, CameraModel, InputError
from live_smlm.fitting import sequence
from live_smlm.fitting.counts import count_scale
from live_smlm.fitting.fields import FIELDS
from live_smlm.fitting.sequence import SequenceFitter, sequence_fitter
from live_smlm.physics.noise import expose, scmos_camera
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.sampling import sample

PIXEL, SIZE, SMALL, FRAMES, BACKGROUND = 100.0, 119, 60, 8, 12.0
NETWORK = 1.3
"""Standard errors of the network over the bound of its frame."""
DIMMEST = 100.0
ROUND = GaussianPSF(130.0)
ASTIGMATIC = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
POSITION, LIGHT, SIGMAS = slice(1, 4), FIELDS.index("photons"), slice(6, 9)


@dataclass(frozen=True, eq=False)
class Scene:
    """Molecules on a grid, which shine once, and what a network says of them."""

    counts: F32
    place: I64
    molecules: F32
    who: I64
    """Which molecule a row is."""
    truth: F64
    """(m, 3) x, y (px), z (nm) of the rows."""
    bound: F64
    """(m, 3) of the best fit of the row's own frame, all molecules together."""

    @property
    def index(self) -> I64:
        return np.arange(len(self.counts))


def camera(**options: Any) -> CameraModel:
    settings: dict[str, Any] = {"shape": (SIZE, SIZE), "read_noise_e": 1.6} | options
    return CameraModel(pixel_size_nm=PIXEL, **settings)


def scene(psf: PSF, model: CameraModel, seed: int, pitch: int = 17, depth: float = 400.0) -> Scene:
    """Exponential on-times of two frames, with fractional first and last ones."""
    rng = np.random.default_rng(seed)
    side = model.shape[0] // pitch
    n = side**2
    middle = np.stack(np.meshgrid(*2 * [np.arange(side) + 0.5]), axis=-1).reshape(n, 2) * pitch
    z = rng.uniform(-depth, depth, n) if psf.z_range_nm else np.zeros(n)
    place = np.column_stack([middle + rng.uniform(-1, 1, (n, 2)), z])
    start = rng.uniform(0, FRAMES - 2, n)
    end = start + rng.exponential(2.0, n)
    frame = np.arange(FRAMES)[:, None]
    share = np.clip(np.minimum(end, frame + 1) - np.maximum(start, frame), 0, 1)
    light = share * 2000 * np.exp(0.4 * rng.standard_normal(n))
    x_nm, y_nm = place[:, :2].T * PIXEL
    image = psf.images(x_nm, y_nm, z, model.shape, PIXEL)
    slopes = np.stack([PIXEL * image.d_x, PIXEL * image.d_y, image.d_z, image.value])
    expected = np.tensordot(light, image.value, axes=1) + BACKGROUND
    scale = count_scale(model)
    counts = ((expose(expected, model, rng) - scale.offset) * scale.gain).astype(np.float32)
    when, who = np.nonzero(light > DIMMEST)
    axes = 3 if psf.z_range_nm else 2
    rows, bound = np.zeros((len(who), len(FIELDS)), np.float32), np.ones((len(who), 3))
    for t in range(FRAMES):
        lit = who[when == t]
        parts = np.concatenate([slopes[:axes, lit] * light[t, lit, None, None], slopes[3:, lit]])
        basis = scale.per_photon * parts.transpose(1, 0, 2, 3).reshape(len(lit) * (axes + 1), -1)
        total = (scale.per_photon * expected[t] + scale.extra).ravel()
        covariance = np.linalg.inv((basis / total) @ basis.T)
        residual = counts[t].ravel() + scale.extra.ravel() - total
        # A network sees the same photons as the best fit, and adds noise of its own.
        error = covariance @ (basis @ (residual / total))
        own = np.linalg.cholesky(covariance) @ rng.standard_normal(len(basis))
        error = (error + (NETWORK**2 - 1) ** 0.5 * own).reshape(len(lit), axes + 1)
        sigma = np.sqrt(np.diag(covariance)).reshape(len(lit), axes + 1)
        here = rows[when == t]
        here[:, 1 : 1 + axes] = place[lit, :axes] + error[:, :axes]
        here[:, LIGHT] = scale.per_photon * (light[t, lit] + error[:, axes])
        here[:, 6 : 6 + axes] = NETWORK * sigma[:, :axes]
        here[:, 9] = NETWORK * scale.per_photon * sigma[:, axes]
        rows[when == t] = here
        bound[when == t, :axes] = sigma[:, :axes]
    rows[:, 0], rows[:, LIGHT + 1] = 0.9, scale.per_photon * BACKGROUND
    return Scene(counts, when, rows, who, place[who], bound)


def refined(psf: PSF, model: CameraModel, at: Scene, **options: Any) -> tuple[F32, Any]:
    answer = sequence_fitter(psf, model, **options).refine(
        at.counts, at.index, at.place, at.molecules
    )
    return answer.molecules, answer.refined


CASES: dict[str, tuple[PSF, CameraModel]] = {
    "plane": (ROUND, camera()),
    "astigmatic, emccd": (
        ASTIGMATIC,
        camera(gain_e_per_adu=45.0, em_gain=300.0, read_noise_e=74.0, quantum_efficiency=0.9),
    ),
    "spline, scmos": (
        sample(ASTIGMATIC, PIXEL, 100.0),
        scmos_camera((SIZE, SIZE), PIXEL, np.random.default_rng(3)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_frames_together_beat_the_bound_of_one_and_say_so_honestly(case: str) -> None:
    psf, model = CASES[case]
    over, pull, who = [], [], []
    for seed in range(6):
        at = scene(psf, model, seed)
        rows, better = refined(psf, model, at)
        assert np.mean(better) > 0.9
        error = rows[:, POSITION] - at.truth
        over.append((error / at.bound)[better])
        pull.append((error / np.where(rows[:, SIGMAS] > 0, rows[:, SIGMAS], 1))[better])
        who.append(at.who[better] + 1000 * seed)
    ratio, claims = np.concatenate(over), np.concatenate(pull)
    # Rows of one molecule share their errors, so molecules are counted; 4 standard errors.
    slack = 4 * (2 * len(np.unique(np.concatenate(who)))) ** -0.5
    for axis in range(2 if psf.z_range_nm is None else 3):
        assert np.std(ratio[:, axis]) < 0.8 * (1 + slack)
        assert abs(np.std(claims[:, axis]) - 1) < 0.05 + slack


def test_a_network_of_the_plane_is_refined_though_the_psf_knows_z() -> None:
    at = scene(ASTIGMATIC, camera(), 1, depth=0.0)
    at.molecules[:, [3, 8]] = 0.0
    answer = sequence_fitter(ASTIGMATIC, camera(), flat=True).refine(
        at.counts, at.index, at.place, at.molecules
    )
    assert np.mean(answer.refined) > 0.9
    assert not answer.molecules[:, 3].any()
    was, now = (np.std(m[:, 1:3] - at.truth[:, :2]) for m in (at.molecules, answer.molecules))
    assert now < 0.8 * was


def test_more_frames_tell_more() -> None:
    spread = []
    for reach in (1, 2):
        error = []
        for seed in range(3):
            at = scene(ASTIGMATIC, camera(), seed)
            rows, _ = refined(ASTIGMATIC, camera(), at, reach=reach)
            error.append((rows[:, POSITION] - at.truth) / at.bound)
        spread.append(np.std(np.concatenate(error)))
    assert spread[1] < spread[0]


def test_molecules_that_overlap_know_of_each_other() -> None:
    """Errors that leave out the neighbours' would be too small by a third or more here."""
    model, pitch = camera(shape=(SMALL, SMALL)), 5
    before, after, pulls, molecules = [], [], [], 0
    for seed in range(4):
        at = scene(ASTIGMATIC, model, seed, pitch)
        rows, better = refined(ASTIGMATIC, model, at)
        error = rows[:, POSITION] - at.truth
        before.append(at.molecules[:, POSITION] - at.truth)
        after.append(error)
        pulls.append((error / rows[:, SIGMAS])[better])
        molecules += len(np.unique(at.who[better]))
    was, now = (np.sqrt(np.mean(np.concatenate(e) ** 2, axis=0)) for e in (before, after))
    assert np.all(now < was)
    # 4 standard errors, and 5 % for what the neighbours' errors have in common.
    limit = 1.05 + 4 * (2 * molecules) ** -0.5
    assert np.all(np.std(np.concatenate(pulls), axis=0) < limit)


def test_a_neighbour_that_nobody_saw_does_no_harm() -> None:
    model, pitch = camera(shape=(SMALL, SMALL)), 6
    before, after = [], []
    for seed in range(3):
        at = scene(ASTIGMATIC, model, seed, pitch)
        seen = at.who % 6 > 0
        half = replace(at, place=at.place[seen], molecules=at.molecules[seen], truth=at.truth[seen])
        rows, _ = refined(ASTIGMATIC, model, half)
        before.append(half.molecules[:, POSITION] - half.truth)
        after.append(rows[:, POSITION] - half.truth)
    was, now = (np.sqrt(np.mean(np.concatenate(e) ** 2, axis=0)) for e in (before, after))
    assert np.all(now < was)


@pytest.fixture(scope="module")
def crowd() -> Scene:
    return scene(ASTIGMATIC, camera(), 7, pitch=7)


@pytest.fixture(scope="module")
def fitter() -> SequenceFitter:
    return sequence_fitter(ASTIGMATIC, camera())


def test_after_the_rehearsal_nothing_is_compiled(crowd: Scene, fitter: SequenceFitter) -> None:
    names = ("sweep", "shine", "cells", "links", "chances")
    kernels: list[Any] = [getattr(sequence, name) for name in names]
    fitter.rehearse()
    rehearsed = [kernel.signatures for kernel in kernels]
    assert all(rehearsed)
    fitter.refine(crowd.counts, crowd.index, crowd.place, crowd.molecules)
    assert [kernel.signatures for kernel in kernels] == rehearsed


def test_the_cut_does_not_matter(crowd: Scene, fitter: SequenceFitter) -> None:
    whole = fitter.refine(crowd.counts, crowd.index, crowd.place, crowd.molecules)
    core = slice(3, 5)
    near = np.s_[core.start - fitter.halo : core.stop + fitter.halo]
    rows = (crowd.place >= near.start) & (crowd.place < near.stop)
    part = fitter.refine(
        crowd.counts[near],
        crowd.index[near],
        crowd.place[rows] - near.start,
        crowd.molecules[rows],
        slice(fitter.halo, fitter.halo + 2),
    )
    inside = (crowd.place >= core.start) & (crowd.place < core.stop)
    np.testing.assert_array_equal(part.molecules, whole.molecules[inside])
    np.testing.assert_array_equal(part.refined, whole.refined[inside])
    np.testing.assert_array_equal(part.chi2, whole.chi2[inside])


def test_nothing_is_linked_over_a_gap(crowd: Scene, fitter: SequenceFitter) -> None:
    index = crowd.index + 5 * (crowd.index >= 4)
    whole = fitter.refine(crowd.counts, index, crowd.place, crowd.molecules)
    early = crowd.place < 4
    parts = [
        fitter.refine(crowd.counts[:4], index[:4], crowd.place[early], crowd.molecules[early]),
        fitter.refine(
            crowd.counts[4:], index[4:], crowd.place[~early] - 4, crowd.molecules[~early]
        ),
    ]
    np.testing.assert_array_equal(whole.molecules, np.concatenate([p.molecules for p in parts]))


def test_what_is_not_refined_stays_as_it_was(crowd: Scene, fitter: SequenceFitter) -> None:
    molecules = crowd.molecules.copy()
    molecules[::5, POSITION] += [1.5, -1.5, 300]
    answer = fitter.refine(crowd.counts, crowd.index, crowd.place, molecules)
    kept = ~answer.refined
    assert np.count_nonzero(kept) > len(kept) / 20
    np.testing.assert_array_equal(answer.molecules[kept], molecules[kept])
    assert np.all(answer.chi2[kept] == 0)
    assert np.all(answer.molecules[:, 0] == molecules[:, 0])


def test_the_input_is_left_alone(crowd: Scene, fitter: SequenceFitter) -> None:
    counts, molecules = crowd.counts.copy(), crowd.molecules.copy()
    fitter.refine(counts, crowd.index, crowd.place, molecules)
    np.testing.assert_array_equal(counts, crowd.counts)
    np.testing.assert_array_equal(molecules, crowd.molecules)


def test_rows_at_odd_places_are_borne(fitter: SequenceFitter) -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(10, (3, SIZE, SIZE)).astype(np.float32)
    places = [(-30, 5), (0, 0), (SIZE, SIZE), (60, 60), (60, 60), (SIZE + 500, -80)]
    molecules = np.zeros((2 * len(places), len(FIELDS)), np.float32)
    molecules[:, 1:3] = places * 2
    molecules[:, 3] = np.linspace(-500, 500, len(molecules))
    molecules[:, LIGHT] = [0, 1e-6, 5, 1e5, 500, 500] * 2
    molecules[:6, 6:10] = [0.2, 0.2, 50, 50]
    place = np.repeat([0, 1], len(places))
    answer = fitter.refine(counts, np.arange(3), place, molecules)
    assert np.isfinite(answer.molecules).all()


def test_no_molecules_are_no_trouble(fitter: SequenceFitter) -> None:
    none = np.zeros((0, len(FIELDS)), np.float32)
    for frames in (0, 2):
        counts = np.zeros((frames, SIZE, SIZE), np.float32)
        answer = fitter.refine(counts, np.arange(frames), np.zeros(0, np.int64), none)
        assert answer.molecules.shape == none.shape
        assert len(answer.refined) == len(answer.chi2) == 0


def test_says_what_it_cannot_take(crowd: Scene, fitter: SequenceFitter) -> None:
    given = [crowd.counts, crowd.index, crowd.place, crowd.molecules]
    for k, wrong, said in (
        (0, crowd.counts[:, 1:], "camera's are"),
        (1, crowd.index[1:], "7 numbers"),
        (2, crowd.place[::-1].copy(), "sort them"),
        (3, crowd.molecules[:, 1:], "give 10"),
    ):
        arguments: list[Any] = [*given[:k], wrong, *given[k + 1 :]]
        with pytest.raises(InputError, match=said):
            fitter.refine(*arguments)
    with pytest.raises(InputError, match="reach is 0"):
        sequence_fitter(ROUND, camera(), reach=0)
    with pytest.raises(InputError, match="sweeps is 0"):
        sequence_fitter(ROUND, camera(), sweeps=0)
