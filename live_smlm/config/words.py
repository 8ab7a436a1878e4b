"""What users write for cameras and PSFs, turned into the models they mean.

The same words serve the command line (`kind:key=value,…` or a file) and TOML
tables (`kind = "…"` and the same keys). A camera is said without its shape:
the movie or the microscope knows that.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from live_smlm.core import F32, PSF, CameraModel, InputError, SideChannel, require
from live_smlm.core import options as option_text
from live_smlm.core.camera import MAP_FIELDS
from live_smlm.physics.drift import DRIFTS, Drift, NoDrift
from live_smlm.physics.psf.files import PARAMETRIC, load_psf

PSF_HELP = "PSF: kind:key=value,… (gaussian, astigmatic, spline, pupil) or a .toml or .h5 file"
CAMERA_HELP = "Camera: scmos:key=value,… or emccd:key=value,… or a .toml file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scmos:
    """An sCMOS camera in the words of `--camera scmos:…`."""

    offset_adu: float = 100.0
    gain_e_per_adu: float = 1.0
    read_noise_e: float = 1.6
    qe: float = 1.0
    bits: int = 16
    spurious_e: float = 0.0
    offset_adu_map: Path | None = None
    gain_e_per_adu_map: Path | None = None
    read_noise_e_map: Path | None = None
    serial: str | None = None
    side_rows: str | None = None
    """A band in which molecules are seen again, as FIRST:STOP; see `core.SideChannel`."""
    side_columns: str | None = None
    side_shift_px: str | None = None
    """ROWS:COLUMNS from a molecule to the middle of what is seen of it there."""
    side_size: str | None = None
    """HEIGHT:WIDTH that is cut out there, pixels."""
    side_middle_nm: float | None = None
    """Wavelength in that middle, and how it rises per pixel; where the band is dispersed."""
    side_nm_per_px: float | None = None

    def __post_init__(self) -> None:
        fresh = type(self).__dataclass_fields__
        for name in MAP_FIELDS:
            both = getattr(self, f"{name}_map") is not None
            both = both and getattr(self, name) != fresh[name].default
            require(not both, f"camera says {name} and {name}_map; say one of them")
        side_channel(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emccd(Scmos):
    """An EMCCD camera in the words of `--camera emccd:…`; noise is after multiplication."""

    gain_e_per_adu: float = 45.0
    read_noise_e: float = 74.0
    qe: float = 0.9
    em_gain: float = 300.0


def side_channel(spec: Scmos) -> SideChannel | None:
    """The side channel that the words of a camera give it."""
    said = {name: getattr(spec, f"side_{name}") for name in ("rows", "columns", "shift_px", "size")}
    light = {name: getattr(spec, f"side_{name}") for name in ("middle_nm", "nm_per_px")}
    if all(value is None for value in (*said.values(), *light.values())):
        return None
    missing = [f"side_{name}" for name, value in said.items() if value is None]
    require(not missing, f"camera has a side channel without {', '.join(missing)}; give all four")
    pairs = {name: _pair(f"side_{name}", text) for name, text in said.items()}
    whole = {name: _whole(f"side_{name}", pairs[name]) for name in ("rows", "columns", "size")}
    return SideChannel(
        rows=whole["rows"],
        columns=whole["columns"],
        shift_px=pairs["shift_px"],
        height=whole["size"][0],
        width=whole["size"][1],
        **light,
    )


def _pair(name: str, text: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(f"camera {name} is {text!r}; give two numbers, as 64:128") from None
    return first, second


def _whole(name: str, pair: tuple[float, float]) -> tuple[int, int]:
    require(
        all(value.is_integer() for value in pair),
        f"camera {name} is {pair[0]:g}:{pair[1]:g}; give whole pixels",
    )
    return int(pair[0]), int(pair[1])


CameraSpec: TypeAlias = Scmos | Emccd
_WIDEST_NM = 100_000.0
_ANY_SHAPE = (32, 32)
_CAMERAS: dict[str, type[Scmos]] = {"scmos": Scmos, "emccd": Emccd}


def camera_spec(text: str) -> CameraSpec:
    """The camera that `--camera` names; its values are checked, maps are read later."""
    if text.endswith(".toml"):
        path = Path(text)
        table = _table(path)
        table = {k: _beside(path, v) if k.endswith("_map") else v for k, v in table.items()}
        return _camera(str(table.pop("kind", "")), table, f"camera file {text}")
    kind, options = option_text.parse(text, "camera")
    return _camera(kind, options, f"camera {kind!r}")


def _beside(path: Path, name: object) -> str:
    require(isinstance(name, str), f"camera file {path} has the map {name!r}; give a file's name")
    return str(path.parent / str(name))


def _camera(kind: str, options: Mapping[str, Any], what: str) -> CameraSpec:
    require(kind in _CAMERAS, f"{what}: kind {kind!r} is unknown; use {' or '.join(_CAMERAS)}")
    spec = option_text.build(_CAMERAS[kind], options, what)
    camera_model(_without_maps(spec), (1, 1), 100.0)
    return spec


def _without_maps(spec: CameraSpec) -> CameraSpec:
    """The same camera without what asks for frames of a certain shape."""
    names = type(spec).__dataclass_fields__
    kept = [n for n in names if not (n.endswith("_map") or n.startswith("side_"))]
    return type(spec)(**{name: getattr(spec, name) for name in kept})


def camera_model(spec: CameraSpec, shape: tuple[int, int], pixel_nm: float) -> CameraModel:
    """The camera model for frames of this shape."""
    maps = {
        name: _map(path)
        for name in MAP_FIELDS
        if (path := getattr(spec, f"{name}_map")) is not None
    }
    camera = CameraModel(
        shape=shape,
        pixel_size_nm=pixel_nm,
        quantum_efficiency=spec.qe,
        em_gain=spec.em_gain if isinstance(spec, Emccd) else 1.0,
        spurious_e=spec.spurious_e,
        bits=spec.bits,
        serial=spec.serial,
        side=side_channel(spec),
        offset_adu=maps.get("offset_adu", spec.offset_adu),
        gain_e_per_adu=maps.get("gain_e_per_adu", spec.gain_e_per_adu),
        read_noise_e=maps.get("read_noise_e", spec.read_noise_e),
    )
    _plausible(camera)
    return camera


def chip_model(spec: CameraSpec, pixel_nm: float) -> CameraModel:
    """A model of the camera, not of any frames: as large as its maps, where it has some."""
    paths = [getattr(spec, f"{name}_map") for name in MAP_FIELDS]
    shapes = [_map(path).shape for path in paths if path is not None]
    rows, columns = shapes[0] if shapes else _ANY_SHAPE
    return camera_model(spec if shapes else _without_maps(spec), (rows, columns), pixel_nm)


def _plausible(camera: CameraModel) -> None:
    """What a model may be, but no camera is: then units or values are mixed up."""
    pixel, offset = camera.pixel_size_nm, float(np.max(camera.offset_adu))
    require(1 <= pixel <= _WIDEST_NM, f"pixel size is {pixel:g} nm; give 1 to {_WIDEST_NM:g}")
    most = 2**camera.bits - 1
    require(
        offset < most,
        f"camera offset_adu is {offset:g}, but {camera.bits} bits count to {most}; lower it",
    )


def _map(path: Path) -> F32:
    require(path.is_file(), f"camera map {path} does not exist; check the name")
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"camera map {path} is not a NumPy array file: {error}") from error
    require(
        isinstance(loaded, np.ndarray) and loaded.ndim == 2,
        f"camera map {path} is not one two-dimensional array; save it with numpy.save",
    )
    require(
        loaded.dtype.kind in "uif",
        f"camera map {path} holds {loaded.dtype}; give real numbers, one per pixel",
    )
    return np.asarray(loaded, dtype=np.float32)


def psf(text: str) -> PSF:
    """The PSF that `--psf` names."""
    if "=" not in text and Path(text).suffix in {".toml", ".h5", ".hdf5"}:
        return load_psf(Path(text))
    kind, options = option_text.parse(text, "PSF")
    if "file" in options:
        require(len(options) == 1, f"PSF {text!r} names a file and more; change the file instead")
        return _of_kind(kind, Path(options["file"]))
    require(
        kind in PARAMETRIC,
        f"PSF kind {kind!r} is unknown here; use {', '.join(PARAMETRIC)} with parameters, "
        "or spline:file=…, pupil:file=…",
    )
    return option_text.build(PARAMETRIC[kind], options, f"PSF {kind!r}")


def drift(text: str | None) -> Drift:
    """The drift that `--drift` names; none without it."""
    if text is None:
        return NoDrift()
    kind, given = option_text.parse(text, "drift")
    require(kind in DRIFTS, f"drift {kind!r} is unknown; use one of {', '.join(DRIFTS)}")
    wanted: Any = DRIFTS[kind]
    made: Drift = option_text.build(wanted, given, f"drift {kind!r}")
    return made


def image_shape(text: str) -> tuple[int, int]:
    """Rows and columns from `256x512`."""
    parts = text.lower().split("x")
    try:
        rows, columns = (int(part) for part in parts)
    except ValueError:
        raise InputError(f"size is {text!r}; write ROWSxCOLUMNS, for example 256x256") from None
    require(min(rows, columns) > 0, f"size is {text!r}; both numbers must be above 0")
    return rows, columns


def _of_kind(kind: str, path: Path) -> PSF:
    loaded = load_psf(path)
    require(
        loaded.name == kind, f"PSF file {path} holds a {loaded.name} PSF; write {loaded.name}:file="
    )
    return loaded


def _table(path: Path) -> dict[str, Any]:
    require(path.is_file(), f"camera file {path} does not exist; check the name")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
