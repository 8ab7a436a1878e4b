"""LiteLoc as an engine: a bundle of its network, run by whatever runtime is there.

The network itself lies in `network`, which only training imports.
"""

from dataclasses import dataclass, field

from live_smlm.inference.model_engine import ModelEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteLoc(ModelEngine):
    """Frames to molecules; the options are those of every network."""

    name: str = field(default="liteloc", init=False)
    package: str = field(default=__name__, init=False)
