import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.render.colour import shades, value_shades
from live_smlm.render.picture import pooled
from live_smlm.view.tone import Shading, Tone, coloured, density, limits, value_limits


def test_contrast_follows_the_lit_pixels_and_stays_when_one_zooms() -> None:
    image = np.zeros((100, 100), np.float32)
    image[:10] = np.arange(1, 1001).reshape(10, 100)
    assert limits(image, 10.0, Tone(percentile=100)) == (0.0, 1000 * 1e4)
    assert limits(image, 10.0, Tone(percentile=50))[1] == pytest.approx(500.5 * 1e4)
    # The same molecules per area, in pixels of half the side.
    fine = (image / 4).repeat(2, 0).repeat(2, 1).astype(np.float32)
    assert limits(fine, 5.0, Tone(percentile=50))[1] == pytest.approx(500.5 * 1e4)


def test_an_empty_picture_has_a_contrast_too() -> None:
    low, high = limits(np.zeros((5, 5), np.float32), 10.0, Tone())
    assert low < high
    nowhere = np.full((5, 5), np.nan, np.float32)
    assert value_limits(nowhere, np.zeros((5, 5), np.float32)) is None


def test_a_few_odd_molecules_do_not_stretch_the_colours() -> None:
    image = np.full((100, 100), 50, np.float32)
    values = np.linspace(-300, 300, 10_000, dtype=np.float32).reshape(100, 100)
    image[:20, ::2], values[:20, ::2] = 0.01, 5000  # many pixels, hardly any molecules
    low, high = value_limits(values, image) or (0.0, 0.0)
    assert low == pytest.approx(-294, abs=10)
    assert high == pytest.approx(294, abs=10)
    same = value_limits(np.full((9, 9), 7, np.float32), image[30:39, :9])
    assert same == (6.5, 7.5)


def test_contrast_by_hand_is_taken_as_it_is() -> None:
    assert limits(np.ones((3, 3), np.float32), 1.0, Tone(fixed=(2.0, 7.0))) == (2.0, 7.0)


def test_large_pictures_are_looked_at_in_part_only() -> None:
    rng = np.random.default_rng(1)
    image = rng.gamma(3, 1, (1500, 2000)).astype(np.float32)
    thinned = limits(image, 1e3, Tone(percentile=90))[1]
    assert thinned == pytest.approx(float(np.percentile(image, 90)), rel=0.03)


def test_counts_become_shades_by_gamma() -> None:
    image = np.array([[0.0, 0.25, 1.0, 9.0]], np.float32)
    shading = Shading(shades("grays"), (0.0, density(10.0)), 0.5)
    assert coloured(image, None, 10.0, shading)[0, :, 0] == pytest.approx([0, 128, 255, 255], abs=1)


def test_values_become_hues_and_counts_their_brightness() -> None:
    image = np.array([[1.0, 1.0, 0.25, 0.0]], np.float32)
    values = np.array([[-5.0, 5.0, 5.0, np.nan]], np.float32)
    hues = value_shades("viridis")
    shading = Shading(hues, (0.0, density(10.0)), 1.0, (-5.0, 5.0))
    picture = coloured(image, values, 10.0, shading)[0]
    assert picture[0] == pytest.approx(hues[0], abs=1)
    assert picture[1] == pytest.approx(hues[-1], abs=1)
    assert picture[2] == pytest.approx(hues[-1] / 4, abs=1)
    assert not picture[3].any()


def test_a_map_keeps_all_light() -> None:
    image = np.random.default_rng(1).random((123, 77)).astype(np.float32)
    small = pooled(image, 40)
    assert small.shape == (31, 20)
    assert small.sum() == pytest.approx(image.sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"percentile": 20}, "percentile is 20"),
        ({"fixed": (5.0, 2.0)}, "its top must be above"),
        ({"gamma": 0.0}, "gamma is 0"),
    ],
)
def test_tones_that_cannot_be_are_refused(changes: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Tone(**changes)  # type: ignore[arg-type] # of several kinds
