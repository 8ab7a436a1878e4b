import math

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.physics.field import Field
from live_smlm.physics.structures import Filaments, Lines, Rings, SiemensStar

FIELD = Field(10_000.0, 10_000.0)


def rng(seed: int = 8) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_microtubules_are_hollow_cylinders() -> None:
    """Seen along the axis: a thin ring; from above: two dense edges 25 nm apart."""
    straight = Filaments(count=1, molecules_per_um=5000.0, bend_nm=1e9)
    positions = straight.positions(rng(), FIELD)
    centred = positions[:, :2] - positions[:, :2].mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    across = centred @ axes[1]
    radius = np.hypot(across - np.median(across), positions[:, 2])
    np.testing.assert_allclose(radius, 12.5, atol=0.4)
    edge = np.mean(np.abs(across) > 12.5 * math.cos(math.pi / 4))
    assert edge == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(len(across)) + 0.02)
    length = np.ptp(centred @ axes[0])
    assert len(positions) == pytest.approx(5 * length, abs=5 * math.sqrt(5 * length))


def test_filaments_bend_as_asked_without_kinks() -> None:
    filament = Filaments(bend_nm=2000.0)
    turns = []
    for seed in range(40):
        axis, tangent = filament._axis(FIELD, 20_000.0, rng(seed))
        step = np.diff(axis[:, :2], axis=0)
        np.testing.assert_allclose(np.hypot(*step.T), 10.0, rtol=1e-6)
        heading = np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))
        turns.append(np.diff(heading) / 10.0)
    # Three waves of 1/3 of the power each: rms 1 / bend, at most sqrt(6) times that.
    assert np.sqrt(np.mean(np.square(turns))) == pytest.approx(1 / 2000, rel=0.1)
    assert np.abs(turns).max() <= math.sqrt(6) / 2000 * 1.001


def test_filaments_in_depth_keep_their_diameter() -> None:
    filament = Filaments(count=1, molecules_per_um=2000.0, z_half_nm=300.0)
    generator = rng()
    positions = filament.positions(generator, FIELD)
    axis, _ = filament._axis(FIELD, 2 * math.hypot(10_000, 10_000), rng())
    distance = np.array(
        [np.linalg.norm(axis - p, axis=1).min() for p in positions[:: len(positions) // 200]]
    )
    # The axis is known every 10 nm (more where it climbs): half a step adds up to 1 nm.
    assert distance.min() > 12.4
    assert distance.max() < 14
    assert np.ptp(positions[:, 2]) > 200


def test_nuclear_pores_have_eight_corners_on_a_circle() -> None:
    rings = Rings(spacing_nm=1000.0, labelling=1.0, linker_nm=0.0)
    positions = rings.positions(rng(), Field(10_000.0, 10_000.0))
    assert len(positions) == 100 * 8 * 4
    for pore in positions.reshape(100, 32, 3)[:10]:
        corners = np.unique(np.round(pore, 6), axis=0)
        assert len(corners) == 8
        arms = corners[:, :2] - corners[:, :2].mean(axis=0)
        np.testing.assert_allclose(np.hypot(*arms.T), 53.5, rtol=1e-6)
        angles = np.sort(np.arctan2(arms[:, 1], arms[:, 0]))
        np.testing.assert_allclose(np.diff(angles), math.pi / 4, rtol=1e-6)
    first = positions.reshape(100, 32, 3)[:, 0] - positions.reshape(100, 32, 3).mean(axis=1)
    assert np.ptp(np.arctan2(first[:, 1], first[:, 0])) > 5


def test_pores_never_touch_and_are_labelled_in_part() -> None:
    rings = Rings(spacing_nm=150.0, labelling=0.6, linker_nm=0.0)
    centres = rings._centres(FIELD, rng())
    apart = np.hypot(*(centres[:400, None, :2] - centres[None, :400, :2]).T)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= 107
    pores = len(centres)
    count = len(rings.positions(rng(), FIELD))
    expected = pores * 32 * 0.6
    assert count == pytest.approx(expected, abs=5 * math.sqrt(pores * 32 * 0.24) + 0.02 * expected)


def test_a_siemens_star_has_spokes_and_gaps_of_equal_width() -> None:
    star = SiemensStar(spokes=12, molecules_per_um2=1000.0)
    positions = star.positions(rng(), Field(10_000.0, 14_000.0))
    x, y = positions[:, 0] - 7000, positions[:, 1] - 5000
    turn = (np.arctan2(y, x) % (2 * math.pi)) * 12 / (2 * math.pi) % 1
    assert turn.max() <= 0.5 + 1e-9
    assert np.hypot(x, y).max() < 5000
    area = 0.5 * math.pi * 25
    assert len(positions) == pytest.approx(1000 * area, abs=5 * math.sqrt(1000 * area))
    inner = np.mean(np.hypot(x, y) < 2500)
    assert inner == pytest.approx(0.25, abs=5 * 0.43 / math.sqrt(len(x)))


def test_lines_are_at_the_distances_asked_for() -> None:
    lines = Lines(distances_nm=(15.0, 40.0), molecules_per_um=200.0)
    positions = lines.positions(rng(), FIELD)
    at, counts = np.unique(positions[:, 0], return_counts=True)
    np.testing.assert_allclose(at, [2492.5, 2507.5, 7480, 7520])
    assert np.abs(counts - 2000).max() < 5 * math.sqrt(2000)
    assert positions[:, 1].std() == pytest.approx(10_000 / math.sqrt(12), rel=0.03)


def test_what_is_no_structure_is_refused() -> None:
    with pytest.raises(InputError, match="filaments count is 0; it must be 1 or more"):
        Filaments(count=0)
    with pytest.raises(InputError, match=r"rings labelling is 1\.2; it is a share"):
        Rings(labelling=1.2)
    with pytest.raises(InputError, match=r"rings spacing_nm is 100; it must be above 107"):
        Rings(spacing_nm=100.0)
    with pytest.raises(InputError, match="lines distances_nm is empty"):
        Lines(distances_nm=())
    with pytest.raises(InputError, match="lines 900 nm apart do not fit 2 times into 1000 nm"):
        Lines(distances_nm=(900.0, 10.0)).positions(rng(), Field(1000.0, 1000.0))
    with pytest.raises(InputError, match="siemens spokes is 0"):
        SiemensStar(spokes=0)
