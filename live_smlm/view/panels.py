"""The picture among its panels; each can be moved, closed or put on another screen."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QStackedWidget, QTabWidget, QWidget

_LEFT, _RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
_SIDES = {_LEFT: 244, _RIGHT: 306}


class Panels(QMainWindow):
    """Pages in the middle, docks around."""

    def __init__(
        self, pages: QStackedWidget, *, left: dict[str, QWidget], right: dict[str, QWidget]
    ) -> None:
        super().__init__()
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.setCentralWidget(pages)
        self.docks = {
            title: self._dock(title, held, area)
            for area, side in ((_LEFT, left), (_RIGHT, right))
            for title, held in side.items()
        }

    def tabbed(self, front: str, behind: str) -> None:
        """Two panels in one place."""
        for title in (front, behind):
            self.docks[title].setTitleBarWidget(QWidget())  # the tabs tell it
        self.tabifyDockWidget(self.docks[front], self.docks[behind])
        self.docks[front].raise_()

    def share(self, above: str, below: str, heights: tuple[int, int]) -> None:
        """How two panels above each other share their height."""
        docks = [self.docks[above], self.docks[below]]
        self.resizeDocks(docks, list(heights), Qt.Orientation.Vertical)

    def show_all(self, *, there: bool) -> None:
        """All panels, or none."""
        for dock in self.docks.values():
            dock.setVisible(there)

    def toggle(self) -> None:
        """None if some are seen, all otherwise."""
        seen = any(not dock.isHidden() for dock in self.docks.values())
        self.show_all(there=not seen)

    def _dock(self, title: str, held: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title)
        dock.setObjectName(title)
        dock.setWidget(held)
        dock.setMinimumWidth(_SIDES[area])
        self.addDockWidget(area, dock)
        self.resizeDocks([dock], [_SIDES[area]], Qt.Orientation.Horizontal)
        return dock
