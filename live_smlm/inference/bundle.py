"""A trained network in a folder: graphs, weights and what they were made for.

Everything is plain: `bundle.json`, ONNX and safetensors; reading it runs no
code. Every file is listed in the manifest with its SHA-256 and is verified
before it is used; `hash` covers the manifest and, through the list, all files.

`molecules` turns frames, or features of frames, into molecules; `features`
encodes each frame by itself, where the network has such a stage; `maps` stops
where `molecules` begins to look for peaks, for processors, which do that better
one by one.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, Literal

from live_smlm.core import PSF, CameraModel, InputError, require
from live_smlm.core.options import build
from live_smlm.fitting.model import fit_model
from live_smlm.inference.envelope import Envelope
from live_smlm.inference.manifest import FORMAT, Manifest
from live_smlm.inference.raw_maps import Output
from live_smlm.physics.psf.files import PARAMETRIC, load_psf, save
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.spline import SplinePSF

MANIFEST = "bundle.json"
WEIGHTS = "weights.safetensors"
SPLINE = "psf.h5"
"""The PSF of the training, where parameters do not tell it."""
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
        table = _manifest_table(folder)
        said, listed = table.pop("hash", None), table.pop("files", None)
        require(
            isinstance(listed, dict) and bool(listed),
            f"bundle {folder} lists no files; export it again",
        )
        manifest = _manifest(dict(table), folder)
        bundle = Bundle(folder=folder, manifest=manifest, files=listed, hash=str(said))
        _verify(bundle, table)
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
        if SPLINE in self.files:
            return load_psf(self.folder / SPLINE)
        parameters = dict(self.manifest.envelope.psf)
        kind = str(parameters.pop("kind"))
        require(
            kind in PARAMETRIC,
            f"bundle {self.folder} was trained for a {kind} PSF but holds no {SPLINE}; "
            "export it again",
        )
        return build(PARAMETRIC[kind], parameters, f"PSF of bundle {self.folder}")

    def misfit(self, camera: CameraModel, psf: PSF | None) -> str | None:
        """Why this network is not for such a camera or PSF, and the cure; None if it is."""
        reason = self.manifest.envelope.misfit(camera, psf, self.psf())
        if reason is None:
            return None
        return (
            f"model {self.manifest.name!r} does not fit: {reason}; train one with "
            f"`live-smlm train {self.manifest.architecture} --psf … --camera …`"
        )


def check_bundle_place(folder: Path) -> None:
    """Refuse a folder where no bundle can be written."""
    require(
        bool(folder.name) and (not folder.exists() or (folder / MANIFEST).is_file()),
        f"{folder} exists and is no bundle; choose another name",
    )
    parent = folder.parent
    require(parent.is_dir(), f"folder {parent} does not exist; create it to write there")
    require(os.access(parent, os.W_OK), f"folder {parent} is not writable; choose another")


def write_bundle(
    folder: Path, manifest: Manifest, files: Mapping[str, Path | bytes], psf: PSF
) -> Bundle:
    """Write a bundle whole or not at all; an older bundle in its place is replaced.

    `psf` is what the manifest's envelope describes; what parameters do not tell goes along.
    """
    check_bundle_place(folder)
    folder = folder.resolve() if folder.is_symlink() else folder
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    draft.mkdir()
    try:
        _fill(draft, manifest, files, psf)
        Bundle.load(draft)
        _put(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Bundle.load(folder)


def shipped(package: str) -> dict[str, Path]:
    """Bundles in the folder `models` of an installed package, by name."""
    models = package_files(package) / "models"
    if not isinstance(models, Path) or not models.is_dir():
        return {}
    return within(models)


def within(folder: Path) -> dict[str, Path]:
    """Bundles that lie in a folder, by name."""
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{MANIFEST}"))}


def _fill(draft: Path, manifest: Manifest, files: Mapping[str, Path | bytes], psf: PSF) -> None:
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.read_bytes()
        (draft / name).write_bytes(data)
    spline = _spline(psf, manifest.envelope.pixel_size_nm[0])
    if spline is not None:
        save(spline, draft / SPLINE)
    hashes = {path.name: _sha256(path) for path in sorted(draft.iterdir())}
    table = {**manifest.describe(), "files": hashes}
    table["hash"] = _table_hash(table)
    text = json.dumps(table, indent=2, ensure_ascii=False, allow_nan=False)
    (draft / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _spline(psf: PSF, pixel_size_nm: float) -> SplinePSF | None:
    """What parameters do not tell: a spline, or a pupil whose mask is a file of this machine."""
    if isinstance(psf, PupilPSF) and psf.mask.endswith(".npy"):
        psf = fit_model(psf, pixel_size_nm).psf
    return psf if isinstance(psf, SplinePSF) else None


def _put(draft: Path, folder: Path) -> None:
    """Move the draft to its place; for a moment the older one lies beside it."""
    older = draft.with_suffix(".old")
    if folder.exists():
        folder.rename(older)
    draft.rename(folder)
    shutil.rmtree(older, ignore_errors=True)


def _manifest_table(folder: Path) -> dict[str, Any]:
    require(folder.exists(), f"bundle {folder} does not exist; check the path")
    require(
        folder.is_dir(), f"bundle {folder} is a file; give the folder (unpack it if it is a zip)"
    )
    path = folder / MANIFEST
    require(path.is_file(), f"folder {folder} has no {MANIFEST}; give the folder of a bundle")
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid JSON: {error}; copy the bundle again") from error
    require(isinstance(table, dict), f"{path} holds no table; copy the bundle again")
    found = table.get("format")
    require(
        not (isinstance(found, int) and found > FORMAT),
        f"bundle {folder} has format {found}, newer than {FORMAT}; update live-smlm",
    )
    require(found == FORMAT, f"bundle {folder} has format {found!r}, not {FORMAT}; export it again")
    return table


def _manifest(table: dict[str, Any], folder: Path) -> Manifest:
    table.pop("format")
    what, said = f"{folder / MANIFEST}", table.get("envelope")
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


def _verify(bundle: Bundle, table: Mapping[str, Any]) -> None:
    """`table` is the manifest without `files` and `hash`."""
    folder = bundle.folder
    for name, said in bundle.files.items():
        require(
            name == Path(name).name and name not in ("", ".", ".."),
            f"bundle {folder} lists {name!r}; files lie in the folder itself",
        )
        require((folder / name).is_file(), f"bundle {folder} lacks {name}; copy it again")
        found = _sha256(folder / name)
        require(
            found == said,
            f"bundle {folder}: {name} was changed: its SHA-256 is {found}, the manifest says "
            f"{said}; copy the bundle again",
        )
    whole = _table_hash({**table, "files": dict(bundle.files)})
    require(
        whole == bundle.hash,
        f"bundle {folder}: {MANIFEST} was changed: its hash is {whole}, it says {bundle.hash}; "
        "copy the bundle again",
    )
    bundle.graph("molecules")
    require(
        bool(bundle.manifest.outputs) or not bundle.has("maps", "fp32"),
        f"bundle {folder} has maps but does not say what its outputs mean; export it again",
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _table_hash(table: Mapping[str, Any]) -> str:
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
