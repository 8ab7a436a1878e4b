import numpy as np
import pytest

from live_smlm.core import CameraModel, Localizations, from_columns
from live_smlm.session.analysis import FIELD, Analysis
from live_smlm.transport.viewing import Span

CAMERA = CameraModel(shape=(64, 64), pixel_size_nm=100.0)
_EACH = 100
_STARTS = range(0, 800, _EACH)


def found(first: int, *, number: int = 0, depth: bool = False) -> Localizations:
    """Points of a grid; `number` is the camera's of the first frame of all."""
    rng = np.random.default_rng(first)
    n = 10 * _EACH
    x, y = 400.0 * rng.integers(2, 14, (2, n)) + rng.normal(0, 8, (2, n))
    columns = {"frame": number + first + np.repeat(np.arange(_EACH), 10), "x": x, "y": y}
    return from_columns(columns | ({"z": rng.normal(0, 100, n)} if depth else {}))


def test_frames_are_counted_where_the_camera_began_elsewhere() -> None:
    analysis = Analysis(CAMERA, 0.01)
    spans = [Span(first=at, stop=at + _EACH, molecules=found(at, number=1000)) for at in _STARTS]
    for span in spans:
        analysis.add(span, span.stop / 100)
        analysis.look()
    analysis.finish()
    analysis.anew(spans, 8.0)
    seen = analysis.look().checkpoint
    assert analysis.curve.frame[-1] > 1000
    assert seen.frame == analysis.frames == 800
    assert [point.frame for point in analysis.histories[FIELD]] == [at + _EACH for at in _STARTS]
    assert seen.values["molecules_per_frame"] == pytest.approx(10)


@pytest.mark.parametrize("first", [True, False])
def test_a_depth_that_only_some_molecules_have_holds_nothing_up(first: bool) -> None:  # noqa: FBT001 - a case
    analysis = Analysis(CAMERA, 0.01)
    spans = [
        Span(first=at, stop=at + _EACH, molecules=found(at, depth=(at < 400) is first))
        for at in _STARTS
    ]
    for span in spans:
        analysis.add(span, span.stop / 100)
    analysis.finish()
    analysis.anew(spans, 8.0)
    assert analysis.look().checkpoint.values["molecules"] == 8000
    assert np.hypot(analysis.curve.x[-1], analysis.curve.y[-1]) < 5
