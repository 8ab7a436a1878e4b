import math

import numpy as np
import pytest

from live_smlm.core import F64, InputError
from live_smlm.physics.field import Field
from live_smlm.physics.specimens import SPECIMENS, Clusters, Grid, Uniform

FIELD = Field(8000.0, 12000.0)


def rng(seed: int = 2) -> np.random.Generator:
    return np.random.default_rng(seed)


def nearest(positions: F64) -> F64:
    """Distance in the plane from each to its nearest neighbour."""
    apart = positions[:, None, :2] - positions[None, :, :2]
    distance = np.hypot(apart[..., 0], apart[..., 1])
    np.fill_diagonal(distance, np.inf)
    return np.asarray(distance.min(axis=1))


@pytest.mark.parametrize("name", SPECIMENS)
def test_every_specimen_fills_the_field_and_keeps_its_depth(name: str) -> None:
    specimen = SPECIMENS[name]()
    positions = specimen.positions(rng(), FIELD)
    assert specimen.name == name
    assert positions.shape[1] == 3
    assert len(positions) > 20
    assert (positions[:, :2] >= 0).all()
    assert (positions[:, 0] < FIELD.width_nm).all()
    assert (positions[:, 1] < FIELD.height_nm).all()
    assert np.abs(positions[:, 2]).max() <= specimen.z_reach_nm
    assert np.ptp(positions[:, 0]) > 0.4 * FIELD.width_nm
    np.testing.assert_array_equal(positions, specimen.positions(rng(), FIELD))


@pytest.mark.parametrize("name", ["uniform", "grid", "filaments", "rings", "clusters"])
def test_specimens_with_depth_use_all_of_it(name: str) -> None:
    specimen = SPECIMENS[name](z_half_nm=400.0)
    z = specimen.positions(rng(), FIELD)[:, 2]
    assert 300 < np.abs(z).max() <= specimen.z_reach_nm
    assert abs(z.mean()) < 250


def test_uniform_molecules_are_a_poisson_number_at_independent_places() -> None:
    specimen = Uniform(density_per_um2=2.0, z_half_nm=300.0)
    counts = np.array([len(specimen.positions(rng(i), FIELD)) for i in range(300)])
    assert counts.mean() == pytest.approx(192, abs=5 * math.sqrt(192 / 300))
    assert counts.var() == pytest.approx(192, rel=5 * math.sqrt(2 / 300))
    many = Uniform(density_per_um2=500.0, z_half_nm=300.0).positions(rng(), FIELD)
    spread = np.array([12000, 8000, 600]) / math.sqrt(12)
    np.testing.assert_allclose(many.std(axis=0), spread, rtol=0.02)
    assert nearest(many[:2000]).min() < 10


def test_grid_molecules_are_isolated_and_anywhere_within_a_pixel() -> None:
    specimen = Grid(spacing_nm=1000.0, jitter=0.1, z_half_nm=200.0)
    positions = specimen.positions(rng(), FIELD)
    assert len(positions) == 8 * 12
    assert nearest(positions).min() >= 800
    centre = np.array([500.0, 500.0])
    cell = positions[:, :2] // 1000 * 1000 + centre
    assert np.abs(positions[:, :2] - cell).max() <= 100
    assert np.ptp(positions[:, :2] % 100) > 90


def test_a_grid_wider_than_the_field_has_one_molecule_in_the_middle() -> None:
    positions = Grid(spacing_nm=50_000.0).positions(rng(), FIELD)
    assert positions.shape == (1, 3)
    assert np.abs(positions[0, :2] - [6000, 4000]).max() <= 0.125 * 12000


def test_clusters_are_round_with_the_members_asked_for() -> None:
    field = Field(20_000.0, 20_000.0)
    specimen = Clusters(clusters_per_um2=0.05, molecules=200.0, sigma_nm=30.0, axial_sigma_nm=10.0)
    positions = specimen.positions(rng(), field)
    groups = []
    left = positions
    while len(left):
        near = np.hypot(*(left[:, :2] - left[0, :2]).T) < 300
        groups.append(left[near])
        left = left[~near]
    alone = [g for g in groups if len(g) < 300]
    assert 8 <= len(groups) <= 35
    sizes = np.array([len(g) for g in alone])
    assert sizes.mean() == pytest.approx(200, abs=5 * math.sqrt(200 / len(sizes)))
    residue = np.concatenate([g - g.mean(axis=0) for g in alone])
    tolerance = 5 / math.sqrt(2 * len(residue)) + 1 / 400
    np.testing.assert_allclose(residue.std(axis=0), [30, 30, 10], rtol=tolerance)


@pytest.mark.parametrize("name", ["uniform", "clusters", "filaments", "lines", "siemens"])
def test_more_molecules_than_fit_in_memory_are_refused(name: str) -> None:
    density = {
        "uniform": "density_per_um2",
        "clusters": "clusters_per_um2",
        "filaments": "molecules_per_um",
        "lines": "molecules_per_um",
        "siemens": "molecules_per_um2",
    }[name]
    with pytest.raises(InputError, match=r"molecules and at most 2e\+07 fit in memory"):
        SPECIMENS[name](**{density: 1e9}).positions(rng(), FIELD)
    with pytest.raises(InputError, match=f"{name} {density} is nan; give a finite number"):
        SPECIMENS[name](**{density: math.nan})


def test_what_is_no_specimen_is_refused() -> None:
    with pytest.raises(InputError, match="grid spacing_nm is 0; it must be above 0"):
        Grid(spacing_nm=0.0)
    with pytest.raises(InputError, match=r"grid jitter is 0\.7; give 0 to 0\.5"):
        Grid(jitter=0.7)
    with pytest.raises(InputError, match="uniform z_half_nm is -1; it must be 0 or more"):
        Uniform(z_half_nm=-1.0)
    with pytest.raises(InputError, match="grid spacing_nm 1 makes"):
        Grid(spacing_nm=1.0).positions(rng(), FIELD)
    with pytest.raises(InputError, match="field width_nm is 0"):
        Field(10.0, 0.0)
