"""The log: what was appended is read back, whatever happens to the program or the disk."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from live_smlm.core import InputError, Localizations, empty, from_columns
from live_smlm.store.log import LocalizationLog, is_open, read_log, records, segments

COUNT = 4


def molecules(first: int, n: int = 3, **more: Any) -> Localizations:
    rng = np.random.default_rng(first)
    columns: dict[str, object] = {
        "frame": np.sort(rng.integers(first, first + COUNT, n)),
        "x": rng.random(n),
        "y": rng.random(n),
        "photons": rng.random(n),
    }
    return from_columns({**columns, **more})


def fill(log: LocalizationLog, chunks: range, **more: Any) -> None:
    for k in chunks:
        append(log, k, molecules(k * COUNT, **more))


def append(log: LocalizationLog, chunk: int, found: Localizations) -> None:
    first = chunk * COUNT
    log.append(first, COUNT, np.arange(first, first + COUNT), found)


def same(a: Localizations, b: Localizations) -> None:
    assert list(a.columns()) == list(b.columns())
    for name, column in a.columns().items():
        assert column.dtype == b.columns()[name].dtype, name
        np.testing.assert_array_equal(column, b.columns()[name])


def test_all_kinds_of_columns_come_back_as_they_were(tmp_path: Path) -> None:
    found = molecules(
        0,
        z=[1, np.nan, 3],
        channel=[0, 1, 2],
        dye=np.array(["Cy5", "", "β"]),
        good=np.array([True, False, True]),
        spots=np.array([1, 2**40, 3]),
        chi2=np.array([0.1, 0.2, np.nan]),
    )
    with LocalizationLog(tmp_path) as log:
        append(log, 0, found)
        append(log, 1, molecules(COUNT, 0).where(slice(0)))
    back = read_log(tmp_path)
    same(back.molecules, found)
    assert back.covered == [(0, 2 * COUNT)]


def test_a_log_is_an_arrow_stream_that_others_read(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        fill(log, range(3))
    (segment,) = segments(tmp_path)
    with pa.OSFile(str(segment)) as file:
        table = pa.ipc.open_stream(file).read_all()
    assert table.schema.names == ["frame", "x_nm", "y_nm", "photons"]
    assert len(table) == 9


def test_chunks_come_in_any_order_and_are_read_in_the_order_of_frames(tmp_path: Path) -> None:
    index = np.r_[7:9, 20:22]
    with LocalizationLog(tmp_path) as log:
        append(log, 2, molecules(50))
        log.append(0, COUNT, index, molecules(7))
        assert log.covered == [(0, 4), (8, 12)]
        append(log, 1, molecules(30))
        assert (log.covered, log.molecules) == ([(0, 12)], 9)
    back = read_log(tmp_path)
    assert np.all(np.diff(back.molecules.frame) >= 0)
    assert back.covered == [(0, 12)]
    by_first = {record.first: record for record in records(tmp_path)}
    np.testing.assert_array_equal(by_first[0].index, index)
    same(by_first[4].molecules, molecules(30))


def test_frames_without_molecules_are_covered(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        append(log, 0, empty())
        append(log, 1, molecules(4))
        append(log, 2, empty())
    assert read_log(tmp_path).covered == [(0, 12)]
    assert len(segments(tmp_path)) == 2
    same(read_log(tmp_path).molecules, molecules(4))


def test_a_log_of_empty_frames_only_has_no_molecules(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        append(log, 0, empty())
    back = read_log(tmp_path)
    assert (back.covered, len(back.molecules)) == ([(0, 4)], 0)


def test_segments_are_as_many_as_sets_of_columns(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        for k in range(6):
            fill(log, range(k, k + 1), **({"z": [k] * 3} if k % 2 else {}))
    assert len(segments(tmp_path)) == 2
    back = read_log(tmp_path)
    assert back.covered == [(0, 24)]
    told = back.molecules.axis("z")
    np.testing.assert_array_equal(told[3:6], [1, 1, 1])
    assert np.all(np.isnan(told[:3]))


def test_what_a_record_does_not_tell_is_marked(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        fill(log, range(1), channel=[3, 4, 5], dye=["a", "b", "c"], spots=[1, 2, 3])
        fill(log, range(1, 2))
    back = read_log(tmp_path).molecules
    np.testing.assert_array_equal(back.axis("channel"), [3, 4, 5, -1, -1, -1])
    assert back.axis("channel").dtype == np.int16
    np.testing.assert_array_equal(back.extra["dye"], ["a", "b", "c", "", "", ""])
    np.testing.assert_array_equal(back.extra["spots"], [1, 2, 3, np.nan, np.nan, np.nan])


def test_no_frame_is_answered_for_twice(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        fill(log, range(1, 3))
        for first, count in ((4, 4), (11, 2), (2, 3), (0, 20)):
            with pytest.raises(InputError, match="in the log already"):
                log.append(first, count, np.arange(count), empty())
    with LocalizationLog(tmp_path) as log:
        with pytest.raises(InputError, match="in the log already"):
            fill(log, range(2, 3))
        fill(log, range(3, 4))
    assert read_log(tmp_path).covered == [(4, 16)]


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        with pytest.raises(InputError, match="give at least one"):
            log.append(0, 0, np.arange(0), empty())
        with pytest.raises(InputError, match="2 frames have 3 camera numbers"):
            log.append(0, 2, np.arange(3), empty())
    with pytest.raises(InputError, match="does not exist"):
        read_log(tmp_path / "none")


def test_a_log_opened_again_goes_on_in_a_segment_of_its_own(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        fill(log, range(2))
    before = segments(tmp_path)[0].read_bytes()
    with LocalizationLog(tmp_path) as log:
        assert (log.covered, log.molecules) == ([(0, 8)], 6)
        fill(log, range(2, 4))
    assert segments(tmp_path)[0].read_bytes() == before
    assert read_log(tmp_path).covered == [(0, 16)]


def test_a_log_has_one_writer(tmp_path: Path) -> None:
    assert not is_open(tmp_path)
    with LocalizationLog(tmp_path):
        assert is_open(tmp_path)
        with (
            pytest.raises(InputError, match="written by another program"),
            LocalizationLog(tmp_path),
        ):
            pass
    assert not is_open(tmp_path)


def test_a_log_cut_at_any_byte_keeps_its_whole_records(tmp_path: Path) -> None:
    ends = []
    with LocalizationLog(tmp_path) as log:
        for k in range(4):
            append(log, k, empty() if k == 2 else molecules(k * COUNT))
            ends.append(segments(tmp_path)[0].stat().st_size)
    content = segments(tmp_path)[0].read_bytes()
    cut = tmp_path / "cut"
    cut.mkdir()
    for size in range(len(content) + 1):
        (cut / "localizations-0000.arrows").write_bytes(content[:size])
        whole = sum(end <= size for end in ends)
        back = read_log(cut)
        assert back.covered == ([(0, whole * COUNT)] if whole else []), size
        assert len(back.molecules) == 3 * (whole - (whole > 2))
    (cut / "localizations-0000.arrows").write_bytes(content[: ends[1] + 100])
    with LocalizationLog(cut) as log:
        fill(log, range(2, 4))
    assert read_log(cut).covered == [(0, 16)]


def test_a_record_torn_by_a_power_cut_is_no_record(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        fill(log, range(2))
    (segment,) = segments(tmp_path)
    content = bytearray(segment.read_bytes())
    for at in range(len(content) - 90, len(content) - 10, 7):  # in the last record's columns
        segment.write_bytes(content[:at] + bytes(len(content) - at))
        assert read_log(tmp_path).covered == [(0, 4)], at


def test_another_programs_stream_is_refused(tmp_path: Path) -> None:
    table = pa.table({"frame": [1]})
    path = tmp_path / "localizations-0000.arrows"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(InputError, match="give a log by live-smlm"):
        read_log(tmp_path)


class TinyDisk:
    """Takes the place of `os.write`: room for so many bytes, then none."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._write = os.write

    def write(self, descriptor: int, data: bytes) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._write(descriptor, bytes(data)[: self.room])
        self.room -= taken
        return taken


