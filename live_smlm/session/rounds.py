"""Field after field: the stage goes there, the field is acquired until its own rule is met.

A field that fails is told and left; the next one follows, unless the camera or
the stage is what failed. What each field took, and what acquiring all of them
as long as the slowest one would have taken, stands in one table.
"""

import csv
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from live_smlm.core.files import replacing
from live_smlm.session.fields import Spot
from live_smlm.session.plan import Control, Outcome
from live_smlm.store.record import Finish

_HOUR_S = 3600.0
Values: TypeAlias = Mapping[str, float]
"""Metrics by name, as they were at last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one field."""

    name: str
    x_um: float
    y_um: float
    finish: str
    reason: str
    frames: int
    molecules: int
    seconds: float
    """Of acquisition."""
    around_s: float
    """Of moving, opening and closing."""
    frc_nm: float | None
    completeness: float | None


def visit(
    spots: Sequence[Spot],
    go: Callable[[Spot], None],
    acquire: Callable[[Spot], tuple[Outcome, Values]],
    control: Control,
    told: Callable[[Row], None],
) -> tuple[Row, ...]:
    """Acquire all fields in order, until told to stop; the rows of those that were begun.

    What `go` raises ends the queue: a stage that does not move would take the same
    field again and again.
    """
    rows: list[Row] = []
    for spot in spots:
        if control.stopping:
            break
        began = time.monotonic()
        go(spot)
        outcome, values = acquire(spot)
        rows.append(row_of(spot, outcome, values, time.monotonic() - began))
        told(rows[-1])
        if outcome.finish is Finish.ERRORED and outcome.reason.startswith("source:"):
            break
    return tuple(rows)


def row_of(spot: Spot, outcome: Outcome, values: Values, whole_s: float) -> Row:
    """A field's line in the table."""
    return Row(
        name=spot.name,
        x_um=spot.x_um,
        y_um=spot.y_um,
        finish=outcome.finish.value,
        reason=outcome.reason,
        frames=outcome.tally.captured,
        molecules=outcome.molecules,
        seconds=round(outcome.seconds, 3),
        around_s=round(max(0.0, whole_s - outcome.seconds), 3),
        frc_nm=values.get("frc_nm"),
        completeness=values.get("completeness"),
    )


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Fields per hour as acquired, and had each been given the time of the slowest.

    The slowest one's time is what a fixed length needs for all fields to reach what
    their rule asks; fields that failed or were cut short do not count.
    """
    good = [r for r in rows if r.finish in {Finish.COMPLETED.value, Finish.STOPPED.value}]
    answer: dict[str, Any] = {"fields": len(rows), "done": len(good)}
    took = sum(r.seconds + r.around_s for r in good)
    if not took:
        return answer
    longest = max(r.seconds for r in good)
    fixed = sum(longest + r.around_s for r in good)
    return answer | {
        "fields_per_hour": round(_HOUR_S * len(good) / took, 2),
        "fixed_length_fields_per_hour": round(_HOUR_S * len(good) / fixed, 2),
        "gain": round(fixed / took, 3),
    }


@dataclass(slots=True)
class Sheet:
    """The table as it grows; after each field it is on the disk, whatever comes next."""

    path: Path
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        write_rows(self.path, self.rows)

    def add(self, row: Row) -> None:
        """One more field is done, or has failed."""
        self.rows.append(row)
        write_rows(self.path, self.rows)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """The table as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Row.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    with replacing(path) as draft:
        draft.write_text(text.getvalue(), encoding="utf-8")
