"""How engines are found: by the entry-point group `live_smlm.engines`.

Nothing is imported before it is asked for. An entry point names a frozen
dataclass whose fields are the engine's options. Every process finds engines
by itself: names cross process borders, objects do not.
"""

import importlib.util
import re
from dataclasses import dataclass
from importlib.metadata import EntryPoint

from live_smlm.core import Engine, InputError, RoiBatch, require
from live_smlm.core import options as option_text
from live_smlm.core.points import offered
from live_smlm.engines.chain import AnyEngine, Chain

GROUP = "live_smlm.engines"
DEFAULT = "gauss-mle"
DETECTOR = "detect"


def found() -> dict[str, EntryPoint]:
    """Entry points by engine name; a name that two packages claim is refused."""
    return offered(GROUP, "engine")


def engine(text: str) -> AnyEngine:
    """One engine from `name` or `name:option=value,…`."""
    name, options = option_text.parse(text, "engine")
    points = found()
    require(
        name in points,
        f"engine {name!r} is not installed; there are {', '.join(points) or 'none'}",
    )
    try:
        made: Engine[object, object] = option_text.build(
            points[name].load(), options, f"engine {name!r}"
        )
    except ImportError as error:
        raise InputError(f"engine {name!r} cannot be loaded: {error}") from error
    return made


def chain(text: str) -> Chain:
    """Engines from `one+two:option=value+…`; an engine of ROIs gets the detector before it."""
    engines = [engine(part) for part in re.split(r"\+(?=[A-Za-z])", text)]
    if engines[0].spec.consumes is RoiBatch:
        engines.insert(0, engine(DETECTOR))
    return Chain(tuple(engines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One row of `live-smlm engines`."""

    name: str
    arrow: str
    devices: tuple[str, ...]
    missing: tuple[str, ...]
    """What must be installed before it runs here."""
    default: bool


def listing() -> list[Listing]:
    """Every engine that is installed; a broken one is listed with its error."""
    return [_row(name) for name in found()]


def _row(name: str) -> Listing:
    default = name == DEFAULT
    try:
        spec = engine(name).spec
    except InputError as error:
        return Listing(name=name, arrow="?", devices=(), missing=(str(error),), default=default)
    missing = tuple(m for m in spec.needs if importlib.util.find_spec(m) is None)
    return Listing(
        name=name, arrow=spec.arrow, devices=spec.devices, missing=missing, default=default
    )
