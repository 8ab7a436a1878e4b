"""Which molecules are drawn: ranges of what an operator judges them by."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np

from live_smlm.core import Bool, Localizations, require
from live_smlm.render.values import columns_of, value

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Lowest and highest value that pass, ends included; None lets all pass.

    A molecule whose value is unknown passes no range.
    """

    photons: Range | None = None
    precision: Range | None = None
    """Mean of sigma_x and sigma_y, nm."""
    z: Range | None = None
    """nm, where drift has been taken off."""
    frame: Range | None = None
    probability: Range | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges().items():
            require(
                not (math.isnan(low) or math.isnan(high)) and low <= high,
                f"filter on {name} is {low:g} to {high:g}; give the lower end first",
            )

    def ranges(self) -> Mapping[str, Range]:
        """What is limited, by the value's name."""
        named = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: span for name, span in named.items() if span is not None}

    def columns(self) -> frozenset[str]:
        """The columns that tell who passes."""
        return frozenset(column for name in self.ranges() for column in columns_of(name))

    def passes(self, molecules: Localizations) -> Bool:
        """Which molecules pass."""
        passed = np.ones(len(molecules), np.bool_)
        for name, (low, high) in self.ranges().items():
            if not columns_of(name) <= molecules.columns().keys():
                return np.zeros(len(molecules), np.bool_)
            numbers = value(molecules, name)
            passed &= (numbers >= low) & (numbers <= high)
        return passed


ALL = Filters()
"""Everybody passes."""
