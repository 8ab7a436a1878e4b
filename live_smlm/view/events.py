"""What happened in a run, newest first, in words."""

import time

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from live_smlm.transport.viewing import Event
from live_smlm.view import theme
from live_smlm.view.news import Grade, News, grade_of


class Events(QListWidget):
    """A list that keeps its place when something is added."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._shown: tuple[Event, ...] = ()

    def tell(self, news: News) -> None:
        """Show what is new."""
        if news.events is self._shown:
            return
        known = len(self._shown)
        if self._shown and (known > len(news.events) or news.events[0] != self._shown[0]):
            self.clear()
            known = 0
        for event in news.events[known:]:
            self.insertItem(0, _item(event))
        self._shown = news.events


def _item(event: Event) -> QListWidgetItem:
    moment, grade = time.localtime(event.at_s), grade_of(event)
    said = f"{time.strftime('%H:%M:%S', moment)}  {event.what}"
    item = QListWidgetItem(f"{said}\n{event.detail}" if event.detail else said)
    item.setToolTip(time.strftime("%Y-%m-%d %H:%M:%S", moment))
    if grade is not Grade.NEUTRAL:
        item.setForeground(QColor(theme.GRADES[grade]))
    return item
