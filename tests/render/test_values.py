"""What molecules are coloured by and chosen by."""

import numpy as np
import pytest

from live_smlm.core import InputError, from_columns
from live_smlm.render.values import Filter, chosen, filters, value

FOUND = from_columns(
    {
        "frame": [0, 1, 2, 3],
        "x": [1, 2, 3, 4],
        "y": [1, 1, 1, 1],
        "photons": [100, 500, 900, np.nan],
        "sigma_x": [10, 20, 30, 40],
        "sigma_y": [20, 20, 20, 20],
        "label": np.array(["a", "b", "c", "d"]),
        "log_likelihood": [1.0, 2.0, 3.0, 4.0],
    }
)


def test_values_by_name() -> None:
    assert value(FOUND, "precision").tolist() == [15, 20, 25, 30]
    assert value(FOUND, "frame").tolist() == [0, 1, 2, 3]
    assert value(FOUND, "log_likelihood").tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("", [0, 1, 2, 3]),
        ("photons>500", [2]),
        ("photons >= 500, sigma_x<30", [1]),
        ("precision<=20", [0, 1]),
        ("photons<1e9", [0, 1, 2]),
        ("frame>=2,", [2, 3]),
        ("x<0", []),
    ],
)
def test_conditions_choose(text: str, frames: list[int]) -> None:
    assert chosen(FOUND, filters(text)).frame.tolist() == frames


def test_a_dye_that_is_not_known_has_no_value() -> None:
    molecules = from_columns(
        {"frame": [0, 0, 1], "x": [1, 2, 3], "y": [1, 2, 3], "channel": [1, -1, 0]}
    )
    np.testing.assert_array_equal(value(molecules, "channel"), [1.0, np.nan, 0.0])


def test_words_become_conditions() -> None:
    assert filters("photons>500,sigma_x<=2.5") == (
        Filter("photons", ">", 500.0),
        Filter("sigma_x", "<=", 2.5),
    )


@pytest.mark.parametrize("text", ["photons", "photons>", "photons=5", "photons>many", "x>nan"])
def test_words_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="write such as photons>500"):
        filters(text)


def test_values_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="no column 'z'"):
        value(FOUND, "z")
    with pytest.raises(InputError, match="choose one of real numbers"):
        chosen(FOUND, filters("label>1"))
