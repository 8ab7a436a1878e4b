"""The camera's frame as it is painted."""

from typing import TYPE_CHECKING

import numpy as np

from live_smlm.core import AnyArray, Localizations, empty, from_columns
from live_smlm.testing.screen import seen
from live_smlm.transport.viewing import LiveFrame

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

SCALE, ROWS, COLUMNS, CAPTION = 3, 60, 100, 18


def painted(app: "QApplication", molecules: Localizations) -> AnyArray:
    """A frame that is not square, with a bright spot at x 20.5, y 40.5 pixels; 3 points each."""
    from live_smlm.view.camera import CameraFrame  # noqa: PLC0415 - Qt needs a display

    y, x = np.mgrid[:ROWS, :COLUMNS] + 0.5
    pixels = np.where(np.hypot(x - 20.5, y - 40.5) < 6, 9000, 100).astype(np.uint16)
    widget = CameraFrame()
    widget.setMinimumHeight(0)
    widget.resize(SCALE * COLUMNS, SCALE * ROWS + CAPTION)
    widget.tell(
        LiveFrame(number=1, pixels=pixels, binning=1, pixel_size_nm=100.0, molecules=molecules)
    )
    widget.show()
    app.processEvents()
    shown = seen(widget)[: SCALE * ROWS].astype(int)
    widget.close()
    return shown


def test_a_ring_is_around_its_molecule_and_seen_on_the_brightest_spot(app: "QApplication") -> None:
    found = from_columns({"frame": [0, 0], "x": [2050.0, 8050.0], "y": [4050.0, 1050.0]})
    plain, ringed = painted(app, empty()), painted(app, found)
    changed = np.abs(ringed - plain).sum(axis=2) > 60
    for x, y in ((20.5, 40.5), (80.5, 10.5)):
        rows, columns = (slice(int(SCALE * at) - 20, int(SCALE * at) + 21) for at in (y, x))
        ring = np.argwhere(changed[rows, columns])
        middle = ring.mean(axis=0) + 0.5 + (rows.start, columns.start)
        np.testing.assert_allclose(middle, (SCALE * y, SCALE * x), atol=0.5)
    spot = slice(SCALE * 36, SCALE * 45), slice(SCALE * 16, SCALE * 25)
    assert (plain[spot].max(axis=2) > 200).mean() > 0.9
    assert (ringed[spot].max(axis=2) < 100).sum() > 20  # dark on white
