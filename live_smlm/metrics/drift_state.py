"""All that is known of the drift at one moment of a run."""

from dataclasses import dataclass, field

import numpy as np

from live_smlm.core import F64, STILL, DriftCurve
from live_smlm.metrics.drift_bank import Bank
from live_smlm.metrics.drift_blinks import NO_STEP, Going, Seen, Step
from live_smlm.metrics.drift_kept import Kept
from live_smlm.metrics.drift_knots import Knots
from live_smlm.metrics.drift_map import Places, SampleMap
from live_smlm.metrics.fiducials import Fiducials
from live_smlm.metrics.linking import Links

KNOWN = 64
"""Blocks after which a sample that is not found is lost; before, there is little to know it by."""
_FIRST_LOOK = 8
"""Blocks after which all are laid on the map again for the first time."""
NOWHERE = np.zeros(0)
NO_PLACES = Places(NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE)
_NONE = np.zeros(0, np.int64)
NONE_SEEN = Seen(NO_PLACES, _NONE, _NONE, NOWHERE)


@dataclass(frozen=True, slots=True, eq=False)
class DriftState:
    """All that is known so far; a fold may change its arrays, so the old value is given up."""

    block_frames: int
    three_d: bool
    map: SampleMap
    knots: Knots
    kept: Kept
    bank: Bank
    fiducials: Fiducials
    links: Links | None = None
    """Blinks that may go on; None before the first molecule."""
    going: Going = field(default_factory=Going)
    step: Step = NO_STEP
    """Of the block that is being closed, from the one before."""
    pending: tuple[Seen, ...] = ()
    """Molecules of the block that is not full yet."""
    seen: tuple[F64, ...] = ()
    """Molecules of it near the markers."""
    begun: int = 0
    """First frame of that block."""
    last: Seen = NONE_SEEN
    """Molecules of the block before,"""
    last_begun: int = 0
    """which began with this frame."""
    usual: float = 0.0
    """Worth per molecule of blocks of late."""
    lost: int = 0
    """Frames that are put together because the sample was not found; 0 while it is."""
    missed: int = 0
    """Frames before those, since it was last found."""
    curve: DriftCurve = STILL
    revision: int = 0
    """Rises when the past curve changed so much that old molecules should be drawn again."""
    next_look: int = _FIRST_LOOK

    @property
    def lost_frames(self) -> int:
        """Frames since the sample was last found; 0 while it is, or was never well known."""
        return self.missed + self.lost if len(self.knots) >= KNOWN else 0

    @property
    def error_nm(self) -> tuple[float, float, float]:
        """Standard error of the newest knot along x, y, z; infinite before the first."""
        if not len(self.knots):
            return (np.inf, np.inf, np.inf)
        x, y, z = np.sqrt(self.knots.column("doubt")[-1]).tolist()
        return x, y, z
