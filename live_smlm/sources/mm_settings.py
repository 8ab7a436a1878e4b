"""What a user says about a Micro-Manager camera, checked before any device is touched."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from live_smlm.core import InputError, require

BACKENDS = ("python", "java")
_GEOMETRY = re.compile(r"(\d+)x(\d+)\+(\d+)\+(\d+)")


@dataclass(frozen=True, slots=True)
class Region:
    """Pixels that are read out, counted on the chip after binning."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        require(
            self.x >= 0 and self.y >= 0 and self.width > 0 and self.height > 0,
            f"roi is {self.width}x{self.height}+{self.x}+{self.y}; give WIDTHxHEIGHT+X+Y",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroManager:
    """A camera behind Micro-Manager: in this process, or in one that runs already."""

    backend: str = "python"
    """`python`: a core of our own; `java`: the Micro-Manager that runs on this computer."""
    config: Path | None = None
    """Configuration file (.cfg) for `python`; none: the demo camera."""
    adapters: Path | None = None
    """Folder of device adapters; none: the configuration file's folder."""
    buffer_mb: int = 512
    """The camera's buffer; `python` only."""
    port: int = 4827
    """Of Micro-Manager's server; `java` only."""
    timeout_s: float = 5.0
    """How long to wait for that server."""
    exposure_ms: float | None = None
    """None here and below: as it is."""
    binning: str | None = None
    roi: str | Sequence[int] | None = None
    """WIDTHxHEIGHT+X+Y, or [x, y, width, height]."""
    frames: int | None = None
    """End after so many; none: when told to."""
    stall_s: float = 5.0
    """No frame for this long, and for ten exposures, is a fault."""
    properties: str | Mapping[str, str | float] = field(default_factory=dict)
    """Device properties to set first, by `Device.Property`; as text `Device.Property:value/…`."""

    def __post_init__(self) -> None:
        require(
            self.backend in BACKENDS,
            f"backend is {self.backend!r}; choose one of {', '.join(BACKENDS)}",
        )
        for name in ("buffer_mb", "port", "timeout_s", "exposure_ms", "frames", "stall_s"):
            value = getattr(self, name)
            require(value is None or value > 0, f"{name} is {value}; give a number above 0")
        require(self.port < 2**16, f"port is {self.port}; it is at most {2**16 - 1}")
        require(
            self.backend == "python" or (self.config is None and self.adapters is None),
            "config and adapters are for backend python; a running Micro-Manager has its own",
        )
        _ = self.region, self.preset

    @property
    def preset(self) -> Mapping[str, str | float]:
        """The device properties to set first."""
        if not isinstance(self.properties, str):
            return self.properties
        told: dict[str, str | float] = {}
        for item in filter(None, self.properties.split("/")):
            name, _, value = (part.strip() for part in item.partition(":"))
            require(
                bool("." in name and value),
                f"properties has {item!r}; write Device.Property:value/Device.Property:value",
            )
            require(name not in told, f"properties says {name!r} twice; say it once")
            told[name] = value
        return told

    @property
    def region(self) -> Region | None:
        """The region to read out."""
        if self.roi is None:
            return None
        if isinstance(self.roi, str):
            told = _GEOMETRY.fullmatch(self.roi.strip())
            if told is None:
                raise InputError(f"roi is {self.roi!r}; give WIDTHxHEIGHT+X+Y")
            width, height, x, y = map(int, told.groups())
            return Region(x, y, width, height)
        require(len(self.roi) == 4, f"roi is {self.roi}; give [x, y, width, height]")
        return Region(*map(int, self.roi))
