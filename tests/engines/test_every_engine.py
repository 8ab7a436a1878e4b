"""Every engine that is installed, ours or not, keeps the contract with its default options."""

from typing import Any

import pytest

from live_smlm.engines import registry
from live_smlm.testing.engine import EngineContract


class TestEveryEngine(EngineContract):
    @pytest.fixture(autouse=True, params=sorted(set(registry.found()) - {"null"}))
    def _engine(self, request: pytest.FixtureRequest) -> None:
        self.engine: Any = registry.engine(request.param)
        reason = self.engine.unsupported(self.context) or ""
        if "model" in reason:  # made for other PSFs or cameras: their own tests keep the contract
            pytest.skip(reason)
