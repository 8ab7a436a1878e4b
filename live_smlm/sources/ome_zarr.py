"""OME-Zarr: a group with one multiscale image, or a bare Zarr array. The only module on zarr.

The finest level is read, any format version and codec that zarr knows. zarr
keeps a thread of its own in the process from the first use on.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.core import F64, InputError, RawPixels, require
from live_smlm.sources.movie import Movie, as_counts, counts_type

_MARKS = (".zgroup", ".zarray", "zarr.json")
_SECONDS = {"second": 1.0, "millisecond": 1e-3, "microsecond": 1e-6, "minute": 60.0}


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


@contextmanager
def open_zarr(path: Path) -> Iterator[Movie]:
    """The frames of one image."""
    with _explained(path):
        array, axes, interval_s = _image(path)
        shape = tuple(int(n) for n in array.shape)
        _check_frames(path, shape, axes)
        # A last shard counts as whole, so there may be more than there should.
        missing = array.nchunks - array.nchunks_initialized
    require(
        missing <= 0,
        f"{path} lacks {missing} of its {array.nchunks} chunks; copy it again with all its parts",
    )
    rows, columns = shape[-2:]
    along = next((k for k, n in enumerate(shape[:-2]) if n > 1), None)

    def fetch(first: int, stop: int) -> RawPixels:
        window = [slice(None)] * len(shape)
        if along is not None:
            window[along] = slice(first, stop)
        with _explained(path):
            pixels = np.asarray(array[tuple(window)]).reshape(stop - first, rows, columns)
        return as_counts(str(path), first, pixels)

    def times(first: int, stop: int) -> F64:
        return np.arange(first, stop) * np.float64(interval_s or 0.0)

    yield Movie(
        name=str(path),
        shape=(rows, columns),
        dtype=counts_type(str(path), array.dtype),
        frames=1 if along is None else shape[along],
        fetch=fetch,
        times=None if interval_s is None else times,
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Any complaint of zarr's as one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the codecs raise errors of every kind
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} cannot be read as OME-Zarr ({reason}); it is damaged or of another kind"
        ) from error


def _image(path: Path) -> tuple[Any, str, float | None]:
    """The array, one letter per axis, seconds between frames."""
    import zarr  # noqa: PLC0415 - heavy, for those who have such files

    node: Any = zarr.open(str(path), mode="r")
    if isinstance(node, zarr.Array):
        return node, "?" * (len(node.shape) - 2) + "yx", None
    attributes: dict[str, Any] = dict(node.attrs)
    said = attributes.get("ome", attributes)
    images = said.get("multiscales", []) if isinstance(said, Mapping) else []
    if not images and "0" in node and is_zarr(path / "0"):
        return _image(path / "0")
    require(
        len(images) == 1,
        f"{path} holds {len(images)} images; give the folder of one image (with 'multiscales')",
    )
    level = images[0]["datasets"][0]
    array = node[level["path"]]
    axes = [a if isinstance(a, dict) else {"name": a} for a in images[0].get("axes", [])]
    letters = "".join(str(a["name"]) for a in axes) or "tczyx"[-len(array.shape) :]
    return array, letters, _interval_s(level, axes)


def _interval_s(level: Mapping[str, Any], axes: list[dict[str, Any]]) -> float | None:
    """From the time axis' unit and scale; without a unit the scale says nothing."""
    for step in level.get("coordinateTransformations", []):
        for axis, scale in zip(axes, step.get("scale", []), strict=False):
            unit = _SECONDS.get(str(axis.get("unit")))
            if axis["name"] == "t" and unit is not None and float(scale) > 0:
                return float(scale) * unit
    return None


def _check_frames(path: Path, shape: tuple[int, ...], axes: str) -> None:
    require(
        len(shape) >= 2 and axes.endswith("yx") and len(axes) == len(shape),
        f"{path} has axes {axes} of lengths {shape}; frames are rows by columns (yx) each",
    )
    several = [f"{n} ({a})" for a, n in zip(axes[:-2], shape[:-2], strict=True) if n > 1]
    require(
        len(several) <= 1,
        f"{path} has {' x '.join(several)} frames; save one channel, plane or position by itself",
    )
