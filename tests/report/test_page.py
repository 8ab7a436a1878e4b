import io
import re

import numpy as np
import pytest
from PIL import Image

from live_smlm.core import Checkpoint, InputError, drift_curve, from_columns
from live_smlm.report.page import page
from live_smlm.report.plots import plots, series
from live_smlm.report.told import Ring, Told


def told(**more: object) -> Told:
    rng = np.random.default_rng(1)
    n = 500
    columns = {
        "frame": np.sort(rng.integers(0, 100, n)),
        "x": rng.uniform(0, 5000, n),
        "y": rng.uniform(0, 5000, n),
        "photons": rng.lognormal(7, 0.4, n),
        "sigma_x": rng.gamma(9, 1, n),
        "sigma_y": rng.gamma(9, 1, n),
    }
    record = {
        "finish": "stopped",
        "reason": "frc_nm 31 <= 32 & held",
        "engine": "glint",
        "source": "a <camera>",
        "simulated": True,
        "started": "2026-11-21T10:00:00Z",
        "frames": {"captured": 100, "localized": 98, "deferred": 0, "shed": 2, "lost": 1},
        "molecules": n,
        "trust": {"verdict": "alarm", "alarms": ["density is 4 per µm²"]},
        "config": {"engine": "glint"},
    }
    given = {"name": "run<1>", "record": record, "molecules": from_columns(columns), **more}
    return Told(**given)  # type: ignore[arg-type]


HISTORY = tuple(
    Checkpoint(frame, frame / 100, {"frc_nm": 30 + 900 / frame, "molecules_per_frame": 5.0})
    for frame in range(100, 1100, 100)
)


def ink(png: bytes) -> float:
    """The share of a plot that is not white."""
    image = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
    return float((image < 200).mean())


def test_every_plot_shows_something_and_none_is_drawn_of_nothing() -> None:
    ring = Ring(
        per_nm=np.linspace(0, 0.05, 50),
        value=np.linspace(1, -0.05, 50),
        threshold=1 / 7,
        resolution_nm=24.0,
    )
    drift = drift_curve([0, 50, 99], [0.0, 5, 9], [0.0, -3, -4])
    whole = plots(told(history=HISTORY, drift=drift, ring=ring))
    assert list(whole) == ["resolution", "ring", "drift", "molecules", "photons", "sigma_x"]
    assert all(ink(png) > 0.01 for png in whole.values())
    assert list(plots(told())) == ["photons", "sigma_x"]


def test_a_metric_is_drawn_where_it_was_known() -> None:
    frames, values = series((*HISTORY[:2], Checkpoint(250, 2.5, {}), *HISTORY[2:]), "frc_nm")
    assert 250 not in frames
    assert values == pytest.approx(30 + 900 / frames)


def test_the_page_holds_all_and_fetches_nothing() -> None:
    events = [
        {"time": "10:00", "what": "enough", "detail": "31 nm of <32 nm>"},
        {"time": "10:01", "what": "started", "detail": "not a decision"},
    ]
    some = told(events=events, picture=b"\x89PNG", history=HISTORY, forecasts=["29 nm at infinity"])
    text = page(some, plots(some))
    for words in (
        "run&lt;1&gt;",
        "a &lt;camera&gt; (simulated)",
        "stopped: frc_nm 31 &lt;= 32 &amp; held",
        "alarm: density is 4 per µm²",
        "31 nm of &lt;32 nm&gt;",
        "29 nm at infinity",
        "shed",
    ):
        assert words in text
    assert "not a decision" not in text
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert text.count("<img") == 1 + len(plots(some))


def test_a_curve_of_unequal_columns_is_refused() -> None:
    with pytest.raises(InputError, match="frequencies"):
        Ring(per_nm=np.zeros(3), value=np.zeros(2), threshold=1 / 7, resolution_nm=None)
