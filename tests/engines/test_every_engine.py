"""Every engine that is installed, ours or not, keeps the contract with its default options."""

from typing import Any

import pytest

from live_smlm.core.points import offered
from live_smlm.engines import registry
from live_smlm.testing.engine import EngineContract


class TestEveryEngine(EngineContract):
    @pytest.fixture(autouse=True, params=sorted(set(registry.found()) - {"null"}))
    def _engine(self, request: pytest.FixtureRequest) -> None:
        self.engine: Any = registry.engine(request.param)
        if request.param in offered("live_smlm.scenes", "scene"):
            pytest.skip("it wants a scene of its own: its own tests keep the contract there")
        reason = self.engine.unsupported(self.context) or ""
        if "has no model here" in reason:
            pytest.skip(reason)  # networks that ship none: they are run with a trained one
