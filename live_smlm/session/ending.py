"""How a run ended, in words and in numbers."""

from dataclasses import replace

from live_smlm.pipeline.collector import acknowledged
from live_smlm.pipeline.feed import Feed
from live_smlm.pipeline.hub import Hub
from live_smlm.pipeline.ledger import Fate, Tally
from live_smlm.pipeline.recorder import Recorder
from live_smlm.session.plan import Control, RunPlan
from live_smlm.store.record import Finish


def reason_of(feed: Feed, control: Control, plan: RunPlan, elapsed_s: float) -> tuple[Finish, str]:
    """How a run ended in which nothing of ours failed, and why."""
    if feed.error is not None:
        return Finish.ERRORED, f"source: {feed.error}"
    if control.aborting:
        return Finish.CANCELED, control.reason or "aborted"
    if control.stopping:
        return Finish.STOPPED, control.reason or "asked to stop"
    return Finish.COMPLETED, _limit(plan, feed.hub.dispatcher.captured, elapsed_s)


def _limit(plan: RunPlan, captured: int, elapsed_s: float) -> str:
    if plan.most_frames is not None and captured >= plan.most_frames:
        return f"{captured} frames were asked for"
    if plan.most_seconds is not None and elapsed_s >= plan.most_seconds:
        return f"{plan.most_seconds:g} seconds were asked for"
    return "the source ended"


def tally_now(hub: Hub, stored: int) -> Tally:
    """The ledger now: localized are the frames whose molecules are stored."""
    with hub.lock:
        return replace(hub.dispatcher.ledger.tally, localized=stored)


def tally_at_end(
    hub: Hub, recorder: Recorder | None, stored: int
) -> tuple[Tally, list[tuple[int, int]]]:
    """The ledger at the end, and the deferred frames that can be recovered."""
    failed = recorder is not None and recorder.error is not None
    with hub.lock:
        dispatcher = hub.dispatcher
        dispatcher.abandon("the run ended")  # nothing, unless the hub failed
        end = dispatcher.recorded_to if failed else dispatcher.captured
        ranges = dispatcher.ledger.ranges(Fate.DEFERRED)
        deferred = [(first, min(stop, end)) for first, stop in ranges if first < end]
        kept = sum(stop - first for first, stop in deferred)
        tally = dispatcher.ledger.tally
    recorded = recorder is not None and not failed
    return acknowledged(tally, stored, tally.deferred - kept, recorded=recorded), deferred
