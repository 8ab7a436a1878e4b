"""Where things lie in the NDTiff 3 files that we write; pure bytes, no files.

A file begins with a header (a TIFF's, then NDTiff's with the summary as JSON),
then has a page description (IFD) and JSON for each frame it has room for, then
the frames in one piece. Where all lies is known before the first frame, so a
batch is appended first, then described, and enters the chain of pages by one
pointer at last: at any moment the chain holds whole frames only.

`NDTiff.index` has an entry per frame by which readers of NDTiff (Micro-Manager,
pycromanager, tifffile) find it without walking the chain.
"""

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from live_smlm.core import F64, I64, require

MOST_BYTES = 2**32 - 2**20
"""What a TIFF that is not Big can point to, with room to spare."""
MOST_FRAMES = 16_384
"""Room for descriptions in each file, which lie before the frames."""
_HEADER_BYTES = 28
_NDTIFF, _MAJOR, _MINOR, _SUMMARY = 483_729, 3, 3, 2_355_492
_JSON_BYTES = 126
_ALIGNED = 4096
_ENTRY = np.dtype([("tag", "<u2"), ("type", "<u2"), ("count", "<u4"), ("value", "<u4")])
_TAGS = 13
_PAGE = np.dtype(
    [
        ("tags", "<u2"),
        ("entries", _ENTRY, (_TAGS,)),
        ("next", "<u4"),
        ("resolution", "<u4", (4,)),
        ("json", f"S{_JSON_BYTES}"),
        ("end", "<u2"),
    ]
)
_OFFSETS = {name: int(field[1]) for name, field in (_PAGE.fields or {}).items()}
_FIRST_PAGE_AT = 4
_SHORT, _LONG, _RATIONAL, _ASCII = 3, 4, 5, 2
_STRIP, _JSON = 5, 12
"""Places of the entries that differ between frames."""
_CENTIMETRE = 3
_NM_PER_CM = 10**7


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The layout of one movie's files."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    summary: bytes
    pixel_size_nm: float
    most_bytes: int = MOST_BYTES
    most_frames: int = MOST_FRAMES

    def __post_init__(self) -> None:
        require(
            self.capacity > 0,
            f"frames of {self.shape[0]}x{self.shape[1]} {self.dtype} do not fit into a TIFF; "
            "record a smaller region",
        )

    @property
    def frame_bytes(self) -> int:
        """Of one frame's pixels."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    @property
    def pages_at(self) -> int:
        """Where the first page description lies."""
        return _HEADER_BYTES + len(self.summary) + len(self.summary) % 2

    @property
    def capacity(self) -> int:
        """Frames in a file."""
        room = self.most_bytes - self.pages_at - _ALIGNED
        return min(self.most_frames, room // (self.frame_bytes + _PAGE.itemsize))

    @property
    def pixels_at(self) -> int:
        """Where the first frame lies."""
        end = self.pages_at + self.capacity * _PAGE.itemsize
        return -(-end // _ALIGNED) * _ALIGNED

    def page_at(self, place: int) -> int:
        """Where the description of a file's frame lies."""
        return self.pages_at + place * _PAGE.itemsize

    def pointer_at(self, place: int) -> int:
        """Where the pointer to this page lies: in the page before it, or in the header."""
        return self.page_at(place - 1) + _OFFSETS["next"] if place else _FIRST_PAGE_AT

    def frame_at(self, place: int) -> int:
        """Where a file's frame lies."""
        return self.pixels_at + place * self.frame_bytes


def summary_json(layout_of: tuple[int, int], dtype: np.dtype[Any], notes: Any) -> bytes:
    """What NDTiff calls summary metadata: Micro-Manager's keys, then `notes`."""
    rows, columns = layout_of
    bits = 8 * dtype.itemsize
    said = {"Width": columns, "Height": rows, "PixelType": f"GRAY{bits}", "BitDepth": bits}
    return json.dumps({**said, "live-smlm": notes}, allow_nan=False).encode()


def header(layout: Layout) -> bytes:
    """How a file without frames begins."""
    start = struct.pack("<2sHI", b"II", 42, 0)
    return (
        start
        + struct.pack("<5I", _NDTIFF, _MAJOR, _MINOR, _SUMMARY, len(layout.summary))
        + layout.summary
    )


def pages(layout: Layout, place: int, index: I64, time_s: F64) -> bytes:
    """Descriptions of a file's frames from `place` on, chained; the last one ends the chain."""
    n = len(index)
    made = np.zeros(n, _PAGE)
    places = np.arange(place, place + n)
    at = layout.pages_at + places * _PAGE.itemsize
    made["tags"] = _TAGS
    made["entries"] = _entries(layout)
    made["entries"]["value"][:, _STRIP] = layout.pixels_at + places * layout.frame_bytes
    for entry, shift in ((9, 0), (10, 8)):
        made["entries"]["value"][:, entry] = at + _OFFSETS["resolution"] + shift
    made["entries"]["value"][:, _JSON] = at + _OFFSETS["json"]
    made["next"][:-1] = at[1:]
    micro_nm = round(layout.pixel_size_nm * 100)
    made["resolution"] = (100 * _NM_PER_CM, micro_nm, 100 * _NM_PER_CM, micro_nm)
    made["json"] = [_about(i, t) for i, t in zip(index.tolist(), time_s.tolist(), strict=True)]
    return made.tobytes()


def index_entries(layout: Layout, name: str, first: int, place: int, count: int) -> bytes:
    """Entries of `NDTiff.index` for frames of the file `name`, from time point `first` on."""
    kind = int(layout.dtype.itemsize == 2)
    file = name.encode()
    entries = []
    for k in range(count):
        axes = b'{"time": %d}' % (first + k)
        json_at = layout.page_at(place + k) + _OFFSETS["json"]
        pixels_at, (rows, columns) = layout.frame_at(place + k), layout.shape
        numbers = (pixels_at, columns, rows, kind, 0, json_at, _JSON_BYTES, 0)
        entries.append(
            struct.pack("<I", len(axes))
            + axes
            + struct.pack("<I", len(file))
            + file
            + struct.pack("<8I", *numbers)
        )
    return b"".join(entries)


def _entries(layout: Layout) -> np.ndarray[Any, Any]:
    """A page's tags, in rising order."""
    rows, columns = layout.shape
    return np.array(
        [
            (256, _LONG, 1, columns),
            (257, _LONG, 1, rows),
            (258, _SHORT, 1, 8 * layout.dtype.itemsize),
            (259, _SHORT, 1, 1),  # not compressed
            (262, _SHORT, 1, 1),  # black is zero
            (273, _LONG, 1, 0),  # where the pixels lie
            (277, _SHORT, 1, 1),
            (278, _LONG, 1, rows),
            (279, _LONG, 1, layout.frame_bytes),
            (282, _RATIONAL, 1, 0),  # where the resolution lies
            (283, _RATIONAL, 1, 0),
            (296, _SHORT, 1, _CENTIMETRE),
            (51123, _ASCII, _JSON_BYTES, 0),  # where the JSON lies
        ],
        _ENTRY,
    )


def _about(index: int, time_s: float) -> bytes:
    """A frame's own metadata, of fixed length."""
    elapsed = f', "ElapsedTime-ms": {time_s * 1e3:.3f}' if math.isfinite(time_s) else ""
    return f'{{"ImageNumber": {index}{elapsed}}}'.encode().ljust(_JSON_BYTES)
