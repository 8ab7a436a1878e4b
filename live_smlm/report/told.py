"""All that a report is made of, whoever gathered it; knows neither files nor pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from live_smlm.core import F64, STILL, DriftCurve, History, Localizations, require


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ring:
    """A curve of Fourier ring correlation."""

    per_nm: F64
    """Spatial frequency."""
    value: F64
    threshold: float
    resolution_nm: float | None
    """Where the curve falls below the threshold."""

    def __post_init__(self) -> None:
        require(
            self.per_nm.shape == self.value.shape,
            f"curve has {self.per_nm.shape} frequencies and {self.value.shape} values; "
            "give as many of each",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """A run, as far as it is known; what is absent has no place on the page."""

    name: str
    record: Mapping[str, Any]
    """As `run.json` says."""
    molecules: Localizations
    """All of them, or a fair part."""
    picture: bytes | None = None
    """PNG, with its scale."""
    layers: Mapping[str, bytes] = field(default_factory=dict)
    """What engines have drawn, by what it is, PNG."""
    events: Sequence[Mapping[str, Any]] = ()
    history: History = ()
    drift: DriftCurve = STILL
    ring: Ring | None = None
    forecasts: Sequence[str] = ()
    """The last ones, in words."""
