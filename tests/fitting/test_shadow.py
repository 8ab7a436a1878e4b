"""The shadow looks at isolated molecules, few and always the same, and says what it saw."""

import numpy as np
import pytest

from live_smlm.core import (
    PSF,
    CameraModel,
    EngineContext,
    FrameBatch,
    InputError,
    Localizations,
    from_columns,
)
from live_smlm.fitting.shadow import (
    COLUMNS,
    MOLECULES,
    Shadow,
    column,
    open_shadow,
    unshadowed,
)
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.sampling import sample
from live_smlm.physics.scenario import Scenario

CAMERA = CameraModel(shape=(64, 64), pixel_size_nm=100.0, offset_adu=100.0, read_noise_e=1.6)
ROUND = GaussianPSF(130.0)
DEEP = AstigmaticPSF(130, 130, 200, -200, 400, z_min_nm=-600, z_max_nm=600)


def shadow(psf: PSF = ROUND) -> Shadow:
    made = open_shadow(EngineContext(camera=CAMERA, psf=psf))
    assert made is not None
    return made


def scene(psf: PSF = ROUND, density: float = 0.15) -> tuple[FrameBatch, Localizations]:
    depth = 0.0 if psf.z_range_nm is None else 350.0
    made = Scenario(camera=CAMERA, psf=psf, density=density, photons=2000, z_range_nm=depth, seed=4)
    return made.simulator().start().advance(16)


def claimed(truth: Localizations, sigma_nm: float) -> Localizations:
    same = np.full(len(truth), sigma_nm)
    return truth.with_columns(sigma_x=same, sigma_y=same, sigma_z=3 * same)


@pytest.mark.parametrize("psf", [ROUND, DEEP], ids=lambda psf: psf.name)
def test_rows_say_how_engine_and_fit_differ(psf: PSF) -> None:
    frames, truth = scene(psf)
    looks = shadow(psf)
    rows = looks(frames, claimed(truth, 7.0))
    assert rows.shape == (MOLECULES, len(COLUMNS))
    fitted = rows[np.isfinite(column(rows, "chi2"))]
    assert len(fitted) >= MOLECULES - 1
    assert np.all(column(fitted, "engine_sigma_x") == 7.0)
    for axis in "xy" if psf is ROUND else "xyz":
        # The truth has no error, so the gap is the fit's own: six of its standard errors.
        gap = np.abs(column(fitted, f"gap_{axis}")) / column(fitted, f"fit_sigma_{axis}")
        assert np.all(gap < 6)
        assert np.median(gap) > 0.1
    assert np.all(np.isnan(column(fitted, "gap_z"))) == (psf is ROUND)
    assert np.median(np.abs(column(fitted, "background") - 10)) < 2
    assert np.median(np.abs(column(fitted, "photons") - 2000)) < 200


def test_an_engine_that_claims_no_errors_is_still_looked_at() -> None:
    frames, truth = scene()
    rows = shadow()(frames, from_columns({n: truth.columns()[n] for n in ("frame", "x", "y")}))
    assert np.all(np.isnan(column(rows, "engine_sigma_x")))
    assert np.all(np.isfinite(column(rows, "width")))


def test_the_sample_is_the_same_every_time_and_changes_with_the_frames() -> None:
    _, truth = scene()
    chosen = shadow().sample(truth)
    assert chosen.tolist() == shadow().sample(truth).tolist()
    assert len(set(chosen.tolist())) == MOLECULES
    later = truth.with_columns(frame=truth.frame + 1000)
    assert chosen.tolist() != shadow().sample(later).tolist()


def test_chosen_molecules_are_alone_and_inside() -> None:
    _, truth = scene(density=0.6)
    looks = shadow()
    edge = looks.size // 2 * 100.0
    assert len(looks.sample(truth)) > 2
    for i in looks.sample(truth):
        near = (truth.frame == truth.frame[i]) & (np.abs(truth.x - truth.x[i]) < looks.reach_nm)
        near &= np.abs(truth.y - truth.y[i]) < looks.reach_nm
        assert np.count_nonzero(near) == 1
        assert edge <= truth.x[i] <= 6400 - edge
        assert edge <= truth.y[i] <= 6400 - edge


def test_at_the_edge_of_what_can_be_cut_out_it_cuts_out_what_is_there() -> None:
    frames, _ = scene()
    looks = shadow()
    edge = looks.size // 2 * 100.0
    corners = from_columns({"frame": [3, 3], "x": [edge, 6400 - edge], "y": [edge, 6400 - edge]})
    assert len(looks(frames, corners)) == 2
    beyond = corners.with_columns(x=corners.x + np.array([-1, 1]))
    assert len(looks(frames, beyond)) == 0


def test_molecules_of_frames_that_nobody_gave_are_refused() -> None:
    frames, _ = scene()
    for frame in (-1, 16, 99):
        one = from_columns({"frame": [frame], "x": [3200], "y": [3200]})
        with pytest.raises(InputError, match="not given to it"):
            shadow()(frames, one)


def test_where_nobody_is_alone_nothing_is_said() -> None:
    frames, _ = scene()
    pair = from_columns({"frame": [0, 0], "x": [3000, 3200], "y": [3000, 3000]})
    assert shadow()(frames, pair).shape == (0, len(COLUMNS))
    assert shadow()(frames, pair.where(slice(0))).shape == (0, len(COLUMNS))


def test_what_an_engine_made_up_is_not_confirmed() -> None:
    frames, truth = scene(density=0.05)
    places = 200.0 * np.stack(np.meshgrid(np.arange(5, 28), np.arange(5, 28)), -1).reshape(-1, 2)
    farthest = np.empty((16, 2))
    for frame in range(16):
        there = truth.where(truth.frame == frame)
        gaps = np.hypot(places[:, :1] - there.x, places[:, 1:] - there.y)
        farthest[frame] = places[np.argmax(gaps.min(axis=1, initial=1e4))]
    made_up = {"frame": np.arange(16), "x": farthest[:, 0], "y": farthest[:, 1]}
    rows = shadow()(frames, from_columns(made_up))
    assert len(rows) == MOLECULES
    assert np.mean(np.isnan(column(rows, "chi2"))) >= 0.75


@pytest.mark.parametrize(
    ("psf", "camera", "reason"),
    [
        (None, CAMERA, "no PSF: nothing to compare with"),
        (sample(DEEP, 120.0), CAMERA, "was measured with pixels of 120 nm"),
        (ROUND, CameraModel(shape=(5, 64), pixel_size_nm=100.0), "smaller than the PSF"),
    ],
)
def test_where_nothing_can_be_fitted_it_says_why(
    psf: PSF | None, camera: CameraModel, reason: str
) -> None:
    place = EngineContext(camera=camera, psf=psf)
    assert reason in str(unshadowed(place))
    assert open_shadow(place) is None
