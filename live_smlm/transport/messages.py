"""What lanes and the hub say to each other, and how core types travel.

A lane says hello and is given its setup; it says ready and is given work; it
answers with molecules or with the reason why not. The hub alone decides.
Every `read_*` refuses a message that is not of its kind or does not fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from live_smlm.core import (
    CPU,
    F32,
    PSF,
    AnyArray,
    CameraModel,
    Device,
    FrameBatch,
    InputError,
    Localizations,
    Reconstruction,
    from_columns,
    read_device,
)
from live_smlm.core.camera import MAP_FIELDS
from live_smlm.core.options import build
from live_smlm.core.side import side_told
from live_smlm.physics.psf.files import PARAMETRIC
from live_smlm.physics.psf.spline import SplinePSF
from live_smlm.transport.codec import Envelope, MalformedError
from live_smlm.transport.pictures import IMAGE, picture_parts, read_picture
from live_smlm.transport.ring import RingPlan

READY = Envelope("ready")
FINISH = Envelope("finish")
_EVIDENCE = "/evidence"
"""No name of a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All that a lane needs before its first frame."""

    engine: str
    """As on the command line; every process finds engines by itself."""
    fallback: str | None
    camera: CameraModel
    psf: PSF | None
    ring: RingPlan | None
    """Where frames lie; None for lanes on another machine."""
    device: Device = CPU
    """Where engines compute, unless the worker was told its own."""
    witnessed: bool = False
    """Whether somebody is to look at the engine's answers beside the frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One chunk: frames in the ring, or their pixels."""

    chunk: int
    begin: int
    """Stream number of the first frame, context included."""
    halo: tuple[int, int]
    fallback: bool
    index: AnyArray
    time_s: AnyArray
    pixels: AnyArray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A chunk's molecules, or why there are none."""

    chunk: int
    molecules: Localizations | None
    picture: Reconstruction | None = None
    """An increment of the engine's own picture, where it draws one."""
    error: str | None = None
    evidence: F32 | None = None
    """(n, columns) what the lane's witness says; None where it was not asked."""
    seconds: tuple[float, float] = (0.0, 0.0)
    """That the engine and the witness took."""
    unwitnessed: str | None = None
    """Why the witness fell silent."""


def setup_message(setup: Setup) -> Envelope:
    """The setup as it travels."""
    camera, maps = _camera_parts(setup.camera)
    psf, coefficients = _psf_parts(setup.psf)
    ring = None if setup.ring is None else _plain(setup.ring)
    values = {
        "engine": setup.engine,
        "fallback": setup.fallback,
        "camera": camera,
        "psf": psf,
        "ring": ring,
        "device": str(setup.device),
        "witnessed": setup.witnessed,
    }
    return Envelope("setup", values, {**maps, **coefficients})


def read_setup(message: Envelope) -> Setup:
    """The setup that travelled."""
    values = _of_kind(message, "setup")
    try:
        ring = values["ring"]
        return Setup(
            engine=str(values["engine"]),
            fallback=values["fallback"],
            camera=_camera(values["camera"], message.arrays),
            psf=_psf(values["psf"], message.arrays),
            ring=None if ring is None else RingPlan(**{**ring, "shape": tuple(ring["shape"])}),
            device=read_device(str(values["device"])),
            witnessed=values["witnessed"] is True,
        )
    except (KeyError, TypeError, InputError) as error:
        raise MalformedError(f"setup cannot be read: {error}") from error


def work_message(work: Work) -> Envelope:
    """The work as it travels."""
    values = {
        "chunk": work.chunk,
        "begin": work.begin,
        "halo": list(work.halo),
        "fallback": work.fallback,
    }
    arrays = {"index": work.index, "time_s": work.time_s}
    if work.pixels is not None:
        arrays["pixels"] = work.pixels
    return Envelope("work", values, arrays)


