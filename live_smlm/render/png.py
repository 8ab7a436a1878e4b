"""PNG files that tell how large a pixel is; the standard library is all it takes."""

import struct
import zlib

import numpy as np

from live_smlm.render.colour import Rgb

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EIGHT_BITS, _RGB, _METRE = 8, 2, 1
_MOST = 2**32 - 1
_NM_PER_M = 1e9


def encoded(picture: Rgb, pixel_nm: float | None = None) -> bytes:
    """The file of a picture (rows, columns, 3); with the size of its pixels where it is known."""
    rows, columns, _ = picture.shape
    header = struct.pack(">IIBBBBB", columns, rows, _EIGHT_BITS, _RGB, 0, 0, 0)
    # Each line begins with the number of its filter; 0 is none.
    lines = np.zeros((rows, 1 + 3 * columns), np.uint8)
    lines[:, 1:] = picture.reshape(rows, -1)
    chunks = _chunk(b"IHDR", header)
    if pixel_nm is not None:
        per_metre = min(round(_NM_PER_M / pixel_nm), _MOST)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, _METRE))
    chunks += _chunk(b"IDAT", zlib.compress(lines.tobytes()))
    return _SIGNATURE + chunks + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
