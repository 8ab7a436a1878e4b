"""What is said of a run that ended, goes on, or was killed."""

from pathlib import Path

import numpy as np

from live_smlm.core import CameraModel, empty, from_columns
from live_smlm.store.info import describe_run
from live_smlm.store.log import LocalizationLog
from live_smlm.store.raw import RawRecorder
from live_smlm.store.record import About, EventLog, Finish, FrameCounts, Progress, RunRecord
from live_smlm.store.run_folder import raw_folder

CAMERA = CameraModel(shape=(4, 4), pixel_size_nm=100)
ABOUT = About(engine="e", source="s", simulated=False, config={}, camera=CAMERA.describe())
FOUND = from_columns({"frame": [4, 5], "x": [1, 2], "y": [1, 2]})
AT_END = Progress(frames=FrameCounts(captured=9, localized=6, deferred=3), molecules=2)


def test_a_run_is_described_while_it_goes_on_and_after(tmp_path: Path) -> None:
    with RunRecord(tmp_path, ABOUT) as record, LocalizationLog(tmp_path) as log:
        log.append(0, 4, np.arange(4), empty())
        said = describe_run(tmp_path)
        assert (said["finish"], said["disk"]["covered"]) == ("running", [(0, 4)])
        assert (said["disk"]["recorded"], said["disk"]["open"]) == (None, [])
        log.append(4, 2, np.arange(4, 6), FOUND)
        record.end(Finish.COMPLETED, "", AT_END)
    said = describe_run(tmp_path)
    assert (said["finish"], said["frames"]["deferred"]) == ("completed", 3)
    assert (said["disk"]["localized"], said["disk"]["molecules"]) == (6, 2)
    on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert said["disk"]["bytes"] == on_disk


def test_a_killed_run_is_known_and_what_is_open_too(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, ABOUT)
    record.__enter__()  # and never left: the program was killed
    with LocalizationLog(tmp_path) as log, EventLog(tmp_path) as events:
        log.append(2, 3, np.arange(2, 5), FOUND)
        events.append("started")
    assert describe_run(tmp_path)["disk"]["recorded"] is None
    raw_folder(tmp_path).mkdir()
    assert describe_run(tmp_path)["disk"]["recorded"] == 0
    with RawRecorder(raw_folder(tmp_path), CAMERA) as recorder:
        recorder.write(np.zeros((9, 4, 4), np.uint16), np.arange(9), np.zeros(9))
    said = describe_run(tmp_path)
    assert said["finish"] == "killed"
    assert "live-smlm recover" in said["reason"]
    assert said["disk"]["recorded"] == 9
    assert said["disk"]["open"] == [(0, 2), (5, 9)]
    assert said["disk"]["events"] == 1
