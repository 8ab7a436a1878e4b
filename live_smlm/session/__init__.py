"""One run from the first frame to the record: the only room that knows every stage."""

from live_smlm.session.plan import Control, Outcome, RunPlan, Topology
from live_smlm.session.run import Session
from live_smlm.store.record import Finish

__all__ = ["Control", "Finish", "Outcome", "RunPlan", "Session", "Topology"]
