"""Which engine is taken where nobody names one."""

from live_smlm.engines import registry
from live_smlm.session.sources import SIMULATED

DEMO = "glint"
"""What `live-smlm demo` shows."""


def engine_for(source: str) -> str:
    """What a form suggests for a source: the demo's for a simulated specimen, if installed."""
    simulated = source.strip().partition(":")[0] in SIMULATED
    return DEMO if simulated and DEMO in registry.found() else registry.DEFAULT
