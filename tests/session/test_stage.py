import threading
import time
from pathlib import Path

import numpy as np
import pytest

from live_smlm.config import RunConfig
from live_smlm.core import Stage
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.session import Control, RunPlan, Session
from live_smlm.session.folder import run_into
from live_smlm.session.judging import Judging
from live_smlm.session.sources import opened
from live_smlm.store.quality import read_quality


def test_a_real_move_of_the_stage_is_found_as_drift(tmp_path: Path) -> None:
    frames, moved_nm = 1200, (180.0, -60.0)
    source_words = "demo:size=64x64,exposure_ms=4,density=0.6,photons=2500,seed=2"
    config = RunConfig(source=source_words, frames=frames)
    with opened(config) as (source, psf):
        assert isinstance(source, Stage)
        stage: Stage = source
        moved_at: list[int] = []

        def move(session: Session) -> None:
            while session.state()["captured"] < frames // 2:
                time.sleep(0.005)
            stage.move(moved_nm[0] / 1000, moved_nm[1] / 1000)
            moved_at.append(session.state()["captured"])

        threads: list[threading.Thread] = []

        def started(session: Session) -> None:
            threads.append(threading.Thread(target=move, args=(session,)))
            threads[0].start()

        plan = RunPlan(
            engine="gauss-mle", psf=psf, overload=Overload.THIN, most_frames=config.frames
        )
        run_into(
            tmp_path / "run",
            source,
            plan,
            config.as_dict(),
            record_raw=False,
            control=Control(),
            started=started,
            judging=Judging(),
        )
        threads[0].join()
    curve = read_quality(tmp_path / "run").drift
    x, y, _ = curve.at(np.array([0, moved_at[0] - 100, moved_at[0] + 100, frames]))
    assert abs(x[1] - x[0]) < 12
    assert abs(y[1] - y[0]) < 12
    shift = x[2] - x[1], y[2] - y[1]
    assert shift == pytest.approx(moved_nm, abs=12)
