"""How molecules are to be seen, whatever part of the sample is looked at."""

from dataclasses import dataclass, field, replace

from live_smlm.core import STILL, DriftCurve, Localizations, require
from live_smlm.render.accumulator import Drawing, Mode
from live_smlm.render.chunks import KEPT, WIDE_NM
from live_smlm.render.filters import ALL, Filters
from live_smlm.render.kernels import FARTHEST_SIGMAS, SIGMAS_DRAWN
from live_smlm.render.values import PRECISION, columns_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is drawn of each molecule, of which molecules, and where."""

    drawing: Drawing = field(default_factory=Drawing)
    by: str | None = None
    """The value whose mean per pixel is to be known: `z`, `photons`, `precision`, …"""
    filters: Filters = ALL
    drift: DriftCurve = STILL

    def __post_init__(self) -> None:
        known = sorted(KEPT | {PRECISION})
        require(
            self.by is None or self.by in known,
            f"molecules cannot be coloured by {self.by!r}; choose one of {', '.join(known)}",
        )

    def columns(self) -> frozenset[str]:
        """What must be known of a molecule to draw it."""
        widths = self.drawing.mode in {Mode.PRECISION, Mode.DITHERED}
        needed = columns_of(PRECISION) if widths else frozenset[str]()
        return needed | (frozenset() if self.by is None else columns_of(self.by))

    def drawable(self, molecules: Localizations) -> bool:
        """Whether the molecules have those columns; the others are not drawn."""
        return self.columns() <= molecules.columns().keys()

    def but_for_drift(self, other: "Look") -> bool:
        """Whether the two are alike in all but the drift."""
        return replace(self, drift=other.drift) == other

    @property
    def tells_depth(self) -> bool:
        """Whether a molecule's z can be seen."""
        return self.by == "z" or self.filters.z is not None

    @property
    def reach_nm(self) -> float:
        """How far from its place a molecule of no great width is drawn."""
        match self.drawing.mode:
            case Mode.HISTOGRAM:
                return 0.0
            case Mode.GAUSSIAN:
                return SIGMAS_DRAWN * self.drawing.width_nm
            case Mode.PRECISION:
                return SIGMAS_DRAWN * WIDE_NM
            case Mode.DITHERED:
                return FARTHEST_SIGMAS * WIDE_NM


def usual_mode(molecules: Localizations) -> Mode:
    """Each with its own precision where that is told."""
    told = molecules.sigma_x is not None and molecules.sigma_y is not None
    return Mode.PRECISION if told else Mode.GAUSSIAN
