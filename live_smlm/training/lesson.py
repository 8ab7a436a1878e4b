"""What a network learns, and all that the trainer knows of it.

A lesson draws its own batches, holds its own loss and says how its network is
exported; checkpoints, exact resuming, learning rates, short floats and early
ends are the trainer's. Packages name their lessons in the entry-point group
`live_smlm.lessons`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias, runtime_checkable

from torch import Tensor, nn, no_grad

from live_smlm.core import PSF, AnyArray, InputError, require
from live_smlm.core import options as option_text
from live_smlm.core.points import offered

GROUP = "live_smlm.lessons"
HELD_OUT = 2**40
"""The seed of the batches that judge; those of trainings lie below."""
Batch: TypeAlias = Mapping[str, Tensor]
"""A drawn batch on the device where the network is."""
Range = tuple[float, float]
_SCENE = "scene"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained where nothing else is asked."""

    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    clip: float = 1.0
    """Of the gradient's norm."""
    warm_up: int = 100
    """Steps."""
    short_floats: bool = True
    """Convolutions and products in 16 bits while it is trained, where the device has them."""
    looks: int = 8
    """Held-out batches that judge it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """A part of a trained network that engines run, as it is exported."""

    module: nn.Module
    """Takes the inputs in their order; gives one tensor, or a tuple in the order of `outputs`."""
    inputs: Mapping[str, Tensor]
    """Examples by name; where axes are open, they are as long as they usually will be."""
    outputs: tuple[str, ...]
    open_axes: Mapping[str, Mapping[int, str]] = field(default_factory=lambda: MappingProxyType({}))
    """Of inputs and outputs: the names of axes whose length is free. Axis 0 called `n` counts
    things that have nothing to do with each other: they may be computed in pieces."""

    def __post_init__(self) -> None:
        require(bool(self.inputs), "a graph has no input; give an example of each")
        require(bool(self.outputs), "a graph has no output; name each")
        known = {*self.inputs, *self.outputs}
        unknown = sorted(set(self.open_axes) - known)
        require(
            not unknown,
            f"open_axes names {', '.join(unknown)}; there are {', '.join(sorted(known))}",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class About:
    """What an engine must know of the model beside its graphs."""

    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Plain values, as JSON has them: scales, names of outputs, thresholds."""
    envelope: Mapping[str, Range] = field(default_factory=lambda: MappingProxyType({}))
    """Ranges of the training, as `EngineSpec.envelope` has them; further `pixel_size_nm`, and
    `read_noise` in effective counts. As many of them as the lesson has."""
    psf: PSF | None = None
    """Of the training; the model will not be used with another."""
    weights: bool = True
    """Whether they lie beside the graphs, so that other trainings can begin with them."""


class Learnable(Protocol):
    """What the trainer must know."""

    @property
    def name(self) -> str:
        """As the entry point has it; the model's architecture."""

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""

    def describe(self) -> Mapping[str, Any]:
        """Plain values that make this lesson this one; of another, no checkpoint is continued."""

    def network(self) -> nn.Module:
        """A fresh one, its weights drawn from torch's generator."""

    def draw(self, seed: int, step: int) -> Mapping[str, AnyArray]:
        """A batch; a function of both alone. With the seed HELD_OUT, one that judges.

        Called in processes of their own where the training has workers.
        """

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """A number to make small; called under autocast where the recipe has short floats."""

    def judge(self, network: nn.Module, batches: Sequence[Batch]) -> Mapping[str, float]:
        """How well it does on held-out batches: `loss`, and what else people want to read.

        Names carry their units (`RMSE nm`); nan is what cannot be said. Called
        without gradients, with the network as in use, in 32 bits.
        """


@runtime_checkable
class Lesson(Learnable, Protocol):
    """What can be learnt and becomes a model: a frozen dataclass that pickles.

    Its fields are its options, `name:option=value,…`. One that learns in a
    scene has a field `scene: Scene` (or `Scene | None = None`): PSF, cameras,
    density and light, from the words of the command line.
    """

    def graphs(self, network: nn.Module) -> Mapping[str, Graph]:
        """By name, with the network as in use on the processor; each becomes `NAME.onnx`."""

    def about(self, network: nn.Module, batches: Sequence[Batch]) -> About:
        """For the model; what must be chosen (thresholds) is chosen on held-out batches.

        Called as `judge` is.
        """


def found() -> dict[str, EntryPoint]:
    """Lessons by name; a name that two packages claim is refused."""
    return offered(GROUP, "lesson")


def find(name: str) -> type[Lesson]:
    """The class of that name; its fields are the options."""
    points = found()
    require(
        name in points, f"no lesson is called {name!r}; there are {', '.join(points) or 'none'}"
    )
    try:
        made: type[Lesson] = points[name].load()
    except ImportError as error:
        raise InputError(f"lesson {name!r} cannot be loaded: {error}") from error
    return made


def needs_scene(cls: type[Lesson]) -> bool | None:
    """Whether there must be a scene; None where none is taken."""
    for one in fields(cls):  # type: ignore[arg-type] # lessons are dataclasses
        if one.name == _SCENE:
            return one.default is MISSING and one.default_factory is MISSING
    return None


def lesson(name: str, options: Mapping[str, Any], scene: object | None = None) -> Lesson:
    """The lesson with its options; `scene` is a `training.scene.Scene`."""
    cls = find(name)
    needed = needs_scene(cls)
    require(
        scene is not None or not needed,
        f"lesson {name!r} is learnt in a scene; say --psf and --camera",
    )
    require(
        scene is None or needed is not None,
        f"lesson {name!r} is learnt in no scene; leave out --psf and --camera",
    )
    given = dict(options) if scene is None else {**options, _SCENE: scene}
    made = option_text.build(cls, given, f"lesson {name!r}")
    require(made.name == name, f"lesson {name!r} calls itself {made.name!r}; it must say the same")
    return made


@contextmanager
def as_used(network: nn.Module) -> Iterator[None]:
    """Without gradients, and with statistics as they are in use; as before afterwards."""
    training = network.training
    network.eval()
    try:
        with no_grad():
            yield
    finally:
        network.train(training)
