"""What stands beside the picture while a run is watched: camera, quality, light, charts, events."""

from dataclasses import replace

from PySide6.QtWidgets import QWidget

from live_smlm.view.camera import CameraFrame
from live_smlm.view.charts import Charts
from live_smlm.view.enough_panel import EnoughPanel
from live_smlm.view.events import Events
from live_smlm.view.laser_panel import LaserPanel
from live_smlm.view.layer_panel import LayerPanel
from live_smlm.view.news import LIVE
from live_smlm.view.presenter import Presenter
from live_smlm.view.regions import outlines, with_region


class Watching:
    """The panels of one window; no decisions."""

    def __init__(self, presenter: Presenter) -> None:
        self._presenter, link = presenter, presenter.link
        self.camera, self.charts, self.events = CameraFrame(), Charts(), Events()
        self.enough = EnoughPanel(lambda words: link.order("order", words))
        self.laser = LaserPanel(lambda words: link.order("laser", words))
        self.layers = LayerPanel(presenter.lay)

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

    def tell(self) -> None:
        """Bring words and numbers up to date."""
        news, link = self._presenter.news, self._presenter.link
        self.events.tell(news)
        self.enough.tell(news, in_control=link.in_control, asking=link.asking)
        self.laser.tell(news, in_control=link.in_control, asking=link.asking)
        self.layers.tell(news)

    def judge_region(self) -> None:
        """Have the marked region judged apart, beside those that are."""
        hand, link = self._presenter.hand, self._presenter.link
        if hand is not None and hand.region is not None and self.can_judge_marked:
            link.order("regions", with_region(self._presenter.news, hand.region))
            self._presenter.steer(lambda marked: replace(marked, region=None))

    def judge_none(self) -> None:
        """Have the whole field judged only."""
        self._presenter.link.order("regions", ";")  # a list of none

    @property
    def can_judge_marked(self) -> bool:
        """Whether a region is marked, and there is a run that would judge it."""
        hand = self._presenter.hand
        return self._judges and hand is not None and hand.region is not None and hand.held is None

    @property
    def has_judged(self) -> bool:
        """Whether there are regions that the run could be told to forget."""
        return self._judges and bool(outlines(self._presenter.news))

    @property
    def _judges(self) -> bool:
        news, link = self._presenter.news, self._presenter.link
        listens = link.in_control and not link.asking
        return listens and news.phase in LIVE and bool(news.numbers.get("quality"))

    def draw(self) -> None:
        """Bring the charts up to date."""
        numbers = self._presenter.news.numbers
        self.charts.tell(numbers.get("series") or {})
        quality = numbers.get("quality") or {}
        self.enough.draw(quality.get("charts") or {}, self._presenter.curve)

    def forget(self) -> None:
        """Nothing is known of a new run."""
        self.charts.forget()
        self.enough.forget()
        self.camera.tell(None)
