"""Every engine that is installed, ours or not, keeps the contract with its default options."""

from typing import Any

import pytest

from live_smlm.engines import registry
from live_smlm.testing.engine import EngineContract


class TestEveryEngine(EngineContract):
    @pytest.fixture(autouse=True, params=sorted(set(registry.found()) - {"null"}))
    def _engine(self, request: pytest.FixtureRequest) -> None:
        self.engine: Any = registry.engine(request.param)
        reason = self.engine.unsupported(self.context)
        built_in = registry.found()[request.param].value.startswith("live_smlm.engines.")
        if reason is not None and not built_in:
            pytest.skip(reason)  # for other PSFs or cameras: its own tests keep the contract there
