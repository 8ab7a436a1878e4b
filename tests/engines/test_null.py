"""The null engine keeps the contract, but for finding what is there."""

import pytest

from live_smlm.engines.null_engine import Null
from live_smlm.testing.engine import EngineContract


class TestNull(EngineContract):
    engine = Null()

    def test_finds_the_molecule(self) -> None:
        pytest.skip("it finds nothing, by design")

    def test_finds_nothing(self) -> None:
        assert len(self.opened(self.input())) == 0
