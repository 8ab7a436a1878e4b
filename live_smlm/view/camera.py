"""The camera's newest frame with the molecules found in it: is detection sane?"""

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from live_smlm.core import AnyArray
from live_smlm.view import paint, theme
from live_smlm.view.follow import LiveFrame
from live_smlm.view.news import Grade

_DARK, _BRIGHT = 1.0, 99.7
_RADIUS = 5.0
_PIXELS = 3.0
"""Radius of a ring: so many points of the screen, and so many pixels of the camera."""
_MOST_LOOKED_AT = 200_000
_CAPTION = 18


class CameraFrame(QWidget):
    """The frame as large as fits, a ring around each molecule, and how many there are."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self._live: LiveFrame | None = None
        self.setMinimumHeight(180)

    def tell(self, live: LiveFrame | None) -> None:
        """Show a frame, or none."""
        self._live = live
        self._image = None if live is None else _gray(live.pixels)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Frame, rings and caption."""
        painter = QPainter(self)
        try:
            if self._live is None or self._image is None:
                paint.text(
                    painter,
                    QRectF(self.rect()),
                    "no camera frame yet",
                    12,
                    Qt.AlignmentFlag.AlignCenter,
                    colour=theme.FAINT,
                )
            else:
                self._paint(painter, self._live, self._image)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, live: LiveFrame, image: QImage) -> None:
        rows, columns = live.pixels.shape
        room = self.height() - _CAPTION
        scale = min(self.width() / columns, room / rows)
        left = (self.width() - scale * columns) / 2
        box = QRectF(left, 0, scale * columns, scale * rows)
        painter.drawImage(box, image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(box)
        per_nm = scale / live.pixel_size_nm
        radius = max(_RADIUS, _PIXELS * scale)
        # Dark below the ring's own colour: it would not be seen on a bright spot.
        for colour, wide in ((theme.GROUND, 3.6), (theme.GRADES[Grade.CAUTION], 1.4)):
            painter.setPen(QPen(QColor(colour), wide))
            for y, x in zip(live.molecules.y, live.molecules.x, strict=True):
                at = QPointF(box.left() + float(x) * per_nm, box.top() + float(y) * per_nm)
                painter.drawEllipse(at, radius, radius)
        painter.setClipping(False)
        words = f"frame {live.number:,} · {len(live.molecules)} molecules"
        foot = QRectF(0, box.bottom() + 2, self.width(), _CAPTION)
        paint.text(painter, foot, words, 11, Qt.AlignmentFlag.AlignCenter, colour=theme.FAINT)


def _gray(pixels: AnyArray) -> QImage:
    """Gray levels between the usual darkest and brightest pixel."""
    step = max(1, int(np.sqrt(pixels.size / _MOST_LOOKED_AT)))
    dark, bright = np.percentile(pixels[::step, ::step], [_DARK, _BRIGHT])
    level = (pixels.astype(np.float32) - dark) * (255 / max(float(bright - dark), 1.0))
    shown = np.ascontiguousarray(np.clip(level, 0, 255).astype(np.uint8))
    rows, columns = shown.shape
    return QImage(shown.data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()
