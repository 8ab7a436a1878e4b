"""What viewers get of a run: the stream that tells, and the desk that answers.

The desk listens beside the stream unless told otherwise. Both stand open on
loopback; beyond it they want the run's keys.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import zmq

from live_smlm.core import DriftCurve
from live_smlm.pipeline.chronicle import Chronicle
from live_smlm.pipeline.desk import LARGEST_REQUEST, WAITING_ANSWERS, Archive, Desk, Files, Hand
from live_smlm.pipeline.glimpse import Glimpse
from live_smlm.pipeline.publisher import Publisher
from live_smlm.session.charts import Charts
from live_smlm.session.plan import RunPlan
from live_smlm.transport.endpoints import address_of, bound, is_loopback
from live_smlm.transport.pictures import Shown

_LAST_WORD_MS = 500
"""How long the stream's last words wait for a viewer that does not take them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where viewers come in, and what they must say to command."""

    status: str
    desk: str
    token: str = field(repr=False)


@dataclass(slots=True)
class Audience:
    """The viewers' side of one run."""

    charts: Charts
    archive: Archive | None = None
    layer: Callable[[str], Shown | None] = lambda _: None
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    doors: Doors | None = None
    """Once they are open."""
    _id: str = field(default_factory=lambda: secrets.token_hex(8))
    _desk: Desk | None = None

    def state(self) -> dict[str, Any]:
        """What viewers want to know beside the run's numbers."""
        camera = self.charts.info.camera
        return {
            "id": self._id,
            "desk": None if self.doors is None else self.doors.desk,
            "viewers": 0 if self._desk is None else self._desk.viewers,
            "pixel_size_nm": camera.pixel_size_nm,
            "shape": list(camera.shape),
            "series": self.charts.newest(),
        }

    @contextlib.contextmanager
    def admitted(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        plan: RunPlan,
        state: Callable[[], dict[str, Any]],
        glimpse: Glimpse,
        commands: Mapping[str, Callable[[str], None]],
        tell: Callable[[str, str], None],
        drift: Callable[[], DriftCurve],
    ) -> Iterator[Publisher]:
        """Open both doors; on a good end leave them open until the viewers have all."""
        keys = {at: None if is_loopback(at) else plan.keys for at in (plan.status, plan.desk_at)}
        limits = {"largest": LARGEST_REQUEST, "queue": WAITING_ANSWERS}
        with (
            bound(context, zmq.PUB, plan.status, keys[plan.status]) as status,
            bound(context, zmq.ROUTER, plan.desk_at, keys[plan.desk_at], **limits) as door,
        ):
            self.doors = Doors(status=address_of(status), desk=address_of(door), token=self.token)
            chronicle = Chronicle()
            files = Files(
                archive=self.archive,
                chronicle=chronicle,
                series=self.charts.whole,
                layer=self.layer,
            )
            hand = Hand(token=self.token, commands=commands, tell=tell)
            self._desk = Desk(door, files, hand)
            with self._desk.open():
                yield Publisher(status, state, chronicle, glimpse.look, drift)
                status.linger = _LAST_WORD_MS
