"""What a window is joined to: it joins and leaves a run, and asks it to stop without waiting.

The window's thread alone uses it; a request walks on a thread of its own.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from live_smlm.view.follow import Sink


class Control(Protocol):
    """A run as one asks things of it; each answers why not, in words, if refused."""

    @property
    def in_control(self) -> bool:
        """Whether it is worth asking."""

    def show(self, layer: str) -> None:
        """Tell of this picture of an engine from now on; of none where it is empty."""

    def stop(self, reason: str) -> str | None:
        """Keep all that was captured, and end."""

    def abort(self, reason: str) -> str | None:
        """Give waiting frames up, and end."""

    def order(self, what: str, words: str) -> str | None:
        """Do as is said: `order` of the stop rule, `regions`, or `laser`."""


Join: TypeAlias = Callable[[Sink], AbstractContextManager[Control]]
"""How to join a run: while this is open, the sink is told everything."""


@dataclass(slots=True)
class Link:
    """To one run at a time, or to none."""

    _held: ExitStack = field(default_factory=ExitStack)
    _control: Control | None = None
    _asking: threading.Thread | None = None
    _refusals: list[str] = field(default_factory=list)

    def join(self, join: Join, sink: Sink) -> None:
        """Leave the run that is joined, and join this one."""
        self.leave()
        self._control = self._held.enter_context(join(sink))

    def leave(self) -> None:
        """Hear no more; what was asked is answered first.

        What went wrong while hearing was told as the loss of the run, when it happened.
        """
        if self._asking is not None:
            self._asking.join()
        self._control = self._asking = None
        with suppress(Exception):
            self._held.close()
        self._refusals.clear()

    @property
    def in_control(self) -> bool:
        """Whether there is a run that would listen."""
        return self._control is not None and self._control.in_control

    @property
    def asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._asking is not None and self._asking.is_alive()

    def stop(self, reason: str) -> None:
        """Ask the run to end and keep everything."""
        if self._control is not None:
            self._ask(self._control.stop, reason)

    def abort(self, reason: str) -> None:
        """Ask the run to end at once."""
        if self._control is not None:
            self._ask(self._control.abort, reason)

    def order(self, what: str, words: str) -> None:
        """Tell the run what is wanted of its rule, its regions or its light."""
        control = self._control
        if control is not None:
            self._ask(lambda said: control.order(what, said), words)

    def show(self, layer: str) -> None:
        """Have this picture of an engine told; none where it is empty."""
        if self._control is not None:
            self._control.show(layer)

    def refusal(self) -> str | None:
        """Why the run refused what was asked, told once."""
        return self._refusals.pop() if self._refusals else None

    def wait(self) -> None:
        """Until what was asked is answered."""
        if self._asking is not None:
            self._asking.join()

    def _ask(self, request: Callable[[str], str | None], reason: str) -> None:
        def ask() -> None:
            refused = request(reason)
            if refused is not None:
                self._refusals.append(refused)

        if not self.asking:
            self._asking = threading.Thread(target=ask, name="request")
            self._asking.start()
