"""The stage takes the sample back when it has drifted far: optional, and careful.

Which way the stage's axes run over the image is the user's to say; where a move has
taken the sample farther away instead, no other follows.
"""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from live_smlm.core import DriftCurve, InputError, SourceFault, Stage, require

_AXES = re.compile(r"(-?)([xy])\s*,\s*(-?)([xy])")
_SEEN_S = 10.0
"""For so long the sample may seem unmoved in frames that were taken after a move."""
_BACK = 0.5
"""Share of the distance that must be left at most once it is seen."""


@dataclass(frozen=True, slots=True)
class Axes:
    """Along which of the stage's axes the image's x and y run: (axis, sign) each."""

    x: tuple[str, int] = ("x", 1)
    y: tuple[str, int] = ("y", 1)

    def turned(self, x: float, y: float) -> tuple[float, float]:
        """A way over the image as the stage goes it."""
        way = {self.x[0]: self.x[1] * x, self.y[0]: self.y[1] * y}
        return way["x"], way["y"]


def read_axes(text: str) -> Axes:
    """Read as `x,y`, `-x,y` or `y,-x`."""
    told = _AXES.fullmatch(text.strip())
    if told is None or told.group(2) == told.group(4):
        raise InputError(f"stage_axes is {text!r}; write as 'x,y', '-x,y' or 'y,x'")
    first, x, second, y = told.groups()
    return Axes((x, -1 if first else 1), (y, -1 if second else 1))


@dataclass(slots=True)
class Recentre:
    """Moves the stage; used by one thread."""

    stage: Stage
    limit_nm: float
    axes: Axes
    tell: Callable[[str, str], None] = lambda _, __: None
    captured: Callable[[], int] = lambda: 0
    """Frames that the camera has given so far; the drift is known of fewer."""
    failure: str | None = None
    """Why it moves no more."""
    _from_nm: float | None = None
    """Distance before the move that is not yet seen."""
    _moved: int = 0
    """The frame at which it was."""
    _waits_s: float | None = None
    """Since when frames taken after it are known."""

    def __post_init__(self) -> None:
        require(
            0 < self.limit_nm < math.inf,
            f"recentre_nm is {self.limit_nm:g}; give a number above 0",
        )

    def look(self, curve: DriftCurve) -> None:
        """Move the sample back if it is too far away; `curve` is of one that is not lost."""
        x, y = float(curve.x[-1]), float(curve.y[-1])
        away = math.hypot(x, y)
        settled = self.failure is None and self._settled(away, int(curve.frame[-1]))
        if not settled or away < self.limit_nm:
            return
        try:
            self._move(-x / 1000, -y / 1000)
        except (InputError, SourceFault) as error:
            self._fail(f"the stage did not move: {error}")
            return
        self._from_nm, self._moved, self._waits_s = away, self.captured(), None
        self.tell("stage moved", f"by {-x:.0f}, {-y:.0f} nm over the image, against the drift")

    def _settled(self, away: float, known: int) -> bool:
        """Whether the last move is seen; where it is seen to be wrong, there is no other."""
        before = self._from_nm
        if before is None or away < _BACK * before:
            self._from_nm = None
            return True
        if known < self._moved:
            return False
        self._waits_s = self._waits_s or time.monotonic()
        if away > 1.5 * before or time.monotonic() - self._waits_s > _SEEN_S:
            self._fail(
                f"the sample is {away:.0f} nm away after a move that was to bring it back from "
                f"{before:.0f} nm; check stage_axes"
            )
        return False

    def _move(self, x_um: float, y_um: float) -> None:
        along_x, along_y = self.axes.turned(x_um, y_um)
        at_x, at_y = self.stage.position()
        self.stage.move(at_x + along_x, at_y + along_y)

    def _fail(self, why: str) -> None:
        self.failure = why
        self.tell("recentring failed", why)
