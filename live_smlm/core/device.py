"""Where an engine computes, in the words of the command line: cpu, cuda, cuda:1.

Knows only the words; whether such a device is there is found out elsewhere.
"""

import re
from dataclasses import dataclass

from live_smlm.core.engine import DeviceKind
from live_smlm.core.errors import require


@dataclass(frozen=True, slots=True)
class Device:
    """A processor, or the GPU of that number."""

    kind: DeviceKind = "cpu"
    index: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"{self.kind}:{self.index}"

    def serving(self, devices: tuple[DeviceKind, ...]) -> "Device":
        """This device for an engine that knows it; the processor for one that does not."""
        return self if self.kind in devices else CPU


CPU = Device()


def read_device(text: str) -> Device:
    """The device that `cpu`, `cuda` or `cuda:N` means."""
    found = re.fullmatch(r"(cpu|cuda)(?::(\d{1,3}))?", text.strip())
    require(
        found is not None and not (found[1] == "cpu" and found[2]),
        f"device is {text!r}; give cpu, cuda, cuda:N or auto",
    )
    kind, index = found.groups() if found else ("cpu", None)
    return Device("cuda" if kind == "cuda" else "cpu", int(index or 0))
