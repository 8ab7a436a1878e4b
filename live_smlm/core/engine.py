"""The one extension point: an engine is a function with a lifetime.

An engine maps one core type to another. What it consumes and produces is
its kind; there is no other. The pipeline checks that the arrows meet before
the first frame, opens the engine once per lane, calls the function it yields
from that lane's thread only, and closes it whatever happens.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, TypeVar, runtime_checkable

from live_smlm.core.camera import CameraModel
from live_smlm.core.errors import require
from live_smlm.core.psf import PSF

DeviceKind = Literal["cpu", "cuda"]
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """What an engine is, said before anything heavy is imported."""

    name: str
    consumes: type
    produces: type
    devices: tuple[DeviceKind, ...] = ("cpu",)
    needs: tuple[str, ...] = ()
    """Modules that must be importable, beyond the base install."""
    halo: tuple[int, int] = (0, 0)
    """Frames of context wanted before and after each frame."""
    pixel_size_nm: float | None = None
    """Of the reconstructions that it consumes; None where it takes any."""
    envelope: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Ranges the engine was made or trained for. Checked live: `density_per_um2`, `z_nm`, and the
    light at the camera, `photons` and `background`; or in effective counts, of which the camera
    tells how many a photon makes: `photon_counts`, `background_counts`."""

    def __post_init__(self) -> None:
        require(bool(self.name), "engine name is empty; give it one")
        require(
            min(self.halo) >= 0,
            f"engine {self.name!r} halo is {self.halo}; it must not be negative",
        )
        require(
            self.pixel_size_nm is None or self.pixel_size_nm > 0,
            f"engine {self.name!r} pixel_size_nm is {self.pixel_size_nm}; give above 0",
        )

    @property
    def arrow(self) -> str:
        """The kind in words: `FrameBatch -> Localizations`."""
        return f"{self.consumes.__name__} -> {self.produces.__name__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineContext:
    """What an engine may know of the place it runs in."""

    camera: CameraModel
    psf: PSF | None = None
    device: DeviceKind = "cpu"
    device_index: int = 0
    cuda_stream: int | None = None
    """Raw cudaStream_t, current during every call."""


class Engine(Protocol[In_contra, Out_co]):
    """An engine. Everything not here is the plugin's own business."""

    @property
    def spec(self) -> EngineSpec:
        """Name, arrow and needs."""

    def unsupported(self, context: EngineContext) -> str | None:
        """Why this engine cannot serve such a camera, PSF or device; None if it can."""

    def open(self, context: EngineContext) -> AbstractContextManager[Callable[[In_contra], Out_co]]:
        """Load weights and buffers; yield the function; free them on exit.

        Never called concurrently. The function is called from one thread, may
        block, and returns arrays that it will not write to again.
        """


@runtime_checkable
class Choosing(Protocol):
    """An engine whose envelope depends on the place: it has several models to choose from."""

    def envelope_in(self, context: EngineContext, /) -> Mapping[str, tuple[float, float]]:
        """The envelope of what would be opened there; narrower than the spec's."""


def envelope_in(
    engine: Engine[In_contra, Out_co], context: EngineContext
) -> Mapping[str, tuple[float, float]]:
    """What the engine was made for, as it would be opened there."""
    if isinstance(engine, Choosing):
        return engine.envelope_in(context)
    return engine.spec.envelope


@runtime_checkable
class Telling(Protocol):
    """An engine that chooses what it opens, and says what."""

    def describe(self, context: EngineContext, /) -> Mapping[str, object]:
        """What would be opened there: the model, its hash, what runs it; plain values."""


def described(engine: Engine[In_contra, Out_co], context: EngineContext) -> Mapping[str, object]:
    """What the engine would open there; empty where there is nothing to choose."""
    return engine.describe(context) if isinstance(engine, Telling) else {}
