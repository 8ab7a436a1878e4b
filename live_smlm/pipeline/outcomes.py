"""What the hub passes on: chunks that came back, frames settled without, and events."""

import time
from dataclasses import dataclass
from typing import TypeAlias

from live_smlm.core import F32, F64, I64, Localizations, Reconstruction
from live_smlm.pipeline.dispatcher import Chunk, Settled
from live_smlm.transport.messages import Answer
from live_smlm.transport.viewing import Event

__all__ = ["Event", "Finished", "Localized", "Outcome", "localized"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Localized:
    """A chunk that came back, with the camera's numbers of its core frames."""

    first: int
    count: int
    index: I64
    molecules: Localizations
    latency_s: F64
    """From the frame's arrival in the ring to the lane's answer."""
    answered_s: float
    """When that was, on this machine's clock."""
    fallback: bool
    picture: Reconstruction | None = None
    """The increment that the engine has drawn of these frames, where it draws."""
    evidence: F32 | None = None
    """What the lane's witness says; None where it was not asked."""
    seconds: tuple[float, float] = (0.0, 0.0)
    """That the engine and the witness took."""
    unwitnessed: str | None = None
    """Why the witness fell silent."""


@dataclass(frozen=True, slots=True)
class Finished:
    """No more frames will be settled."""


Outcome: TypeAlias = Localized | Settled | Event | Finished


def localized(
    chunk: Chunk, molecules: Localizations, answer: Answer, index: I64, latency_s: F64
) -> Localized:
    """A chunk and its answer with these molecules, given now."""
    return Localized(
        first=chunk.first,
        count=chunk.count,
        index=index,
        molecules=molecules,
        latency_s=latency_s,
        answered_s=time.monotonic(),
        fallback=chunk.fallback,
        picture=answer.picture,
        evidence=answer.evidence,
        seconds=answer.seconds,
        unwitnessed=answer.unwitnessed,
    )
