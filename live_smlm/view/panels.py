"""The picture among its panels; each can be moved, closed or put on another screen."""

from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QStackedWidget, QTabWidget, QWidget

_ALWAYS = "Picture"
_LEFT, _RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
_SIDES = {_LEFT: 244, _RIGHT: 340}


class Panels(QMainWindow):
    """Pages in the middle, docks around."""

    def __init__(
        self, pages: QStackedWidget, *, left: dict[str, QWidget], right: dict[str, QWidget]
    ) -> None:
        super().__init__()
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.setCentralWidget(pages)
        self._absent: set[str] = set()
        self.docks = {
            title: self._dock(title, held, area)
            for area, side in ((_LEFT, left), (_RIGHT, right))
            for title, held in side.items()
        }

    def tabbed(self, *titles: str) -> None:
        """Several panels in one place, the first in front."""
        for title in titles:
            self.docks[title].setTitleBarWidget(QWidget())  # the tabs tell it
        for before, behind in pairwise(titles):
            self.tabifyDockWidget(self.docks[before], self.docks[behind])
        self.docks[titles[0]].raise_()

    def share(self, above: str, below: str, heights: tuple[int, int]) -> None:
        """How two panels above each other share their height."""
        docks = [self.docks[above], self.docks[below]]
        self.resizeDocks(docks, list(heights), Qt.Orientation.Vertical)

    def show_all(self, *, there: bool) -> None:
        """All panels, or none."""
        for title, dock in self.docks.items():
            dock.setVisible(there and title not in self._absent)

    def show_one(self, title: str, *, there: bool) -> None:
        """A panel that not every run has."""
        if there is (title in self._absent):
            self._absent ^= {title}
            self.docks[title].setVisible(there and not self.docks[_ALWAYS].isHidden())

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
