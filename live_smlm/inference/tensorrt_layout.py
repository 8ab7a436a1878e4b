"""Which plans a bundle needs for a camera, of which shapes, and under which keys.

A lane takes frames a batch at a time, whole: a GPU has the memory, and
windows would compute their overlaps twice. Batches are as large as fill a GPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from live_smlm.inference.bundle import Bundle, GraphType, Stage
from live_smlm.inference.tensorrt_build import Graph, Library, Shapes, read_graph
from live_smlm.inference.tensorrt_cache import PlanKey
from live_smlm.inference.tensorrt_gpu import Gpu

PIXELS_AT_ONCE = 1 << 22
"""One frame of 2048 x 2048."""
MOST_FRAMES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One plan: a graph and its shape."""

    library: Library
    file: Path
    sha256: str
    precision: GraphType
    shapes: Shapes
    """Of the inputs."""
    outputs: Shapes

    def build(self) -> bytes:
        """The plan, from the graph."""
        return _read(self.library, self.file, self.shapes).plan()

    def key(self, gpu: Gpu) -> PlanKey:
        """Under which its plan for that GPU is kept."""
        return PlanKey(
            onnx_sha256=self.sha256,
            runtime=self.library.runtime,
            version=self.library.version,
            gpu=gpu.name,
            capability=gpu.capability,
            driver=gpu.driver,
            shapes=self.shapes,
            precision=self.precision,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a lane takes frames."""

    shape: tuple[int, int]
    """Rows, columns of the camera."""
    padded: tuple[int, int]
    """To multiples of the bundle's grid."""
    batch: int
    """Frames that are answered for at once."""
    halo: int
    """Frames of context, before and after together."""
    prime: Part | None
    """Encodes the context at the start; None without an encoder or without context."""
    encode: Part | None
    """Encodes a batch."""
    find: Part
    """Molecules of a batch, its context included."""

    @property
    def parts(self) -> dict[str, Part]:
        """Every plan by its purpose."""
        named = {"prime": self.prime, "encode": self.encode, "find": self.find}
        return {name: part for name, part in named.items() if part is not None}


def layout_of(
    library: Library,
    bundle: Bundle,
    shape: tuple[int, int],
    precision: GraphType,
    batch: int | None = None,
) -> Layout:
    """The layout for a camera of that many rows and columns; `batch` None: as fills a GPU."""
    grid, halo = bundle.manifest.grid, sum(bundle.manifest.halo)
    padded = -(-shape[0] // grid) * grid, -(-shape[1] // grid) * grid
    batch = batch or max(1, min(MOST_FRAMES, PIXELS_AT_ONCE // (padded[0] * padded[1])))

    def part(stage: Stage, shapes: Shapes) -> Part:
        file = bundle.graph(stage, precision)
        return part_of(library, file, bundle.files[file.name], precision, shapes)

    return _laid(part, shape, padded, batch, halo, encoder=bundle.has_encoder)


def _laid(
    part: Callable[[Stage, Shapes], Part],
    shape: tuple[int, int],
    padded: tuple[int, int],
    batch: int,
    halo: int,
    *,
    encoder: bool,
) -> Layout:
    prime = encode = None
    wanted: Shapes = {"frames": (batch + halo, *padded)}
    if encoder:
        encode = part("features", {"frames": (batch, *padded)})
        _, *feature = encode.outputs["features"]
        wanted = {"features": (batch + halo, *feature)}
        if halo:
            prime = part("features", {"frames": (halo, *padded)})
    return Layout(
        shape=shape,
        padded=padded,
        batch=batch,
        halo=halo,
        prime=prime,
        encode=encode,
        find=part("molecules", wanted),
    )


def part_of(
    library: Library, file: Path, sha256: str, precision: GraphType, shapes: Shapes
) -> Part:
    """The plan of a graph for inputs of these shapes; the graph is read, nothing built."""
    return Part(
        library=library,
        file=file,
        sha256=sha256,
        precision=precision,
        shapes=shapes,
        outputs=_read(library, file, shapes).outputs,
    )


def _read(library: Library, file: Path, shapes: Shapes) -> Graph:
    return read_graph(library, file.read_bytes(), shapes, f"{file.name} of {file.parent}")
