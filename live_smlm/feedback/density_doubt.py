"""Whether more light still makes more molecules, or an engine that is lost in the crowd.

Where molecules overlap, an engine finds a share of them only, and the more light
the smaller the share. To ask for more then is a runaway. So light that was
raised without an answer is lowered for a look: a density that falls proves the
light, one that does not proves the crowd, and a ceiling stays where it fell.
All in logarithms; `light` is that of the value.
"""

import math
from dataclasses import dataclass, replace

HALF = math.log(2)
"""How far the light is lowered for a look."""
_UNANSWERED = math.log(4)
"""By how much it may be raised without an answer."""
_NEAR = 0.2
"""An error so small needs no proof."""
_ANSWER = 0.3
"""Share of a change of the light that the density must follow."""
_PROOF = 0.5
"""The same where there is light enough for few: a sample that shines by itself does less."""
_PATIENCE = 40
"""Looks after which a ceiling is forgotten, should it have been a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What is known of the light's effect."""

    rise: float = 0.0
    """By how much it was raised since the density last answered."""
    level: float | None = None
    """The density then."""
    ceiling: float = math.inf
    """Light beyond which the density did not answer."""
    ceiling_level: float = 0.0
    """The density there."""
    probe: float | None = None
    """The density before the light was lowered for a look; None: nothing is being tried."""
    failed: int = 0
    """How many such looks in a row have proved the crowd."""
    waited: int = 0
    """Looks beneath the ceiling at too low a density."""

    @property
    def suspicious(self) -> bool:
        """Whether to lower the light for a look."""
        return self.rise >= _UNANSWERED


def watched(doubt: Doubt, level: float, error: float) -> Doubt:
    """After a look at the density that follows the moves so far."""
    known = doubt.level is not None and error > _NEAR
    if not known or level - (doubt.level or 0.0) > _ANSWER * doubt.rise:
        doubt = replace(doubt, rise=0.0, level=level)
    if math.isfinite(doubt.ceiling) and error > _NEAR:
        doubt = replace(doubt, waited=doubt.waited + 1)
    if doubt.waited > _PATIENCE:
        return Doubt(level=level)
    fallen = doubt.ceiling_level - level
    if math.isfinite(doubt.ceiling) and fallen > _NEAR:  # fewer molecules are left, less crowded
        doubt = replace(doubt, ceiling=doubt.ceiling + fallen, ceiling_level=level)
    return doubt


def raised(doubt: Doubt, by: float) -> Doubt:
    """After a move of the light."""
    return replace(doubt, rise=max(0.0, doubt.rise + by))


def tried(doubt: Doubt, level: float) -> Doubt:
    """The light is lowered now, for a look."""
    return replace(doubt, probe=level)


def judged(doubt: Doubt, light: float, level: float) -> tuple[Doubt, str]:
    """After that look: what is known now, and `more`, `lower` or `stay`."""
    fallen = ((doubt.probe or 0.0) - level) / HALF
    if fallen > _ANSWER and doubt.failed == 0:
        return Doubt(ceiling=doubt.ceiling, ceiling_level=doubt.ceiling_level), "more"
    if fallen > _PROOF:
        return Doubt(ceiling=light + HALF, ceiling_level=doubt.probe or level), "stay"
    return replace(doubt, probe=level, failed=doubt.failed + 1), "lower"
