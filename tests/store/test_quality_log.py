from pathlib import Path

import numpy as np
import pytest

from live_smlm.core import STILL, Checkpoint, InputError, drift_curve
from live_smlm.store.quality import Judged, QualityLog, read_quality

POINTS = (
    Checkpoint(100, 1.0, {"frc_nm": 80.0}),
    Checkpoint(200, 2.0, {"frc_nm": 55.5, "completeness": 0.25}),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    drift = drift_curve([0, 100, 200], [0.0, 3, 5], [0.0, -1, -2], [0.0, 0, 1])
    with QualityLog(tmp_path) as log:
        for point in POINTS:
            log.append(point)
            log.latest(drift, {"rule": "frc < 30 nm"})
    read = read_quality(tmp_path)
    assert read.there
    assert read.history == POINTS
    assert read.said == {"rule": "frc < 30 nm"}
    assert np.array_equal(read.drift.x, drift.x)
    assert read.drift.at(np.array([150]))[2] == pytest.approx(0.5)


def test_numbers_that_are_not_finite_are_absent(tmp_path: Path) -> None:
    with QualityLog(tmp_path) as log:
        log.append(Checkpoint(1, 0.1, {"frc_nm": float("nan"), "blinks": 3.0}))
    assert read_quality(tmp_path).history[0].values == {"blinks": 3.0}


def test_a_cut_line_is_left_out_and_a_run_without_is_read_as_such(tmp_path: Path) -> None:
    assert read_quality(tmp_path) == Judged()
    assert read_quality(tmp_path).drift is STILL
    with QualityLog(tmp_path) as log:
        log.append(POINTS[0])
        log.append(POINTS[1])
    path = tmp_path / "quality.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert read_quality(tmp_path).history == POINTS[:1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("quality.jsonl", '{"frame": 1}\n'),
        ("quality.json", "[1]"),
        ("quality.json", "{"),
        ("quality.json", '{"drift_nm": {"frame": [1, 1], "x": [0, 0], "y": [0, 0], "z": [0, 0]}}'),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        read_quality(tmp_path)
