"""What is drawn over the picture: scale bar, colour bar, minimap, crosshair, marks, profile.

Functions on a painter; they know sights and marks, and nothing of windows.
"""

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen, QPolygonF

from live_smlm.core import F64
from live_smlm.render.colour import Rgb
from live_smlm.view import theme
from live_smlm.view.measure import Line, Region
from live_smlm.view.news import Grade
from live_smlm.view.sight import Place, Sight, length_words, round_length

MARGIN = 14
_BAR_SHARE = 0.22
_BAR_HEIGHT = 4
_MAP_SIDE = 132
_COLOURS_WIDTH = 12
_COLOURS_HEIGHT = 150
_PROFILE = (250.0, 120.0)
_SHADOW = QColor(0, 0, 0, 150)
_CENTRED = Qt.AlignmentFlag.AlignCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def scale_bar(painter: QPainter, sight: Sight) -> None:
    """A round length in the lower right corner."""
    rows, columns = sight.size
    length_nm = round_length(_BAR_SHARE * columns * sight.nm_per_point)
    length = length_nm / sight.nm_per_point
    bar = QRectF(columns - MARGIN - length, rows - MARGIN - _BAR_HEIGHT, length, _BAR_HEIGHT)
    painter.fillRect(bar.adjusted(-1, -1, 1, 1), _SHADOW)
    painter.fillRect(bar, QColor(theme.MARK))
    label = QRectF(bar.center().x() - 100, bar.top() - 24, 200, 20)
    text(painter, label, length_words(length_nm), 13, _CENTRED)


def colour_bar(
    painter: QPainter, sight: Sight, shades: Rgb, ends: tuple[str, str], title: str
) -> None:
    """What the colours mean, in the upper right corner."""
    left = sight.size[1] - MARGIN - _COLOURS_WIDTH
    plate(painter, QRectF(left - 92, MARGIN - 8, 112, _COLOURS_HEIGHT + 42))
    box = QRectF(left, MARGIN + 24, _COLOURS_WIDTH, _COLOURS_HEIGHT)
    column = np.ascontiguousarray(shades[::-1, np.newaxis])
    painter.drawImage(box, image_of(column))
    painter.setPen(QPen(QColor(theme.EDGE), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)
    text(painter, QRectF(left - 200, MARGIN, 200 + _COLOURS_WIDTH, 18), title, 11, _RIGHT)
    for words, top in ((ends[1], box.top() - 3), (ends[0], box.bottom() - 13)):
        text(painter, QRectF(left - 128, top, 120, 16), words, 11, _RIGHT)


def minimap(painter: QPainter, sight: Sight, whole: QImage | None) -> None:
    """The whole field in the lower left corner, and where on it the screen is."""
    box = minimap_box(sight)
    painter.fillRect(box, QColor(0, 0, 0, 205))
    if whole is not None:
        painter.drawImage(box, whole)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor("#4a515a"), 1))
    painter.drawRect(box)
    per_nm = box.width() / sight.field_nm[1]
    top, left = sight.place((0.0, 0.0))
    height, width = (n * sight.nm_per_point * per_nm for n in sight.size)
    seen = QRectF(box.left() + left * per_nm, box.top() + top * per_nm, width, height)
    painter.setPen(QPen(QColor(theme.ACCENT), 1.5))
    least = QRectF(0, 0, 5, 5)
    least.moveCenter(seen.center())
    painter.drawRect((seen if seen.width() > 5 else least).intersected(box))


def minimap_box(sight: Sight) -> QRectF:
    """Where on the screen the minimap is."""
    height, width = sight.field_nm
    longest = max(height, width)
    wide, high = _MAP_SIDE * width / longest, _MAP_SIDE * height / longest
    return QRectF(MARGIN, sight.size[0] - MARGIN - high, wide, high)


def field_edge(painter: QPainter, sight: Sight) -> None:
    """A thin line around what the camera sees."""
    corner, far = sight.point((0.0, 0.0)), sight.point(sight.field_nm)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(theme.EDGE), 1))
    painter.drawRect(QRectF(corner[1], corner[0], far[1] - corner[1], far[0] - corner[0]))


def crosshair(painter: QPainter, sight: Sight, point: Place) -> None:
    """Two fine lines through the mouse."""
    painter.setPen(QPen(QColor(255, 255, 255, 90), 1, Qt.PenStyle.DotLine))
    painter.drawLine(QPointF(point[1], 0), QPointF(point[1], sight.size[0]))
    painter.drawLine(QPointF(0, point[0]), QPointF(sight.size[1], point[0]))


