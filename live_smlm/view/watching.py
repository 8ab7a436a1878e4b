"""What stands beside the picture while a run is watched: camera, quality, light, charts, events."""

from PySide6.QtWidgets import QWidget

from live_smlm.view.camera import CameraFrame
from live_smlm.view.charts import Charts
from live_smlm.view.enough_panel import EnoughPanel
from live_smlm.view.events import Events
from live_smlm.view.laser_panel import LaserPanel
from live_smlm.view.link import Link
from live_smlm.view.news import News
from live_smlm.view.presenter import Presenter


class Watching:
    """The panels of one window; no decisions."""

    def __init__(self, link: Link) -> None:
        self.camera, self.charts, self.events = CameraFrame(), Charts(), Events()
        self.enough = EnoughPanel(lambda words: link.order("order", words))
        self.laser = LaserPanel(lambda words: link.order("laser", words))

    @property
    def titled(self) -> dict[str, QWidget]:
        """From top to bottom; all but the first in one place."""
        return {
            "Camera": self.camera,
            "Enough?": self.enough,
            "Laser": self.laser,
            "Charts": self.charts,
            "Events": self.events,
        }

    def tell(self, news: News, *, in_control: bool, asking: bool) -> None:
        """Bring words and numbers up to date."""
        self.events.tell(news)
        self.enough.tell(news, in_control=in_control, asking=asking)
        self.laser.tell(news, in_control=in_control, asking=asking)

    def draw(self, presenter: Presenter) -> None:
        """Bring the charts up to date."""
        numbers = presenter.news.numbers
        self.charts.tell(numbers.get("series") or {})
        quality = numbers.get("quality") or {}
        self.enough.draw(quality.get("charts") or {}, presenter.curve)

    def forget(self) -> None:
        """Nothing is known of a new run."""
        self.charts.forget()
        self.enough.forget()
        self.camera.tell(None)
