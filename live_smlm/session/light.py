"""A source whose light is kept at a density of molecules while it streams, and safe afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from live_smlm.core import FrameBatch, FrameSource, InputError, StreamInfo, options
from live_smlm.feedback.density_settings import DensitySettings
from live_smlm.session.laser import LaserControl

_EXAMPLE = "Laser.Voltage:set_point_per_um2=0.2,highest=10"


@dataclass(slots=True)
class Lit:
    """The source, with its light under control from the first frame to the last."""

    source: FrameSource
    control: LaserControl

    @property
    def info(self) -> StreamInfo:
        """The source's."""
        return self.source.info

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        """The source's frames; the light is safe as soon as they end."""
        with self.control.working(), self.source.open() as batches:
            yield batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)  # all else is the source's


def read_light(text: str | None) -> DensitySettings | None:
    """What a configuration says of the light: `Device.Property:key=value,…`."""
    if text is None:
        return None
    name, words = options.parse(text, "laser")
    if not words:
        raise InputError(f"laser is {text!r}; write as {_EXAMPLE!r}")
    return options.build(DensitySettings, {"property": name, **words}, "laser")
