"""What is written can be read, and stands where there is room."""

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.render.colour import shades, value_shades
from live_smlm.render.marks import length_words, lettering, with_colour_bar, write
from live_smlm.render.picture import with_scale_bar


@pytest.mark.parametrize(
    ("length_nm", "words"), [(20, "20 nm"), (0.5, "0.5 nm"), (1000, "1 µm"), (2500, "2.5 µm")]
)
def test_lengths_have_their_unit(length_nm: float, words: str) -> None:
    assert length_words(length_nm) == words


def test_letters_differ_and_have_one_height() -> None:
    seen = {lettering(letter).tobytes() + bytes(lettering(letter).shape) for letter in "0123456789"}
    assert len(seen) == 10
    assert {lettering(letter).shape[0] for letter in "0123456789.-+enmµ "} == {10}
    assert lettering("100").shape[1] == 3 * 6 + 2 * 2
    with pytest.raises(InputError, match="cannot be written; leave out 'x'"):
        lettering("1 x")


def test_text_is_pushed_inside_or_left_out() -> None:
    picture = np.zeros((40, 30, 3), np.uint8)
    write(picture, "10", bottom=20, middle=29)
    assert picture[10:20, 30 - 14 :].any()
    before = picture.copy()
    write(picture, "100000000", bottom=20, middle=15)
    write(picture, "1", bottom=9, middle=15)
    np.testing.assert_array_equal(picture, before)


def test_a_colour_bar_runs_from_the_lowest_colour_to_the_highest() -> None:
    picture = with_colour_bar(
        np.zeros((100, 800, 3), np.uint8), value_shades("viridis"), (-400, 400)
    )
    bar = picture[100 - 12 - 4, 12 : 12 + 200]
    assert bar[0].tolist() == value_shades("viridis")[0].tolist()
    assert bar[-1].tolist() == value_shades("viridis")[-1].tolist()
    assert not picture[100 - 12 - 4, 12 + 200 :].any()
    words = picture[100 - 12 - 8 - 4 - 10 : 100 - 12 - 8 - 4]
    assert words[:, 12:40].any()
    assert words[:, 190:212].any()
    assert not words[:, 60:170].any()


def test_a_small_picture_has_no_colour_bar() -> None:
    small = np.zeros((100, 60, 3), np.uint8)
    assert with_colour_bar(small, shades("hot"), (0, 1)) is small


def test_a_scale_bar_says_its_length_above_it() -> None:
    bare = np.zeros((100, 200, 3), np.uint8)
    marked = with_scale_bar(bare, 10.0, 500.0, length_words(500.0))
    plain = with_scale_bar(bare, 10.0, 500.0)
    letters = (marked != plain).any(axis=2)
    rows, columns = np.nonzero(letters)
    assert rows.max() < np.nonzero(plain)[0].min()
    middle = np.nonzero(plain)[1].mean()
    assert (columns.min() + columns.max()) / 2 == pytest.approx(middle, abs=2)
