"""A line on standard error that says how a run goes, where somebody is watching."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.progress import Progress, TaskID, TextColumn

from live_smlm.cli.words import console, trust_words
from live_smlm.pipeline.outcomes import Event, Localized

_EVERY_S = 0.2
_PREPARING = "preparing: engines are opened, and compiled the first time"


@dataclass(slots=True)
class Line:
    """A watcher that draws."""

    bar: Progress
    task: TaskID
    state: Callable[[], dict[str, Any]] | None = None
    """Where the numbers come from, once the run has begun."""
    _drawn_s: float = 0.0

    def frames(self, localized: Localized) -> None:
        """So many more are done."""
        self.bar.advance(self.task, localized.count)

    def event(self, event: Event) -> None:
        """Shown above the line; it stays."""
        self.bar.console.print(f"{event.what}: {event.detail}", highlight=False, markup=False)

    def tick(self) -> None:
        """Draw the numbers anew, now and then."""
        now = time.monotonic()
        if self.state is None or now - self._drawn_s < _EVERY_S:
            return
        self._drawn_s = now
        self.bar.update(self.task, said=_said(self.state()))


def _said(state: dict[str, Any]) -> str:
    p99 = state["latency_ms"]["p99"]
    lag = "-" if p99 is None else f"{p99:.0f} ms"
    simulated = " (simulated specimen)" if state["simulated"] else ""
    return (
        f"{state['frames_s']:.0f} frames/s, {state['molecules']} molecules, lag p99 {lag}, "
        f"waiting {state['waiting']}, deferred {state['deferred']}, shed {state['shed']}, "
        f"lost {state['lost']}, trust {trust_words(state['trust'])}{simulated}"
    )


@contextmanager
def progress(frames: int | None) -> Iterator[Line]:
    """A line that is gone afterwards; nothing at all where nobody watches."""
    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[said]}"))
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        yield Line(bar, bar.add_task("frames", total=frames, said=_PREPARING))
