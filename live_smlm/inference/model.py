"""A trained network of any kind in a folder: graphs, what goes into them, what they were made for.

Where a bundle is a network of frames with a meaning that the house knows, a
model's graphs are its engine's business: `details` holds the plain values that
the engine needs beside them. `model.json`, ONNX and safetensors; reading runs
no code, and every file is verified (see `folder`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from live_smlm.core import PSF, CameraModel, InputError, require
from live_smlm.inference.envelope import camera_misfit, psf_misfit
from live_smlm.inference.folder import Kind, put
from live_smlm.inference.kept_psf import keep, kept

MODEL = Kind("model", "model.json", 1)
Range = tuple[float, float]
Axes = tuple[int | str, ...]
"""A tensor's shape; an axis of free length has a name instead."""
_GRAPH = ".onnx"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
ROWS = "n"
"""Axis 0 of that name counts things that have nothing to do with each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What goes into a graph and what comes out."""

    inputs: Mapping[str, Axes]
    outputs: Mapping[str, Axes]
    usual: Mapping[str, int]
    """How long the free axes of the inputs usually are."""

    def __post_init__(self) -> None:
        for name, axes in {**self.inputs, **self.outputs}.items():
            plain = all(isinstance(a, str) or (type(a) is int and a > 0) for a in axes)
            require(plain, f"port {name} has shape {axes}; give lengths above 0, or names")
        free = {a for axes in self.inputs.values() for a in axes if isinstance(a, str)}
        require(
            free == set(self.usual) and all(length > 0 for length in self.usual.values()),
            f"usual is {dict(self.usual)}; give a length for each of {sorted(free)}",
        )

    @property
    def by_rows(self) -> bool:
        """Whether it may be computed in pieces, a few rows of all tensors at a time."""
        return all(axes[:1] == (ROWS,) for axes in (*self.inputs.values(), *self.outputs.values()))

    def rows(self, at_once: int = 0) -> int:
        """How many rows are computed together, 0: as many as usual; 0 where none are counted."""
        require(at_once >= 0, f"at_once is {at_once}; it must not be negative")
        return (at_once or self.usual[ROWS]) if self.by_rows else 0

    def shapes(self, lengths: Mapping[str, int] = _NOTHING) -> dict[str, tuple[int, ...]]:
        """Of the inputs, for free axes of these lengths; those not named as usual."""
        unknown = sorted(set(lengths) - set(self.usual))
        require(
            not unknown,
            f"no axis is called {', '.join(unknown)}; there are {', '.join(sorted(self.usual))}",
        )
        of = {**self.usual, **lengths}
        return {
            name: tuple(of[axis] if isinstance(axis, str) else axis for axis in axes)
            for name, axes in self.inputs.items()
        }

    def describe(self) -> dict[str, Any]:
        """As it stands in the file."""
        inputs, outputs = (
            {name: list(axes) for name, axes in ports.items()}
            for ports in (self.inputs, self.outputs)
        )
        return {"inputs": inputs, "outputs": outputs, "usual": dict(self.usual)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a model says of itself, checked at birth."""

    name: str
    architecture: str
    """The lesson that it has learnt."""
    graphs: Mapping[str, Ports]
    details: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    """Plain values as JSON has them: lists, no tuples."""
    envelope: Mapping[str, Range] = field(default_factory=lambda: _NOTHING)
    """As `EngineSpec.envelope`; `pixel_size_nm` and `read_noise` besides. What is not there is
    not known."""
    psf: Mapping[str, object] | None = None
    """What `PSF.describe` gave, where one was trained for."""
    provenance: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def __post_init__(self) -> None:
        require(
            bool(self.name) and self.name == Path(self.name).name,
            f"model name is {self.name!r}; give a plain name",
        )
        require(bool(self.architecture), "model architecture is empty; name it")
        require(bool(self.graphs), f"model {self.name!r} has no graphs; give at least one")
        for name, (low, high) in self.envelope.items():
            require(
                low <= high,
                f"envelope {name} is [{low:g}, {high:g}]; give finite numbers, the lower first",
            )

    def describe(self) -> dict[str, Any]:
        """As it stands in the file, but for what the files add."""
        return {
            "name": self.name,
            "architecture": self.architecture,
            "graphs": {name: ports.describe() for name, ports in self.graphs.items()},
            "details": dict(self.details),
            "envelope": {name: list(ends) for name, ends in self.envelope.items()},
            "psf": None if self.psf is None else dict(self.psf),
            "provenance": dict(self.provenance),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that was read and verified."""

    folder: Path
    said: Said
    files: Mapping[str, str]
    """SHA-256 by file name."""
    hash: str

    @staticmethod
    def load(folder: Path) -> "Model":
        """Read and verify; refuses what is missing, changed or of a newer format."""
        sealed = MODEL.read(folder)
        said = _said(dict(sealed.table), f"{folder / MODEL.manifest}")
        model = Model(folder=folder, said=said, files=sealed.files, hash=sealed.hash)
        for name in said.graphs:
            model.graph(name)
        return model

    @property
    def name(self) -> str:
        """Of the folder that it was written to."""
        return self.said.name

    @property
    def architecture(self) -> str:
        """The lesson that it has learnt."""
        return self.said.architecture

    @property
    def details(self) -> Mapping[str, Any]:
        """Plain values for the engine."""
        return self.said.details

    @property
    def envelope(self) -> Mapping[str, Range]:
        """Ranges of the training; for `EngineSpec.envelope` as it is."""
        return self.said.envelope

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Command, seed, steps, scores."""
        return self.said.provenance

    def graph(self, name: str) -> Path:
        """A graph's file."""
        file = name + _GRAPH
        require(
            name in self.said.graphs and file in self.files,
            f"model {self.folder} has no graph {name}; it has {', '.join(self.said.graphs)}",
        )
        return self.folder / file

    def ports(self, name: str) -> Ports:
        """What goes into a graph and what comes out."""
        self.graph(name)
        return self.said.graphs[name]

    def psf(self) -> PSF | None:
        """The PSF of the training; None where there was none."""
        if self.said.psf is None:
            return None
        return kept(self.said.psf, self.files, self.folder, f"model {self.folder}")

    def misfit(self, camera: CameraModel, psf: PSF | None) -> str | None:
        """Why it is not for such a camera or PSF, and the cure; None if it is.

        What the envelope does not speak of is not asked.
        """
        reason = camera_misfit(self.envelope, camera)
        trained = self.psf()
        if reason is None and psf is not None and trained is not None:
            z_nm = self.envelope.get("z_nm", (0.0, 0.0))
            reason = psf_misfit(psf, trained, z_nm, camera.pixel_size_nm)
        if reason is None:
            return None
        return (
            f"model {self.name!r} does not fit: {reason}; train one with "
            f"`live-smlm train {self.architecture} …`"
        )


def write_model(
    folder: Path, said: Said, files: Mapping[str, Path | bytes], psf: PSF | None = None
) -> Model:
    """Write a model whole or not at all; an older one in its place is replaced.

    `psf` is what `said.psf` describes; what parameters do not tell goes along.
    """
    require(
        (psf is None) == (said.psf is None),
        f"model {said.name!r} must be written with the PSF that it describes, or without both",
    )

    def fill(draft: Path) -> None:
        put(draft, files)
        if psf is not None:
            keep(psf, said.envelope.get("pixel_size_nm", (100.0, 100.0))[0], draft)

    return MODEL.write(folder, said.describe(), fill, Model.load)


def models_of(package: str) -> dict[str, Path]:
    """Models in the folder `models` of an installed package, by name."""
    return MODEL.shipped(package)


def _said(table: dict[str, Any], what: str) -> Said:
    try:
        return Said(
            name=str(table["name"]),
            architecture=str(table["architecture"]),
            graphs={name: _ports(said) for name, said in table["graphs"].items()},
            details=dict(table["details"]),
            envelope={k: (float(low), float(high)) for k, (low, high) in table["envelope"].items()},
            psf=table["psf"],
            provenance=dict(table["provenance"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        told = f"lacks {error}" if isinstance(error, KeyError) else f"holds nonsense ({error})"
        raise InputError(f"{what} {told}; export the model again") from error


def _ports(said: Mapping[str, Any]) -> Ports:
    inputs, outputs = (
        {name: tuple(axes) for name, axes in said[side].items()} for side in ("inputs", "outputs")
    )
    return Ports(inputs=inputs, outputs=outputs, usual=dict(said["usual"]))
