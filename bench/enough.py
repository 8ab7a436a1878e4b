"""From the decision that it is enough to the last frame, in the demo camera.

    python bench/enough.py [--runs 5] [--json FILE]

A run ends by its own rule, as a user's would: real core, real log, the analyst in its
thread. Printed is the time from the decision to the arrival of the last frame, beside
what is allowed: one exposure and 100 ms.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live_smlm.config import RunConfig
from live_smlm.core import FrameBatch, FrameSource, StreamInfo
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.session import Control, RunPlan
from live_smlm.session.folder import run_into
from live_smlm.session.judging import judging_of
from live_smlm.session.sources import opened

EXPOSURES_MS = (10, 30, 100)
ALLOWED_MS = 100.0


@dataclass(slots=True)
class Timed:
    """A source that knows when its last frames came."""

    source: FrameSource
    last_s: float = 0.0

    @property
    def info(self) -> StreamInfo:
        return self.source.info

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        with self.source.open() as batches:
            yield map(self._seen, batches)

    def _seen(self, batch: FrameBatch) -> FrameBatch:
        self.last_s = time.monotonic()
        return batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


@dataclass(slots=True)
class Deciding(Control):
    """A hand that knows when it was first told to stop."""

    decided_s: float = field(default=0.0)

    def stop(self, reason: str) -> None:
        self.decided_s = self.decided_s or time.monotonic()
        Control.stop(self, reason)


def one(exposure_ms: float, folder: Path) -> dict[str, Any]:
    """One run; how long its end took."""
    config = RunConfig(
        source=f"demo:size=64x64,exposure_ms={exposure_ms}",
        stop=f"frames > {round(2500 / exposure_ms)}",
    )
    control = Deciding()
    with opened(config) as (source, psf):
        timed = Timed(source)
        outcome = run_into(
            folder,
            timed,
            RunPlan(engine="gauss-mle", psf=psf, overload=Overload.THIN, most_seconds=60),
            config.as_dict(),
            record_raw=False,
            control=control,
            judging=judging_of(config),
        )
    late_ms = 1000 * (timed.last_s - control.decided_s)
    return {
        "exposure_ms": exposure_ms,
        "late_ms": round(late_ms, 1),
        "allowed_ms": exposure_ms + ALLOWED_MS,
        "captured": outcome.tally.captured,
        "localized": outcome.tally.localized,
        "reason": outcome.reason,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="for each exposure")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    runs = [(exposure, run) for exposure in EXPOSURES_MS for run in range(options.runs)]
    with tempfile.TemporaryDirectory() as held:
        rows = [one(exposure, Path(held) / f"{exposure}-{run}") for exposure, run in runs]
    print("exposure ms  decision to last frame, ms              allowed")
    met = True
    for exposure in EXPOSURES_MS:
        mine = [row for row in rows if row["exposure_ms"] == exposure]
        late = " ".join(f"{row['late_ms']:6.1f}" for row in mine)
        met &= all(row["late_ms"] <= row["allowed_ms"] for row in mine)
        print(f"{exposure:11.0f}  {late:38}  {mine[0]['allowed_ms']:.0f}")
    print("met" if met else "MISSED")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