def read_work(message: Envelope) -> Work:
    """The work that travelled."""
    values = _of_kind(message, "work")
    try:
        before, after = values["halo"]
        return Work(
            chunk=int(values["chunk"]),
            begin=int(values["begin"]),
            halo=(int(before), int(after)),
            fallback=bool(values["fallback"]),
            index=message.arrays["index"],
            time_s=message.arrays["time_s"],
            pixels=message.arrays.get("pixels"),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MalformedError(f"work cannot be read: {error}") from error


def frames_of(work: Work, pixels: AnyArray) -> FrameBatch:
    """The frames that the engine is to see."""
    return FrameBatch(pixels, work.index, work.time_s, work.halo)


def answer_message(answer: Answer) -> Envelope:
    """The answer as it travels."""
    values: dict[str, Any] = {
        "chunk": answer.chunk,
        "error": answer.error,
        "seconds": list(answer.seconds),
        "unwitnessed": answer.unwitnessed,
    }
    found = {} if answer.molecules is None else answer.molecules.columns()
    said = {} if answer.evidence is None else {_EVIDENCE: answer.evidence}
    drawn: dict[str, AnyArray] = {}
    if answer.picture is not None:
        values["picture"], drawn = picture_parts(answer.picture)
    return Envelope("answer", values, {**found, **said, **drawn})


def read_answer(message: Envelope) -> Answer:
    """The answer that travelled; its molecules own their memory."""
    values = _of_kind(message, "answer")
    try:
        chunk, error = int(values["chunk"]), values["error"]
        drawn = values.get("picture")
        picture = None if drawn is None else read_picture(drawn, message.arrays)
        columns = {n: np.array(column) for n, column in message.arrays.items() if n != IMAGE}
        evidence = columns.pop(_EVIDENCE, None)
        molecules = from_columns(columns) if error is None else None
        engine_s, witness_s = (float(value) for value in values["seconds"])
        silent = values["unwitnessed"]
    except (KeyError, TypeError, ValueError, OverflowError) as fault:
        raise MalformedError(f"answer cannot be read: {fault}") from fault
    if evidence is not None and (evidence.ndim, evidence.dtype.kind) != (2, "f"):
        raise MalformedError(f"evidence is {evidence.dtype} of {evidence.shape}, not rows")
    return Answer(
        chunk=chunk,
        molecules=molecules,
        picture=picture,
        error=_text(error),
        evidence=None if evidence is None else evidence.astype(np.float32),
        seconds=(engine_s, witness_s),
        unwitnessed=_text(silent),
    )


def _text(said: object) -> str | None:
    return None if said is None else str(said)[:2000]


def _of_kind(message: Envelope, kind: str) -> Mapping[str, Any]:
    if message.kind != kind:
        raise MalformedError(f"message is {message.kind[:40]!r}, not {kind!r}")
    return message.values


def _plain(record: Any) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in fields(record)}


def _camera_parts(camera: CameraModel) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    maps = {n: v for n in MAP_FIELDS if isinstance(v := getattr(camera, n), np.ndarray)}
    side = None if camera.side is None else camera.side.describe()
    return {**{n: v for n, v in _plain(camera).items() if n not in maps}, "side": side}, maps


def _camera(values: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> CameraModel:
    maps = {name: arrays[name] for name in MAP_FIELDS if name in arrays}
    pairs = {name: tuple(values[name]) for name in ("shape", "roi_corner")}
    side = None if values["side"] is None else side_told(values["side"])
    return CameraModel(**{**values, **pairs, **maps, "side": side})


def _psf_parts(psf: PSF | None) -> tuple[dict[str, Any] | None, dict[str, AnyArray]]:
    if psf is None:
        return None, {}
    if isinstance(psf, SplinePSF):
        values = _plain(psf)
        coefficients = values.pop("coefficients")
        return {"kind": psf.name, **values}, {"psf_coefficients": coefficients}
    return psf.describe(), {}


def _psf(values: Mapping[str, Any] | None, arrays: Mapping[str, AnyArray]) -> PSF | None:
    if values is None:
        return None
    kind, options = values["kind"], {n: v for n, v in values.items() if n != "kind"}
    if kind == SplinePSF.name:
        return SplinePSF(coefficients=arrays["psf_coefficients"], **options)
    return build(PARAMETRIC[kind], options, f"PSF {kind!r}")
