"""What a molecule can be coloured and chosen by: its columns and its precision."""

import re
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, AnyArray, Bool, InputError, Localizations, require

PRECISION = "precision"
"""Mean of sigma_x and sigma_y, nm."""
_CHANNEL = "channel"
"""Below 0 where a molecule's is not known."""
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\S+)\s*")
_HOLDS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


def value(molecules: Localizations, name: str) -> F32:
    """One number per molecule; NaN where it is unknown."""
    numbers = _numbers(molecules, name).astype(np.float32)
    return np.where(numbers < 0, np.float32(np.nan), numbers) if name == _CHANNEL else numbers


def columns_of(name: str) -> frozenset[str]:
    """The columns that a value is made of."""
    return frozenset(("sigma_x", "sigma_y") if name == PRECISION else (name,))


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a value; a molecule whose value is unknown does not meet it."""

    name: str
    sign: str
    limit: float

    def passes(self, molecules: Localizations) -> Bool:
        """Which molecules meet the condition."""
        return np.asarray(_HOLDS[self.sign](_numbers(molecules, self.name), self.limit))


def filters(text: str) -> tuple[Filter, ...]:
    """Conditions from words such as `photons>500,sigma_x<=20`."""
    return tuple(_filter(words) for words in text.split(",") if words.strip())


def chosen(molecules: Localizations, conditions: tuple[Filter, ...]) -> Localizations:
    """The molecules that meet all conditions."""
    for condition in conditions:
        molecules = molecules.where(condition.passes(molecules))
    return molecules


def _filter(words: str) -> Filter:
    found = _CONDITION.fullmatch(words)
    if found is not None:
        try:
            limit = float(found[3])
        except ValueError:
            limit = float("nan")
        if not np.isnan(limit):
            return Filter(found[1], found[2], limit)
    raise InputError(f"filter {words.strip()!r} is not understood; write such as photons>500")


def _numbers(molecules: Localizations, name: str) -> AnyArray:
    if name == PRECISION:
        both = molecules.axis("sigma_x"), molecules.axis("sigma_y")
        return np.asarray((both[0] + both[1]) / 2)
    column: AnyArray = molecules.axis(name)
    require(
        np.issubdtype(column.dtype, np.number) and not np.iscomplexobj(column),
        f"column {name!r} holds {column.dtype}; choose one of real numbers",
    )
    return column
