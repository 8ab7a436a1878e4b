"""Every frame has one fate, and the sums agree."""

import pytest

from live_smlm.core import InputError
from live_smlm.pipeline.ledger import Fate, Ledger


def test_the_ledger_balances_when_all_frames_are_settled() -> None:
    ledger = Ledger(captured=10, lost=3)
    ledger.settle(0, 4, Fate.LOCALIZED)
    ledger.settle(6, 4, Fate.SHED)
    assert (ledger.tally.waiting, ledger.tally.balanced) == (2, False)
    ledger.settle(4, 2, Fate.DEFERRED)
    tally = ledger.tally
    assert tally.balanced
    assert tally.captured == tally.localized + tally.deferred + tally.shed == 10
    assert tally.lost == 3
    assert ledger.ranges(Fate.DEFERRED) == [(4, 6)]


def test_frames_that_were_never_captured_have_no_fate() -> None:
    with pytest.raises(InputError, match="frames 8 to 10 were never captured; there are 10"):
        Ledger(captured=10).settle(8, 3, Fate.SHED)


def test_a_frame_is_settled_once() -> None:
    ledger = Ledger(captured=10)
    ledger.settle(2, 3, Fate.LOCALIZED)
    with pytest.raises(ValueError, match="in the set already"):
        ledger.settle(4, 1, Fate.LOCALIZED)
