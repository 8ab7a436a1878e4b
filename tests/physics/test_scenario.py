import numpy as np
import pytest

from live_smlm.core import CameraModel, InputError
from live_smlm.physics.blinking import BLINKINGS, Exponential
from live_smlm.physics.drift import Linear
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.physics.specimens import SPECIMENS, Grid, Uniform
from live_smlm.physics.structures import Filaments, Rings

CAMERA = CameraModel(shape=(80, 100), pixel_size_nm=100.0)
ASTIGMATIC = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)


@pytest.mark.parametrize("specimen", SPECIMENS)
@pytest.mark.parametrize("blinking", BLINKINGS)
def test_all_words_go_together(specimen: str, blinking: str) -> None:
    scenario = Scenario(
        camera=CAMERA,
        psf=ASTIGMATIC,
        specimen=specimen,
        blinking=blinking,
        density=0.2,
        z_range_nm=300.0,
        photons_spread=0.3,
        drift=Linear(),
        seed=5,
    )
    counts = [len(truth) for _, truth in scenario.simulator().stream(40, batch=10)]
    # 16 per frame; neighbouring frames share some of them.
    assert sum(counts) / 40 == pytest.approx(16, abs=5 * np.sqrt(16 / 8))


def test_the_options_reach_the_simulator() -> None:
    simulator = Scenario(
        camera=CAMERA,
        psf=ASTIGMATIC,
        density=0.5,
        photons=700.0,
        photons_spread=0.2,
        background=3.0,
        blinking="exponential",
        on_frames=7.0,
        z_range_nm=250.0,
        seed=9,
        frame_interval_s=0.01,
    ).simulator()
    assert simulator.blinking == Exponential(7.0)
    assert simulator.brightness.photons == 700
    assert simulator.brightness.spread == 0.2
    assert simulator.background.level == 3
    assert simulator.visible_per_um2 == 0.5
    assert simulator.seed == 9
    assert simulator.frame_interval_s == 0.01
    assert isinstance(simulator.specimen, Uniform)
    assert simulator.specimen.z_half_nm == 250


def test_a_grid_s_density_is_its_spacing() -> None:
    simulator = Scenario(
        camera=CAMERA, psf=GaussianPSF(130.0), specimen="grid", density=0.25
    ).simulator()
    assert simulator.specimen == Grid(spacing_nm=2000.0)
    _, truth = next(simulator.stream(3))
    np.testing.assert_array_equal(np.bincount(truth.frame), [20, 20, 20])


def test_structures_fill_the_range_in_z_but_do_not_leave_it() -> None:
    scenario = Scenario(camera=CAMERA, psf=ASTIGMATIC, specimen="filaments", z_range_nm=300.0)
    assert scenario.simulator().specimen == Filaments(z_half_nm=287.5)
    pores = Scenario(camera=CAMERA, psf=ASTIGMATIC, specimen="rings", z_range_nm=300.0)
    assert pores.simulator().specimen == Rings(z_half_nm=282.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"specimen": "cells"}, "specimen is 'cells'; choose one of uniform, grid, filaments"),
        ({"blinking": "often"}, "blinking is 'often'; choose one of single, exponential"),
        ({"z_range_nm": 100.0}, "z_range_nm is 100 but the gaussian psf says nothing about z"),
        ({"z_range_nm": -1.0}, "z_range_nm is -1; it must be 0 or more"),
        ({"density": -0.1}, "density is -0.1; it must be 0 or more"),
        ({"photons": 0.0}, "photons is 0; it must be above 0"),
        ({"background": -1.0}, "background is -1"),
        ({"photons_spread": -1.0}, "photons_spread is -1"),
        ({"blinking": "exponential", "on_frames": 0.0}, "on_frames is 0"),
        ({"specimen": "grid", "density": 0.0}, "density is 0; a grid needs molecules"),
        ({"psf": ASTIGMATIC, "z_range_nm": 900.0}, "reaches 900 nm above and below the focus"),
    ],
)
def test_words_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    words = {"camera": CAMERA, "psf": GaussianPSF(130.0), **changes}
    with pytest.raises(InputError, match=message):
        Scenario(**words).simulator()  # type: ignore[arg-type] # cases
