"""The page of a real run, from the server's own process, in a real browser."""

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from live_smlm.cli import main
from live_smlm.cli.view import COMMAND
from live_smlm.store.record import read_run
from live_smlm.testing.browser import Browser, browser, pixels
from live_smlm.testing.told_quality import QUALITY
from live_smlm.testing.told_run import ToldRun, lines
from live_smlm.transport.viewing import Event
from live_smlm.view.web.guest import Guard
from live_smlm.view.web.server import serving

SOURCE = "simulated:size=64x64,rate_hz=60,frames=100000,density=0.5"
PICTURES = "Number(document.querySelector('#stage')?.dataset.pictures || 0)"
COUNT = "Number(document.querySelector('[data-name=localized] span')?.textContent)"
PATIENCE_S = 90.0


class Run:
    """A run as an operator starts it, and where its page is."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process, self.folder = process, folder
        self.url = self._printed("watch in a browser: ")

    def _printed(self, words: str) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith(words):
                return line.removeprefix(words).strip()
        raise AssertionError("the page's address is not told")

    def state(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url.partition("#")[0] + "state", timeout=20) as said:  # noqa: S310
            return dict(json.load(said))

    def until(self, phase: str, localized: int = 0) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while (told := self.state())["phase"] != phase or told["counts"]["localized"] < localized:
            assert time.monotonic() < deadline, told
            time.sleep(0.1)
        return told


@contextmanager
def running(folder: Path, *words: str) -> Iterator[Run]:
    command = [*COMMAND, "run", "--source", SOURCE, "--out", str(folder), "--topology", "threads"]
    command += ["--ring-mb", "16", "--json", "--web", "0", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Run(process, folder)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)


def lit(page: Browser) -> float:
    """Share of the stage that is bright, in the screenshot a person would see."""
    left, top, width, height = page.tell(
        "(b => [b.x, b.y, b.width, b.height])($('stage').getBoundingClientRect())"
    )
    seen = pixels(page.screenshot())
    stage = seen[int(top) + 60 : int(top + height) - 60, int(left) + 2 : int(left + width) - 2]
    return float(np.mean(stage.max(axis=2) > 60))


def test_a_page_shows_the_run_moves_and_stops_it(tmp_path: Path) -> None:
    with browser() as page, running(tmp_path / "run", "--web-control") as run:
        page.open(run.url)
        page.until(f"{PICTURES} > 1 && {COUNT} > 100")
        assert page.tell("$('phase').textContent") == "● running"
        assert lit(page) > 0.001
        assert page.tell("$('length').textContent").endswith("µm")
        page.until("document.querySelectorAll('.chart polyline').length >= 4")
        whole = page.tell("sight.nm")
        middle = page.tell(
            "(b => [b.x + b.width / 2, b.y + b.height / 2])($('stage').getBoundingClientRect())"
        )
        for _ in range(3):
            page.wheel((middle[0], middle[1]), -300)
        assert page.until("sight.nm", lambda nm: nm < whole / 3) > 0
        page.until("shown.about.complete && Math.abs(shown.about.nm / sight.nm - 1) < 1e-6")
        before = page.tell("[sight.x, sight.y, sight.nm]")
        page.drag((middle[0], middle[1]), (middle[0] - 60, middle[1] + 40))
        after = page.tell("[sight.x, sight.y]")
        moved = (after[0] - before[0]) / before[2], (after[1] - before[1]) / before[2]
        assert moved == pytest.approx((60, -40), abs=1)
        page.key("c")
        page.until("shown.about.by === null && look.by === 'z'")  # these molecules tell no z
        page.key("c")
        page.until("shown.about.by === 'frame'")
        assert lit(page) > 0.001
        page.key("f")
        assert page.tell("sight.nm") == whole
        page.click("#stop")
        page.until("$('phase').textContent === '● ended'")
        assert run.process.wait(timeout=PATIENCE_S) == 0
        page.until("$('note').textContent.includes('server has gone')")
        refused = [words for words in page.said if "ERR_CONNECTION" not in words]
        assert refused == []  # nothing was blocked, nothing failed
    said = read_run(tmp_path / "run")
    assert (said["finish"], said["reason"]) == ("stopped", "asked in a browser")
    assert said["frames"]["captured"] == said["frames"]["localized"]


def test_alarms_stand_out_and_a_server_that_has_gone_is_told() -> None:
    told = ToldRun()
    alarm = {"name": "width", "value": 1.3, "low": 0.9, "high": 1.1, "cure": "refocus"}
    series = {"frame": [60, 120, 180, 240], "photons": [900.0, None, 800.0, 700.0]}
    trust = {"verdict": "alarm", "alarms": [alarm], "shadow": ""}
    told.state(trust=trust, series=series, lost=3, quality=QUALITY)
    told.say(lambda sink: sink.event(Event("alarm", "<b>width</b> is 1.3")))
    told.molecules(lines(200.0))
    with browser() as page:
        with serving(told.join, "a-run", "127.0.0.1", 0, Guard()) as server:
            page.open(server.url)
            page.until(f"{PICTURES} > 0 && shown.about.complete")
            words = page.tell("document.querySelector('.alarm').textContent")
            assert words.endswith("width is 1.3, allowed at least 0.9 and at most 1.1: refocus")
            assert page.tell("$('events').textContent").endswith("alarm: <b>width</b> is 1.3")
            assert page.tell("document.querySelectorAll('.chart polyline').length") == 2  # a gap
            assert page.tell("$('stop').hidden && $('abort').hidden && $('orders').hidden")
            assert page.tell("$('verdict').textContent + ', ' + $('more').textContent") == (
                "Going on, enough in about 16 s (10 s to 20 s)"
            )
            first = page.tell("document.querySelector('.target').textContent")
            assert first.startswith("frc < 60 nm0 of 3 checks71.2 nm68.4 nm to 74.9 nmgoal in 16 s")
            assert page.tell("document.querySelectorAll('.target .bar').length") == 2
            assert page.tell("$('drift').textContent") == "drift x -31 ± 1.2, y +12 ± 1.4 nm"
            automatic = page.tell("shown.about.contrast[1]")
            page.tell("$('contrast').focus()")
            for key in "0 to 7":
                page.key(key)
            page.tell("$('contrast').blur()")
            page.until("String(shown.about.contrast) === '0,7'")
            page.key("[")
            page.until("shown.about.contrast[1] === 8.75 && $('contrast').value === '0 to 8.75'")
            page.key("a")
            page.until(f"Math.abs(shown.about.contrast[1] - {automatic}) < 1e-6 * {automatic}")
            # The two lines are 200 nm apart, by the scale of what is shown.
            page.tell("sight = { nm: 1, x: 5700, y: 3000 }; fitted = false; moved()")
            page.until("shown.about.complete && shown.about.nm === 1 && shown.about.x === 5700")
            told.state()
            page.until("document.querySelector('.alarm') === null")
            left = int(page.tell("$('stage').getBoundingClientRect().x + $('stage').clientLeft"))
            bright = pixels(page.screenshot())[200:400].max(axis=2).mean(axis=0)
            first = float(np.average(np.arange(100), weights=bright[left + 250 : left + 350]))
            second = float(np.average(np.arange(100), weights=bright[left + 450 : left + 550]))
            assert 200 + second - first == pytest.approx(200, abs=2)
            assert 250 + first == pytest.approx(300, abs=2)
        page.until("$('phase').textContent === '● no word'")
        _orders_are_passed_on(page)


def _orders_are_passed_on(page: Browser) -> None:
    """From a page with the token."""
    rule = ToldRun()
    rule.state(quality=QUALITY)
    with serving(rule.join, "a-run", "127.0.0.1", 0, Guard("0123456789abcdef")) as server:
        page.open(server.url)
        page.until("document.querySelector('#orders')?.hidden === false")
        page.click("#hold")
        page.click("[data-order='extend 500 frames']")
        rule.state(quality=QUALITY | {"held": True, "kind": "on hold"})
        page.until("$('hold').dataset.order === 'release'")
        assert page.tell("$('verdict').textContent") == "On hold"
        page.click("#hold")
        deadline = time.monotonic() + PATIENCE_S
        while len(rule.asked) < 3:
            assert time.monotonic() < deadline, rule.asked
            time.sleep(0.02)
    words = ["hold", "extend 500 frames", "release"]
    assert rule.asked == [("order", word) for word in words]


def test_a_killed_server_harms_nothing_and_another_shows_all(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with running(folder) as run:
        run.until("running", localized=50)
        children = psutil.Process(run.process.pid).children()
        (page,) = (child for child in children if "--until-eof" in child.cmdline())
        page.kill()
        assert main(["watch", str(folder), "--stop", "enough"]) == 0
        assert run.process.wait(timeout=PATIENCE_S) == 0
    said = read_run(folder)
    assert (said["finish"], said["reason"]) == ("stopped", "enough")
    assert said["frames"]["captured"] == said["frames"]["localized"] > 50
    with subprocess.Popen(
        [*COMMAND, "web", str(folder), "--port", "0"], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            again = Run(process, folder)
            told = again.until("ended")
            assert told["counts"] == {n: said["frames"][n] for n in told["counts"]}
            assert told["molecules"] == said["molecules"]
            assert "#" not in again.url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=PATIENCE_S)
        assert process.returncode == 130


def test_what_no_page_can_be_made_of_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["web", str(tmp_path / "nowhere")]) == 2
    assert "neither the folder of a run" in capsys.readouterr().err
    assert main(["web", "tcp://127.0.0.1:1", "--port", "99999"]) == 2
    assert "port is 99999" in capsys.readouterr().err
    assert main(["run", "--web", "70000", "--out", str(tmp_path / "r")]) == 2
    assert "web is 70000" in capsys.readouterr().err
