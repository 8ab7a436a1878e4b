"""Charts tell what was in the frames, and stay small."""

import numpy as np
import pytest

from live_smlm.core import InputError, Localizations, from_columns
from live_smlm.metrics.series import Scale, Series, ended, fold, newest, part, start

RNG = np.random.default_rng(3)


def molecules(count: int, **more: float) -> Localizations:
    columns = {"frame": np.zeros(count), "x": np.zeros(count), "y": np.zeros(count)}
    return from_columns({**columns, **{name: np.full(count, v) for name, v in more.items()}})


def run(charts: Series, chunks: list[tuple[int, Localizations]], lag_s: float = 0.02) -> Series:
    first = 0
    for frames, found in chunks:
        charts = fold(charts, part(first, frames, found, np.full(frames, lag_s)))
        first += frames
    return charts


def test_a_block_tells_what_was_in_its_frames() -> None:
    found = molecules(40, photons=900.0, background=7.0, sigma_x=8.0, sigma_y=12.0)
    told = newest(run(start(4.0, 0.1), [(5, found)] * 4))
    assert told == {
        "first": 0,
        "merges": 0,
        "points": {
            "frame": [10, 20],
            "molecules_per_frame": [8.0, 8.0],
            "density_per_um2": [2.0, 2.0],
            "background": [7.0, 7.0],
            "photons": [900.0, 900.0],
            "precision_nm": [10.0, 10.0],
            "lag_ms": [20.0, 20.0],
        },
    }


def test_what_an_engine_does_not_say_is_absent_and_what_is_not_finite_is_not_counted() -> None:
    charts = run(start(1.0, 0.1), [(10, molecules(4)), (10, molecules(2, photons=np.nan))])
    assert set(newest(charts)["points"]) == {
        "frame",
        "molecules_per_frame",
        "density_per_um2",
        "lag_ms",
    }


def test_frames_without_molecules_count() -> None:
    charts = run(start(1.0, 0.1), [(10, molecules(0)), (10, molecules(30, photons=5.0))])
    points = newest(charts)["points"]
    assert points["molecules_per_frame"] == [0.0, 3.0]
    assert points["photons"] == [None, 5.0]


def test_only_whole_blocks_are_told() -> None:
    charts = run(start(1.0, 0.01), [(16, molecules(16))] * 13)  # 208 frames in blocks of 100
    points = newest(charts)["points"]
    assert points["frame"] == [112]
    assert run(charts, []).parts == charts.parts


def test_at_the_end_the_frames_after_the_last_block_are_told_too() -> None:
    chunks = [(16, molecules(16, photons=5.0))] * 13
    points = newest(ended(run(start(1.0, 0.01), chunks)))["points"]
    assert points["frame"] == [112, 208]
    assert points["molecules_per_frame"] == [1.0, 1.0]
    short = newest(ended(run(start(1.0, 0.01), chunks[:2])))["points"]
    assert (short["frame"], short["photons"]) == ([32], [5.0])
    whole = run(start(1.0, 0.1), [(10, molecules(3))])
    assert ended(whole) == whole
    assert newest(ended(start(1.0, 0.1)))["points"] == {"frame": []}


def test_the_newest_are_the_end_of_the_whole() -> None:
    charts = run(start(1.0, 0.1), [(10, molecules(n)) for n in range(9)])
    end = newest(charts, 2)
    assert end["first"] == 7
    assert end["points"]["molecules_per_frame"] == [0.7, 0.8]
    assert newest(charts)["points"]["frame"][7:] == end["points"]["frame"]
    assert newest(charts, 99) == newest(charts)


def test_neighbours_merge_and_nothing_is_lost_on_average() -> None:
    charts = Series(Scale(area_um2=1.0, block_frames=1), most_points=16)
    counts = RNG.integers(0, 50, 1000)
    charts = run(charts, [(1, molecules(int(n), photons=float(n))) for n in counts])
    told = newest(charts)["points"]
    assert 8 <= len(told["frame"]) <= 16
    assert charts.merges == 6
    frames = sum(point.frames for point in charts.points)
    assert told["frame"][-1] == frames >= 960
    assert sum(point.molecules for point in charts.points) == counts[:frames].sum()
    weights = [point.frames for point in charts.points]
    mean = np.average(told["molecules_per_frame"], weights=weights)
    assert mean == pytest.approx(counts[:frames].mean(), rel=1e-4)


def test_merged_light_counts_by_molecules() -> None:
    charts = Series(Scale(area_um2=1.0, block_frames=1), most_points=1)
    charts = run(charts, [(1, molecules(30, photons=100.0)), (1, molecules(10, photons=500.0))])
    points = newest(charts)["points"]
    assert points["photons"] == [200.0]
    assert points["molecules_per_frame"] == [20.0]


def test_of_very_many_molecules_some_are_looked_at() -> None:
    item = part(0, 10, molecules(100_000, photons=3.0), np.zeros(10))
    assert item.molecules == 100_000
    assert len(item.light["photons"]) <= 256


def test_a_frame_without_area_is_refused() -> None:
    with pytest.raises(InputError, match="area of a frame is 0"):
        start(0.0, None)
