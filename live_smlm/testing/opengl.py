"""An OpenGL context for tests: without a screen, complaints of the driver being failures."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from live_smlm.render.accumulator import Accumulator


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was said."""
        self.said.append(record.getMessage())


@contextmanager
def opengl() -> Iterator[Callable[..., Accumulator]]:
    """The graphics card's accumulator, with a context that is current meanwhile.

    vispy logs what goes wrong while drawing and goes on with a black picture.
    """
    from live_smlm.render.gpu import GpuAccumulator, headless  # noqa: PLC0415 - heavy

    log, complaints = logging.getLogger("vispy"), _Complaints()
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("DISPLAY", raising=False)
        patched.setenv("EGL_PLATFORM", "surfaceless")
        log.addHandler(complaints)
        try:
            with headless():
                yield GpuAccumulator
        finally:
            log.removeHandler(complaints)
    assert complaints.said == []
