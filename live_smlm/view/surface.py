"""The widget with the picture: vispy draws below, a pane of glass above takes mouse and marks.

The pane is an ordinary widget: so text over the picture is as sharp as
anywhere else, and mouse and keys are Qt's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QSinglePointEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget
from vispy.scene import SceneCanvas

from live_smlm.core import F64
from live_smlm.render.choose import Choice, choose
from live_smlm.render.colour import Rgb
from live_smlm.render.layer import Picture
from live_smlm.view import paint, theme
from live_smlm.view.hand import Hand, Tool
from live_smlm.view.over import Laid
from live_smlm.view.sight import Place
from live_smlm.view.tone import Shading
from live_smlm.view.visual import PictureNode

_NOTCH = 120.0
_CURSORS = {
    Tool.PAN: Qt.CursorShape.OpenHandCursor,
    Tool.MEASURE: Qt.CursorShape.CrossCursor,
    Tool.REGION: Qt.CursorShape.CrossCursor,
}


@dataclass(slots=True)
class Overlay:
    """What stands over the picture."""

    hand: Hand | None = None
    notice: str = ""
    """Instead of all, where there is no picture yet."""
    whole: QImage | None = None
    shades: Rgb | None = None
    ends: tuple[str, str] = ("", "")
    colours_title: str = ""
    readout: str = ""
    warning: str = ""
    region_words: str = ""
    profile: tuple[F64, F64] | None = None
    crosshair: bool = True
    judged: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    """Corners of the regions that the run judges apart."""

    @property
    def said(self) -> tuple[object, ...]:
        """What tells whether words have changed."""
        return self.readout, self.warning, self.region_words, self.crosshair, self.ends, self.judged


class Surface(QWidget):
    """Picture and marks; `steer` is told what mouse and keys do, `resized` of rows and columns."""

    def __init__(
        self,
        steer: Callable[[Callable[[Hand], Hand]], None],
        resized: Callable[[tuple[int, int]], None],
    ) -> None:
        super().__init__()
        self.steer = steer
        self._resized = resized
        ground = QColor(theme.GROUND)
        self.canvas = SceneCanvas(
            app="pyside6", keys=None, bgcolor=theme.GROUND, parent=self, vsync=False
        )
        self._picture = PictureNode(
            (ground.redF(), ground.greenF(), ground.blueF()), parent=self.canvas.scene
        )
        self._choice: Choice | None = None
        self.glass = _Glass(self)
        self.setMinimumSize(QSize(320, 240))

    @property
    def points(self) -> tuple[int, int]:
        """Rows and columns, in points."""
        return self.height(), self.width()

    def drawer(self) -> Choice | None:
        """Who adds molecules up here; None until the widget has an OpenGL context."""
        if self._choice is None and self.canvas.native.isValid():
            self.canvas.set_current()
            self._choice = choose()
        return self._choice

    def upload(self, name: str, picture: Picture) -> None:
        """A new picture of the layer `near` or `far`."""
        self._picture.upload(name, picture)
        self.canvas.update()

    def lay_over(self, laid: Laid | None) -> None:
        """A picture of an engine over the molecules, or none."""
        self._picture.lay_over(laid)
        self.canvas.update()

    def shade(self, shading: Shading) -> None:
        """New colours."""
        self._picture.shade(shading)
        self.canvas.update()

    def show_hand(self, hand: Hand) -> None:
        """Another part of the sample, another tool or other marks."""
        self._picture.look(hand.sight)
        self.glass.overlay.hand = hand
        self.glass.setCursor(_CURSORS[hand.tool])
        self.canvas.update()
        self.glass.update()

    def forget(self, notice: str) -> None:
        """Nothing but words, until there is something new."""
        self._picture.forget()
        self.glass.overlay = Overlay(notice=notice)
        self.glass.update()
        self.canvas.update()

    def close_canvas(self) -> None:
        """Give the graphics card's memory back."""
        self.canvas.close()

    def event(self, event: QEvent) -> bool:
        """On a screen of another fineness the picture has other pixels."""
        if event.type() is QEvent.Type.DevicePixelRatioChange:
            self._resized(self.points)
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Both fill the widget."""
        self.canvas.native.setGeometry(self.rect())
        self.glass.setGeometry(self.rect())
        size = event.size()
        points = size.height(), size.width()
        self._resized(points)


class _Glass(QWidget):
    """Over the canvas: takes the mouse, draws the marks."""

    def __init__(self, surface: Surface) -> None:
        super().__init__(surface)
        self._surface = surface
        self.overlay = Overlay()
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A drag begins."""
        at = self._point(event)
        if event.button() is Qt.MouseButton.LeftButton:
            self._surface.steer(lambda hand: hand.pressed(at))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """A drag goes on, or the crosshair moves."""
        at = self._point(event)
        self._surface.steer(lambda hand: hand.moved(at))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A drag ends."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._surface.steer(Hand.released)

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """The whole field again."""
        self._surface.steer(Hand.fitted)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the mouse."""
        at = self._point(event)
        notches = event.angleDelta().y() / _NOTCH
        self._surface.steer(lambda hand: hand.wheeled(notches, at))

    def leaveEvent(self, _event: QEvent) -> None:
        """No crosshair."""
        self._surface.steer(lambda hand: hand.moved(None))

    def enterEvent(self, event: QEnterEvent) -> None:
        """The crosshair is back."""
        at = self._point(event)
        self._surface.steer(lambda hand: hand.moved(at))

    def _point(self, event: QSinglePointEvent) -> tuple[float, float]:
        """The middle of the screen's pixel that is pointed at; Qt tells its corner."""
        half = 0.5 / self.devicePixelRatioF()
        return event.position().y() + half, event.position().x() + half

    def paintEvent(self, _event: QPaintEvent) -> None:
        """All marks."""
        overlay = self.overlay
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        try:
            if overlay.hand is None:
                paint.notice(painter, QRectF(self.rect()), overlay.notice)
            else:
                _paint(painter, overlay, overlay.hand)
        finally:
            painter.end()


def _paint(painter: QPainter, overlay: Overlay, hand: Hand) -> None:
    sight = hand.sight
    paint.field_edge(painter, sight)
    for name, corners in overlay.judged.items():
        paint.judged(painter, sight, name, corners)
    if hand.region is not None:
        paint.region(painter, sight, hand.region, overlay.region_words)
    if hand.line is not None:
        paint.line(painter, sight, hand.line)
    if overlay.crosshair and hand.pointer is not None and hand.held is None:
        paint.crosshair(painter, sight, hand.pointer)
    paint.minimap(painter, sight, overlay.whole)
    paint.scale_bar(painter, sight)
    paint.readout(painter, overlay.readout, overlay.warning)
    if overlay.shades is not None:
        paint.colour_bar(painter, sight, overlay.shades, overlay.ends, overlay.colours_title)
    if overlay.profile is not None:
        paint.profile(painter, sight, *overlay.profile)
