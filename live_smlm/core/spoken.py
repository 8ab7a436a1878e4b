"""Numbers as one says them."""

import math

_MINUTE_S, _HOUR_S = 60.0, 3600.0


def duration(seconds: float) -> str:
    """A time in the unit that one would use for it."""
    if not math.isfinite(seconds):
        return "never"
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.1f} h"
