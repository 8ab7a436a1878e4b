import numpy as np

from live_smlm.view.lines import curve


def test_of_very_many_points_the_newest_and_all_that_is_known_are_drawn() -> None:
    values: list[float | None] = [None] * 1501
    values[700], values[1500] = 3.0, 5.0
    at, told = curve(list(range(1501)), values)
    assert len(at) <= 1000
    assert told[np.isfinite(told)].tolist() == [3.0, 5.0]
    assert at[-1] == 1500


def test_few_points_are_drawn_as_they_are() -> None:
    at, told = curve([10.0, 20.0, 30.0], [1.0, None, 2.0])
    assert at.tolist() == [10, 20, 30]
    np.testing.assert_array_equal(told, [1, np.nan, 2])
    assert all(len(part) == 0 for part in curve([], []))