@pytest.mark.parametrize("room", [0, 1, 100, 700, 701, 1500])
def test_a_full_disk_leaves_the_log_as_it_was_and_a_retry_goes_on(
    tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = TinyDisk(room)
    monkeypatch.setattr(os, "write", disk.write)
    with LocalizationLog(tmp_path) as log:
        with pytest.raises(OSError, match="No space"):
            fill(log, range(5))
        done = log.molecules // 3
        assert read_log(tmp_path).covered == ([(0, done * COUNT)] if done else [])
        with pytest.raises(OSError, match="No space"):
            fill(log, range(done, done + 1))
        disk.room = 10**6
        fill(log, range(done, 5))
    assert read_log(tmp_path).covered == [(0, 20)]
    assert len(read_log(tmp_path).molecules) == 15
    assert len(segments(tmp_path)) == 1


WRITER = """
import sys
import numpy as np
from pathlib import Path
from live_smlm.core import from_columns
from live_smlm.store.log import LocalizationLog

with LocalizationLog(Path(sys.argv[1]), sync_s=None) as log:
    for k in range(100_000):
        n = np.full(50, k)
        log.append(k, 1, n[:1], from_columns({"frame": n, "x": n, "y": n}))
        print(k, flush=True)
"""


def test_what_was_acknowledged_before_a_kill_is_there(tmp_path: Path) -> None:
    for run in range(2):
        folder = tmp_path / str(run)
        folder.mkdir()
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                if int(line) == 40 + 31 * run:
                    assert is_open(folder)
                    os.kill(writer.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
                    break
            acknowledged = max([int(rest) for rest in writer.stdout] + [40 + 31 * run])
        back = read_log(folder)
        assert not is_open(folder)
        assert len(back.covered) == 1
        assert back.covered[0][1] > acknowledged
        assert len(back.molecules) == 50 * back.covered[0][1]
        with LocalizationLog(folder) as log:
            assert log.covered == back.covered
