import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from live_smlm.cli import main
from live_smlm.core import CameraModel, Checkpoint, Reconstruction, drift_curve, from_columns
from live_smlm.store.layers import write_layer
from live_smlm.store.log import LocalizationLog
from live_smlm.store.quality import QualityLog
from live_smlm.store.record import About, EventLog, Finish, FrameCounts, Progress, RunRecord

FRAMES, PER_FRAME = 400, 5


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of one spot that wanders 400 nm to the right."""
    folder = tmp_path / "a-run"
    folder.mkdir()
    camera = CameraModel(shape=(32, 32), pixel_size_nm=100.0)
    about = About(
        engine="glint", source="camera", simulated=True, config={}, camera=camera.describe()
    )
    frame = np.repeat(np.arange(FRAMES), PER_FRAME)
    rng = np.random.default_rng(1)
    x, y = (1200 + rng.normal(0, 5, (2, len(frame)))) + [[1], [0]] * frame
    with RunRecord(folder, about) as record, EventLog(folder) as events:
        with LocalizationLog(folder) as log:
            molecules = from_columns({"frame": frame, "x": x, "y": y, "photons": x})
            log.append(0, FRAMES, np.arange(FRAMES), molecules)
        events.append("enough", detail="frc 22 nm < 25 nm")
        counts = FrameCounts(captured=FRAMES, localized=FRAMES)
        record.end(Finish.STOPPED, "enough", Progress(frames=counts, molecules=len(frame)))
    return folder


def light_of(page: Path) -> tuple[int, int]:
    """Rows and columns that the page's picture lights."""
    held = re.search(r'alt="picture" src="data:image/png;base64,([^"]+)"', page.read_text())
    assert held is not None
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(held.group(1)))).convert("L"))
    lit = image[:250] > 20  # above the scale bar
    return int(lit.any(axis=1).sum()), int(lit.any(axis=0).sum())


def test_a_run_becomes_one_page(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "--png", "--json"]) == 0
    text = (run / "report.html").read_text()
    for words in ("a-run", "stopped: enough", "frc 22 nm &lt; 25 nm", "2,000"):
        assert words in text
    assert (run / "report-photons.png").read_bytes().startswith(b"\x89PNG")
    assert "report.html" in capsys.readouterr().out


def test_drift_that_was_found_is_taken_off_the_picture(run: Path) -> None:
    page = run / "report.html"
    assert main(["report", str(run)]) == 0
    rows, columns = light_of(page)
    assert columns > rows + 25
    said = {"forecasts": [{"name": "frc_nm", "words": "20 nm at best"}]}
    with QualityLog(run) as log:
        log.append(Checkpoint(400, 4.0, {"frc_nm": 22.0}))
        log.latest(drift_curve([0, 400], [0.0, 400], [0.0, 0]), said)
    assert main(["report", str(run)]) == 0
    rows, columns = light_of(page)
    assert abs(columns - rows) <= 4
    assert "20 nm at best" in page.read_text()
    assert 'alt="drift"' in page.read_text()


def test_what_engines_have_drawn_is_on_the_page_and_predictions_are_called_so(run: Path) -> None:
    image = np.zeros((2, 1500, 40), np.float32)
    image[:, ::3] = 1.0
    picture = Reconstruction(
        image=image,
        pixel_size_nm=10.0,
        first_frame=0,
        last_frame=9,
        predicted=True,
        channels=("prediction", "error"),
    )
    write_layer(run, "dreamer", picture)
    assert main(["report", str(run)]) == 0
    said = (run / "report.html").read_text()
    for channel in ("prediction", "error"):
        assert f"<figcaption>dreamer: {channel}: predicted, not measured</figcaption>" in said


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "run.json" in capsys.readouterr().err
