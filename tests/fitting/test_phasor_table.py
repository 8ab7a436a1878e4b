import numpy as np

from live_smlm.fitting.phasor_table import phasor_table
from live_smlm.physics.psf.gaussian import AstigmaticPSF


def test_table_rises_where_it_is_read() -> None:
    bent = AstigmaticPSF(130.0, 130.0, 300.0, -200.0, 350.0, ax=-0.05, ay=0.06, bx=0.02)
    table = phasor_table(bent, 100.0, 13)
    assert np.all(np.diff(table.ratio) > 0)
    assert table.z.min() <= 0 <= table.z.max()
