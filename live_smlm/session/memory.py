"""A run whose molecules stay in memory: for movies that are localized after the fact."""

from dataclasses import dataclass, field
from typing import Any

from live_smlm.core import I64, FrameSource, InputError, Localizations, concatenate
from live_smlm.pipeline.collector import Watcher
from live_smlm.session.plan import Control, Outcome, RunPlan
from live_smlm.session.run import Session
from live_smlm.store.record import Finish


@dataclass(slots=True)
class _Memory:
    parts: list[Localizations] = field(default_factory=list)

    def append(self, first: int, count: int, index: I64, molecules: Localizations) -> None:
        """Keep them."""
        del first, count, index
        self.parts.append(molecules)


def run_in_memory(
    source: FrameSource,
    plan: RunPlan,
    watchers: tuple[Watcher, ...] = (),
    control: Control | None = None,
    **more: Any,
) -> tuple[Localizations, Outcome]:
    """All molecules of a source, in frame order; whatever is missing is an error."""
    memory = _Memory()
    control = control or Control()
    outcome = Session(source, plan, memory, watchers=watchers, control=control, **more).run()
    if outcome.finish is Finish.ERRORED:
        raise InputError(outcome.reason)
    if outcome.shed:
        first, stop = outcome.shed[0]
        raise InputError(
            f"frames {first} to {stop - 1} could not be localized with engine {plan.engine!r}; "
            "try another engine"
        )
    return concatenate(memory.parts), outcome
