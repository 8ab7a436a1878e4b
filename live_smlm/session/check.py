"""Whether a run can work at all, asked before a camera is opened or a folder made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from live_smlm.core import (
    Engine,
    EngineContext,
    EngineSpec,
    FrameBatch,
    Localizations,
    Reconstruction,
    StreamInfo,
    described,
    require,
)
from live_smlm.metrics.trust import Scope
from live_smlm.pipeline.dispatcher import Overload, Plan
from live_smlm.pipeline.lane import MakeEngine
from live_smlm.session.device import check_device
from live_smlm.session.guard import scope
from live_smlm.session.plan import RunPlan
from live_smlm.transport import ring as ring_memory
from live_smlm.transport.endpoints import check_address
from live_smlm.transport.messages import Setup
from live_smlm.transport.ring import RingPlan

_FROM_FRAMES = (Localizations, Reconstruction)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What follows from a plan and a source."""

    ring: RingPlan
    dispatch: Plan
    setup: Setup
    scope: Scope
    """What can be checked of the engine while it runs."""
    models: Mapping[str, object]
    """What engines that choose have chosen, by their names."""


def check(info: StreamInfo, plan: RunPlan, make_engine: MakeEngine, *, recorded: bool) -> Prepared:
    """The run, prepared as far as nothing is opened yet; InputError for what cannot work."""
    _check_overload(info, plan)
    for address in (*plan.listen, plan.status, plan.desk_at):
        check_address(address, plan.keys, binds=True)
    engines = _engines(info, plan, make_engine)
    camera = info.camera
    ring = ring_memory.plan(camera.shape, "uint8" if camera.bits <= 8 else "uint16", plan.ring_mb)
    halos = [engine.spec.halo for engine in engines]
    dispatch = Plan(
        slots=ring.slots,
        chunk_frames=min(plan.chunk_frames, max(1, ring.slots // 4)),
        halo=(max(before for before, _ in halos), max(after for _, after in halos)),
        overload=plan.overload,
        recorded=recorded,
    )
    setup = Setup(
        engine=plan.engine,
        fallback=plan.fallback,
        camera=camera,
        psf=plan.psf,
        ring=ring,
        device=plan.device,
        witnessed=plan.shadow,
    )
    engine = engines[0]
    seen = scope(engine, _place(info, plan, engine.spec), shadow=plan.shadow)
    models: dict[str, object] = {}
    for one in engines:
        models |= described(one, _place(info, plan, one.spec))
    return Prepared(ring, dispatch, setup, seen, models)


def _engines(
    info: StreamInfo, plan: RunPlan, make_engine: MakeEngine
) -> list[Engine[FrameBatch, Any]]:
    """The main engine and the one that stands in, made here once to see that they can."""
    engine = make_engine(plan.engine)
    check_device(plan.device, engine.spec)
    engines = [engine] if plan.fallback is None else [engine, make_engine(plan.fallback)]
    for one in engines:
        spec = one.spec
        require(
            spec.consumes is FrameBatch and spec.produces in _FROM_FRAMES,
            f"engine {spec.name!r} is {spec.arrow}; a run needs FrameBatch -> Localizations "
            "or FrameBatch -> Reconstruction",
        )
        reason = one.unsupported(_place(info, plan, spec))
        require(reason is None, f"engine {spec.name!r} cannot run: {reason}")
    return engines


def _place(info: StreamInfo, plan: RunPlan, spec: EngineSpec) -> EngineContext:
    at = plan.device.serving(spec.devices)
    return EngineContext(camera=info.camera, psf=plan.psf, device=at.kind, device_index=at.index)


def _check_overload(info: StreamInfo, plan: RunPlan) -> None:
    require(
        plan.overload is not Overload.FALLBACK or plan.fallback is not None,
        "overload rule 'fallback' needs a fallback engine; name a faster one",
    )
    require(
        info.can_wait or plan.overload is not Overload.WAIT,
        "overload rule 'wait' is for files and free-running simulations; a camera cannot "
        "wait: choose defer, thin or fallback",
    )