def readout(painter: QPainter, words: str, warning: str) -> None:
    """Words in the upper left corner, and what is wrong with the picture below."""
    font = QFont(painter.font())
    font.setPixelSize(12)
    said = ((words, theme.MARK), (warning, theme.GRADES[Grade.CAUTION]))
    for row, (line_words, colour) in enumerate(said):
        if line_words:
            wide = QFontMetricsF(font).horizontalAdvance(line_words)
            top = MARGIN + 28 * row
            plate(painter, QRectF(MARGIN - 8, top - 8, wide + 16, 26))
            box = QRectF(MARGIN, top - 4, wide + 8, 18)
            text(painter, box, line_words, 12, _LEFT, colour=colour)


def plate(painter: QPainter, box: QRectF) -> None:
    """Dark ground on which words can be read."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(12, 13, 15, 190))
    painter.drawRoundedRect(box, 4, 4)


def line(painter: QPainter, sight: Sight, measured: Line) -> None:
    """A measured distance with its length."""
    start, end = sight.point(measured.start), sight.point(measured.end)
    for colour, width in ((_SHADOW, 3.5), (QColor(theme.MARK), 1.5)):
        painter.setPen(QPen(colour, width))
        painter.drawLine(QPointF(start[1], start[0]), QPointF(end[1], end[0]))
        for tip in (start, end):
            painter.drawEllipse(QPointF(tip[1], tip[0]), 3.0, 3.0)
    across = QRectF(end[1] + 8, end[0] - 24, 170, 20)
    if across.right() > sight.size[1]:
        across.moveRight(end[1] - 8)
    aligned = _LEFT if across.left() > end[1] else _RIGHT
    text(painter, across, measured.words(), 13, aligned)


def region(painter: QPainter, sight: Sight, marked: Region, words: str) -> None:
    """A marked rectangle with its size."""
    top, left = sight.point(marked.top_left)
    height, width = (side / sight.nm_per_point for side in marked.sides_nm)
    box = QRectF(left, top, width, height)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(theme.ACCENT), 1.5))
    painter.drawRect(box)
    text(painter, QRectF(left, top - 20, 420, 18), words, 12, _LEFT)


def judged(painter: QPainter, sight: Sight, name: str, corners: tuple[Place, ...]) -> None:
    """A region that the run judges apart, with its name."""
    points = [QPointF(*reversed(sight.point(place))) for place in corners]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(theme.LINES[1]), 1.2))
    painter.drawPolygon(QPolygonF(points))
    left, top = min(p.x() for p in points), min(p.y() for p in points)
    text(painter, QRectF(left, top - 18, 240, 16), name, 11, _LEFT)


def profile(painter: QPainter, sight: Sight, distance: F64, counts: F64) -> None:
    """What lies along a measured line, beside the minimap."""
    width, height = _PROFILE
    left = minimap_box(sight).right() + MARGIN
    box = QRectF(left, sight.size[0] - MARGIN - height, width, height)
    plate(painter, box)
    plot = box.adjusted(10, 26, -10, -20)
    top = float(counts.max()) or 1.0
    xs = plot.left() + plot.width() * distance / max(float(distance[-1]), 1e-9)
    ys = plot.bottom() - plot.height() * counts / top
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(theme.ACCENT), 1.3))
    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in zip(xs, ys, strict=True)]))
    head = QRectF(plot.left(), box.top() + 4, plot.width(), 18)
    text(painter, head, "profile", 11, _LEFT)
    text(painter, head, f"peak {float(counts.max()):.3g} / px", 11, _RIGHT)
    foot = QRectF(plot.left(), plot.bottom() + 2, plot.width(), 16)
    text(painter, foot, "0", 11, _LEFT)
    text(painter, foot, length_words(float(distance[-1])), 11, _RIGHT)


def notice(painter: QPainter, room: QRectF, words: str) -> None:
    """Words in the middle, where there is no picture yet."""
    text(painter, room, words, 18, _CENTRED, colour=theme.FAINT)


def text(
    painter: QPainter,
    box: QRectF,
    words: str,
    size: int,
    aligned: Qt.AlignmentFlag,
    *,
    colour: str = theme.MARK,
) -> None:
    """Words that can be read on dark and bright ground."""
    font = QFont(painter.font())
    font.setPixelSize(size)
    painter.setFont(font)
    painter.setPen(_SHADOW)
    painter.drawText(box.translated(1, 1), aligned, words)
    painter.setPen(QColor(colour))
    painter.drawText(box, aligned, words)


def image_of(picture: Rgb) -> QImage:
    """A copy of (rows, columns, 3) bytes."""
    rows, columns = picture.shape[:2]
    held = np.ascontiguousarray(picture)
    made = QImage(held.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    return made.copy()


def fraction(value: float) -> str:
    """A number for a colour bar's end."""
    if value and not 1e-2 <= abs(value) < 1e5:
        power = math.floor(math.log10(abs(value)))
        return f"{value / 10**power:.1f}e{power}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
