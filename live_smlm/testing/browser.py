"""A real browser without a screen for tests of pages: Chromium, told what to do by two pipes.

Its DevTools protocol needs no driver: JSON messages, each ended by a zero byte.
Tests are skipped where no Chromium is installed.
"""

import base64
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from live_smlm.core import AnyArray

PATIENCE_S = 60.0
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_WORDS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root; only our own page is opened
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--window-size=1366,768",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

# The protocol wants its pipes as numbers 3 and 4.
_BEGIN = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for number, pipe in enumerate(pipes, 3):
    os.dup2(pipe, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


@dataclass(slots=True)
class Browser:
    """One page in a browser of its own."""

    _out: io.FileIO
    _in: io.FileIO
    _session: str = ""
    _asked: int = 0
    _heard: bytes = b""
    said: list[str] = field(default_factory=list)
    """What the page logged, and what it failed at."""

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        self._asked += 1
        said = {"id": self._asked, "method": method, "params": parameters}
        if self._session:
            said["sessionId"] = self._session
        self._out.write(json.dumps(said).encode() + b"\0")
        while (answer := self._next()).get("id") != self._asked:
            self._listen(answer)
        assert "error" not in answer, answer["error"]
        return dict(answer["result"])

    def open(self, url: str) -> None:
        """A new page of this address."""
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        attached = self.do("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.do(f"{domain}.enable")
        self.do("Page.navigate", url=url)

    def tell(self, script: str) -> Any:
        """The value of an expression on the page."""
        told = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, script: str, true: Callable[[Any], object] = bool) -> Any:
        """Wait until an expression has a value that will do."""
        deadline = time.monotonic() + PATIENCE_S
        while not true(value := self.tell(script)):
            assert time.monotonic() < deadline, f"{script} is {value!r}; {self.said}"
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """Press the middle of an element with the mouse."""
        box = self.tell(
            f"(b => [b.x + b.width / 2, b.y + b.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._mouse(kind, *box, button="left", clickCount=1)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """From one point (x, y) of the window to another with the button held."""
        self._mouse("mousePressed", *start, button="left", clickCount=1)
        self._mouse("mouseMoved", *end, button="left", buttons=1)
        self._mouse("mouseReleased", *end, button="left", clickCount=1)

    def wheel(self, at: tuple[float, float], down: float) -> None:
        """Turn the wheel over a point (x, y)."""
        self._mouse("mouseWheel", *at, deltaX=0, deltaY=down)

    def key(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": key} if len(key) == 1 else {}
        self.do("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.do("Input.dispatchKeyEvent", type="keyUp", key=key)

    def screenshot(self) -> bytes:
        """What the window shows, as a PNG file."""
        return base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"])

    def _mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._heard:
            part = self._in.read(2**16)
            assert part, "the browser has gone"
            self._heard += part
        message, _, self._heard = self._heard.partition(b"\0")
        return dict(json.loads(message))

    def _listen(self, event: dict[str, Any]) -> None:
        """Remember what the page complains of."""
        told = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.said.append(json.dumps(told["exceptionDetails"])[:500])
        elif event.get("method") == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.said.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif event.get("method") == "Page.javascriptDialogOpening":
            self.said.append(told["message"])


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a fresh profile."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no Chromium is installed; apt-get install chromium")
    read_orders, orders = os.pipe()
    answers, write_answers = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [found, *_WORDS, f"--user-data-dir={profile}"]
        pipes = (str(read_orders), str(write_answers))
        with (
            subprocess.Popen(  # noqa: S603 - of tests
                [sys.executable, "-S", "-c", _BEGIN, *pipes, *command],
                pass_fds=(read_orders, write_answers),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            ) as process,
            io.FileIO(orders, "w") as out,
            io.FileIO(answers, "r") as inward,
        ):
            os.close(read_orders)
            os.close(write_answers)
            try:
                yield Browser(out, inward)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)


def pixels(picture: bytes) -> AnyArray:
    """(rows, columns, 3) bytes of a PNG file."""
    from PIL import Image  # noqa: PLC0415 - of tests only

    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
