"""The numbers of a run as plain values: what screens, streams and records show."""

from typing import Any

from live_smlm.core import FrameSource, LiveSource
from live_smlm.pipeline.collector import Collector
from live_smlm.pipeline.ledger import Tally


def numbers_of(tally: Tally, collector: Collector, elapsed_s: float) -> dict[str, Any]:
    """The ledger's line, rates and latencies of this moment."""
    return {
        "captured": tally.captured,
        "localized": tally.localized,
        "deferred": tally.deferred,
        "shed": tally.shed,
        "lost": tally.lost,
        "waiting": tally.waiting,
        "molecules": collector.molecules,
        "fallback": collector.fallback,
        "frames_s": tally.captured / elapsed_s if elapsed_s else 0.0,
        "elapsed_s": elapsed_s,
        "latency_ms": latencies_of(collector),
    }


def fill_of(source: FrameSource) -> float | None:
    """Share of the camera's own buffer that waits to be read; None where there is no camera."""
    return source.status().fill if isinstance(source, LiveSource) else None


def latencies_of(collector: Collector) -> dict[str, float | None]:
    """From capture to localized, and to published."""
    localized, published = collector.localized, collector.published
    return {
        "p50": localized.percentile_ms(50),
        "p99": localized.percentile_ms(99),
        "published_p50": published.percentile_ms(50),
        "published_p99": published.percentile_ms(99),
    }
