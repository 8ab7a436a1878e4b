"""What `demo:` and `simulated:` may say of how a sample moves and bleaches."""

import numpy as np
import pytest

from live_smlm.config import RunConfig
from live_smlm.core import InputError
from live_smlm.session.sources import opened
from live_smlm.sources.simulated import SimulatedSource


def source(words: str) -> SimulatedSource:
    with opened(RunConfig(source=f"simulated:size=32x32,frames=60,{words}")) as (made, _):
        assert isinstance(made, SimulatedSource)
        return made


def test_drift_is_said_in_words_of_its_own() -> None:
    simulator = source("drift=linear:x=2/y=-1")._simulator
    np.testing.assert_allclose(simulator.drift_path(10)[-1], [18.0, -9.0, 0.0])
    with pytest.raises(InputError, match="drift 'sideways' is unknown"):
        source("drift=sideways:x=1")


def test_bleaching_empties_the_pool() -> None:
    words = "truth=true,blinking=four-state,density=2,seed=3"
    counts = []
    for more in ("", ",bleaching=15"):
        made = source(words + more)
        with made.open() as stream:
            for _ in stream:
                pass
        counts.append(sum(np.count_nonzero(true.frame >= 40) for true in made.truth))
    assert counts[1] < 0.5 * counts[0]
    with pytest.raises(InputError, match="exponential blinking has no pool"):
        source("blinking=exponential,bleaching=100")
