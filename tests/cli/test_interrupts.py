"""One signal ends a run and keeps all of it; only a second one gives frames up."""

import os
import signal
import time

import pytest

from live_smlm.cli.run import interrupts
from live_smlm.session import Control

pytestmark = pytest.mark.alone
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("enough", [None, "enough: molecules > 10: 11"])
def test_the_second_press_aborts_and_the_first_never_does(number: int, enough: str | None) -> None:
    control = Control()
    name = signal.Signals(number).name
    with interrupts(control):
        if enough is not None:
            control.stop(enough)
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # at once: to the process and to its group
        assert control.stopping
        assert not control.aborting
        assert control.reason == (enough or name)
        time.sleep(0.1)
        os.kill(os.getpid(), number)
        assert control.aborting
    assert control.reason == (
        f"{name}, twice" if enough is None else f"{name}, twice, after {enough}"
    )
