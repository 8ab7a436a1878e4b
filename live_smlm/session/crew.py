"""The workers of this machine, as a run's plan says."""

import contextlib

from live_smlm.engines import registry
from live_smlm.pipeline import supervisor
from live_smlm.pipeline.hub import Hub
from live_smlm.pipeline.lane import MakeEngine
from live_smlm.pipeline.witness import MakeWitness
from live_smlm.pipeline.worker import Place
from live_smlm.session.plan import RunPlan, Topology


def make_engines() -> MakeEngine:
    """How worker processes find engines: by name, in their own registry."""
    return registry.chain


def crew(
    plan: RunPlan, address: str, hub: Hub, make_engine: MakeEngine, make_witness: MakeWitness
) -> contextlib.AbstractContextManager[None]:
    """Workers that come in at the hub's address while this is open."""
    places = [
        Place(
            address=address,
            name=f"worker-{number}",
            lanes=plan.lanes,
            sees_ring=True,
            token=hub.token,
        )
        for number in range(plan.workers)
    ]
    if plan.topology is Topology.THREADS:
        return supervisor.threads(places, make_engine, make_witness)
    if plan.topology is Topology.PROCESSES:
        return supervisor.processes(places, make_engines, hub, make_witness)
    return contextlib.nullcontext()
