"""What a run left undone, done from its raw record.

Deferred frames, frames that nobody answered for, and all that a killed run
had recorded but not localized: every recorded frame that the log does not
cover is localized with the run's own engine, camera and PSF, with the context
that it would have had.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.config import RunConfig
from live_smlm.core import EngineContext, FrameBatch, Localizations, require
from live_smlm.core.options import build
from live_smlm.core.ranges import Ranges
from live_smlm.engines import registry
from live_smlm.session import doors
from live_smlm.session.device import check_device, choose
from live_smlm.session.sources import camera_of, psf_of
from live_smlm.store.log import LocalizationLog, is_open, read_log
from live_smlm.store.raw import RawMovie, read_raw, recorded_frames
from live_smlm.store.record import EventLog, Finish, read_run, write_run
from live_smlm.store.run_folder import raw_folder


def recover(folder: Path, advance: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Complete a run; its record afterwards. `advance` is told of frames as they are done."""
    said = read_run(folder)
    require(not is_open(folder), f"{folder} is being written by a run that goes on; wait for it")
    raw = read_raw(raw_folder(folder)) if recorded_frames(raw_folder(folder)) else None
    localized = 0
    with LocalizationLog(folder) as log, EventLog(folder) as events:
        if raw is not None:
            missing = Ranges(log.covered).missing(raw.frames)
            chosen = build(RunConfig, said["config"], f"configuration of {folder}")
            for first, index, found in _localize(chosen, raw, missing):
                log.append(first, len(index), index, found)
                localized += len(index)
                advance(len(index))
        events.append("recovered", detail=f"{localized} frames from the raw record")
        covered = log.covered
    record = _completed(said, covered, raw, len(read_log(folder).molecules))
    write_run(folder, record)
    doors.forget(folder)  # what a killed run has left
    return record


def _localize(
    chosen: RunConfig, raw: RawMovie, missing: list[tuple[int, int]]
) -> Iterator[tuple[int, np.ndarray[Any, np.dtype[np.int64]], Localizations]]:
    """Stream number of the first frame, camera numbers and molecules, chunk by chunk."""
    engine = registry.chain(chosen.engine)
    at, _ = choose(chosen.device, engine.spec.devices)
    check_device(at, engine.spec)
    place = EngineContext(
        camera=camera_of(chosen, raw.shape),
        psf=psf_of(chosen),
        device=at.kind,
        device_index=at.index,
    )
    reason = engine.unsupported(place)
    require(reason is None, f"engine {chosen.engine!r} cannot run: {reason}")
    with engine.open(place) as process:
        for first, stop in missing:
            for begin, end in _runs(raw, first, stop, chosen.chunk_frames):
                yield (
                    begin,
                    raw.index[begin:end],
                    process(_batch(raw, begin, end, engine.spec.halo)),
                )


def _runs(raw: RawMovie, first: int, stop: int, most: int) -> Iterator[tuple[int, int]]:
    """Chunks of `first` to `stop` that no lost frame divides."""
    jumps = np.flatnonzero(np.diff(raw.index[first:stop]) != 1) + 1 + first
    edges = [first, *jumps.tolist(), stop]
    for begin, end in pairwise(edges):
        for at in range(begin, end, most):
            yield at, min(at + most, end)


def _batch(raw: RawMovie, first: int, stop: int, halo: tuple[int, int]) -> FrameBatch:
    """Frames `first` to `stop` with the context that the record has."""
    before = _in_a_row(raw, first, -1, halo[0])
    after = _in_a_row(raw, stop - 1, 1, halo[1])
    window = slice(first - before, stop + after)
    pixels = raw.read(window.start, window.stop)
    return FrameBatch(pixels, raw.index[window], raw.time_s[window], (before, after))


def _in_a_row(raw: RawMovie, at: int, step: int, most: int) -> int:
    """How many frames beyond `at` follow without a gap, up to `most`."""
    count = 0
    while count < most:
        here, beyond = at + step * count, at + step * (count + 1)
        if not 0 <= beyond < raw.frames or raw.index[beyond] - raw.index[here] != step:
            break
        count += 1
    return count


def _completed(
    said: dict[str, Any], covered: list[tuple[int, int]], raw: RawMovie | None, molecules: int
) -> dict[str, Any]:
    """The record with what is true now: what is neither localized nor recorded is shed."""
    killed = said["finish"] == Finish.RUNNING.value
    if killed:
        said = {
            **said,
            "finish": Finish.ERRORED.value,
            "reason": "the program was killed; recovered",
        }
    recorded = 0 if raw is None else raw.frames
    last = max((stop for _, stop in covered), default=0)
    captured = max(said["frames"]["captured"], recorded, last)
    lost = said["frames"]["lost"]
    if raw is not None and len(raw.index):
        lost = max(lost, int(raw.index[-1] - raw.index[0] + 1 - len(raw.index)))
    done = Ranges(covered)
    frames = {
        "captured": captured,
        "localized": len(done),
        "deferred": 0,
        "shed": captured - len(done),
        "lost": lost,
        "waiting": 0,
    }
    ranges = {"deferred": [], "shed": done.missing(captured)}
    return {**said, "frames": frames, "ranges": ranges, "molecules": molecules}
