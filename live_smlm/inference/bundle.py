"""A trained network in a folder: graphs, weights and what they were made for.

Everything is plain: `bundle.json`, ONNX and safetensors; reading it runs no
code. Every file is listed in the manifest with its SHA-256 and is verified
before it is used; `hash` covers the manifest and, through the list, all files.

`molecules` turns frames, or features of frames, into molecules; `features`
encodes each frame by itself, where the network has such a stage; `maps` stops
where `molecules` begins to look for peaks, for processors, which do that better
one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from live_smlm.core import PSF, CameraModel, InputError, require
from live_smlm.core.options import build
from live_smlm.inference.envelope import Envelope
from live_smlm.inference.folder import Kind, put
from live_smlm.inference.kept_psf import keep, kept
from live_smlm.inference.manifest import Manifest
from live_smlm.inference.raw_maps import Output

BUNDLE = Kind("bundle", "bundle.json", 1)
Stage = Literal["features", "molecules", "maps"]
GraphType = Literal["fp32", "fp16"]
_ENDINGS: Mapping[GraphType, str] = {"fp32": ".onnx", "fp16": ".fp16.onnx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that was read and verified."""

    folder: Path
    manifest: Manifest
    files: Mapping[str, str]
    """SHA-256 by file name."""
    hash: str

    @staticmethod
    def load(folder: Path) -> "Bundle":
        """Read and verify; refuses what is missing, changed or of a newer format."""
        sealed = BUNDLE.read(folder)
        manifest = _manifest(dict(sealed.table), folder)
        bundle = Bundle(folder=folder, manifest=manifest, files=sealed.files, hash=sealed.hash)
        bundle.graph("molecules")
        require(
            bool(manifest.outputs) or not bundle.has("maps", "fp32"),
            f"bundle {folder} has maps but does not say what its outputs mean; export it again",
        )
        return bundle

    @property
    def has_encoder(self) -> bool:
        """Whether frames are encoded one by one before `molecules` sees them."""
        return "features.onnx" in self.files

    def has(self, stage: Stage, precision: GraphType) -> bool:
        """Whether there is such a graph."""
        return stage + _ENDINGS[precision] in self.files

    def graph(self, stage: Stage, precision: GraphType = "fp32") -> Path:
        """A graph's file."""
        name = stage + _ENDINGS[precision]
        require(
            name in self.files,
            f"bundle {self.folder} has no {name}; it has {', '.join(sorted(self.files))}",
        )
        return self.folder / name

    def psf(self) -> PSF:
        """The PSF of the training."""
        described = self.manifest.envelope.psf
        return kept(described, self.files, self.folder, f"bundle {self.folder}")

    def misfit(self, camera: CameraModel, psf: PSF | None) -> str | None:
        """Why this network is not for such a camera or PSF, and the cure; None if it is."""
        reason = self.manifest.envelope.misfit(camera, psf, self.psf())
        if reason is None:
            return None
        return (
            f"model {self.manifest.name!r} does not fit: {reason}; train one with "
            f"`live-smlm train {self.manifest.architecture} --psf … --camera …`"
        )


def write_bundle(
    folder: Path, manifest: Manifest, files: Mapping[str, Path | bytes], psf: PSF
) -> Bundle:
    """Write a bundle whole or not at all; an older bundle in its place is replaced.

    `psf` is what the manifest's envelope describes; what parameters do not tell goes along.
    """

    def fill(draft: Path) -> None:
        put(draft, files)
        keep(psf, manifest.envelope.pixel_size_nm[0], draft)

    return BUNDLE.write(folder, manifest.describe(), fill, Bundle.load)


def shipped(package: str) -> dict[str, Path]:
    """Bundles in the folder `models` of an installed package, by name."""
    return BUNDLE.shipped(package)


def _manifest(table: dict[str, Any], folder: Path) -> Manifest:
    what, said = f"{folder / BUNDLE.manifest}", table.get("envelope")
    require(isinstance(said, dict), f"{what} has no envelope; export it again")
    table["envelope"] = build(Envelope, _tuples(said or {}), f"{what} envelope")
    table["outputs"] = _outputs(table.get("outputs", []), what)
    return build(Manifest, _tuples(table), what)


def _outputs(listed: Any, what: str) -> tuple[Output, ...]:
    try:
        return tuple(Output(kind, float(scale), float(offset)) for kind, scale, offset in listed)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} has outputs {listed!r}; export it again") from error


def _tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows no tuples: pairs of numbers are ours."""
    return {
        key: tuple(value) if isinstance(value, list) and _is_pair(value) else value
        for key, value in table.items()
    }


def _is_pair(values: list[Any]) -> bool:
    return len(values) == 2 and all(type(value) in (int, float) for value in values)
