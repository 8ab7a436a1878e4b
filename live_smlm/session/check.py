"""Whether a run can work at all, asked before a camera is opened or a folder made."""

from typing import Any

from live_smlm.core import (
    Engine,
    EngineContext,
    FrameBatch,
    Localizations,
    StreamInfo,
    require,
)
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.pipeline.lane import MakeEngine
from live_smlm.session.plan import RunPlan
from live_smlm.transport.endpoints import check_address


def check(info: StreamInfo, plan: RunPlan, make_engine: MakeEngine) -> Engine[FrameBatch, Any]:
    """The run's engine, made here once; InputError for what cannot work."""
    _check_overload(info, plan)
    for address in plan.listen:
        check_address(address, plan.keys, binds=True)
    place = EngineContext(camera=info.camera, psf=plan.psf)
    engine = make_engine(plan.engine)
    engines = [engine] if plan.fallback is None else [engine, make_engine(plan.fallback)]
    for one in engines:
        spec = one.spec
        require(
            spec.consumes is FrameBatch and spec.produces is Localizations,
            f"engine {spec.name!r} is {spec.arrow}; a run needs FrameBatch -> Localizations",
        )
        reason = one.unsupported(place)
        require(reason is None, f"engine {spec.name!r} cannot run: {reason}")
    return engine


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
