"""Excerpts of the charts become the whole again."""

import numpy as np

from live_smlm.core import from_columns
from live_smlm.metrics import series
from live_smlm.metrics.series import Series, fold, newest, part, start
from live_smlm.view.follow_series import Charts


def chunk(first: int) -> series.Part:
    columns = {"frame": np.zeros(3), "x": np.zeros(3), "y": np.zeros(3)}
    return part(first, 100, from_columns(columns), np.full(100, 0.01))


def grown(charts: Series, points: int) -> Series:
    for n in range(points):
        charts = fold(charts, chunk(100 * n))
    return charts


def test_every_point_is_kept_from_the_first_state_on() -> None:
    charts, seen = start(1.0, None), Charts()
    for n in range(20):
        charts = fold(charts, chunk(100 * n))
        seen.heard(newest(charts, 3))
        assert not seen.torn
    assert seen.columns == newest(charts)["points"]
    assert seen.columns["frame"] == [100 * n for n in range(1, 21)]


def test_who_comes_late_asks_for_the_whole() -> None:
    charts, seen = grown(start(1.0, None), 10), Charts()
    seen.heard(newest(charts, 3))
    assert seen.torn
    assert seen.columns == {}
    seen.fetched(newest(charts))
    assert not seen.torn
    assert len(seen.columns["frame"]) == 10


def test_merged_points_are_asked_for_anew() -> None:
    small = Series(start(1.0, None).scale, most_points=8)
    seen = Charts()
    charts = grown(small, 8)
    seen.fetched(newest(charts))
    charts = fold(charts, chunk(800))
    assert charts.merges == 1
    seen.heard(newest(charts, 3))
    assert seen.torn


def test_a_chart_that_begins_later_is_unknown_before() -> None:
    seen = Charts()
    seen.heard({"first": 0, "merges": 0, "points": {"frame": [1, 2], "a": [5.0, 6.0]}})
    seen.heard({"first": 1, "merges": 0, "points": {"frame": [2, 3], "b": [None, 7.0]}})
    assert seen.columns == {"frame": [1, 2, 3], "a": [5.0, 6.0, None], "b": [None, None, 7.0]}
