"""Pictures of engines in a real run: added up, predicted, kept; and engines that misbehave."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_smlm.config import RunConfig
from live_smlm.core import DriftCurve, InputError, Localizations, Reconstruction
from live_smlm.engines import registry
from live_smlm.pipeline import hub
from live_smlm.session import Control, Finish, Outcome, RunPlan, Session, Topology
from live_smlm.session.folder import run_into
from live_smlm.session.predictor import FAILURES, Predicting
from live_smlm.session.sources import opened
from live_smlm.store.layers import read_layer, read_layers
from live_smlm.store.record import read_events
from live_smlm.store.run_folder import layer_path
from live_smlm.testing.distribution import lay_out
from live_smlm.transport.viewing import Event, LiveFrame
from live_smlm.view.follow import following

FRAMES = 160
SOURCE = f"simulated:frames={FRAMES},size=32x32,density=0.3,specimen=uniform,blinking=single"
ENGINES = '''
import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from live_smlm.core import EngineSpec, FrameBatch, Localizations, Reconstruction, from_columns


def brightest(frames):
    flat = frames.pixels[frames.core].reshape(len(frames.pixels[frames.core]), -1)
    row, column = np.unravel_index(flat.argmax(1), frames.pixels.shape[1:])
    places = {"x": (column + 0.5) * 100, "y": (row + 0.5) * 100}
    return from_columns({"frame": frames.index[frames.core], **places})


@dataclass(frozen=True)
class Adder:
    """Adds the frames up, and tells the brightest pixel of each."""

    spec = EngineSpec(name="adder", consumes=FrameBatch, produces=Reconstruction)

    def unsupported(self, context):
        return None

    @contextmanager
    def open(self, context):
        def draw(frames):
            core = frames.pixels[frames.core]
            return Reconstruction(
                image=core.sum(0, dtype=np.float32)[None],
                pixel_size_nm=context.camera.pixel_size_nm,
                first_frame=int(frames.index[0]),
                last_frame=int(frames.index[-1]),
                molecules=brightest(frames),
            )

        yield draw


@dataclass(frozen=True)
class Dreamer:
    """Twice what it is shown."""

    how: str = "well"

    spec = EngineSpec(
        name="dreamer", consumes=Reconstruction, produces=Reconstruction, pixel_size_nm=50.0
    )

    def unsupported(self, context):
        return "it is never to be used" if self.how == "never" else None

    @contextmanager
    def open(self, context):
        def dream(picture):
            if self.how == "raises":
                raise ValueError("no dream today")
            image = 2 * picture.image
            return Reconstruction(
                image=image,
                pixel_size_nm=picture.pixel_size_nm,
                origin_nm=picture.origin_nm,
                first_frame=picture.first_frame,
                last_frame=picture.last_frame,
                channels=("prediction",),
            )

        yield dream


@dataclass(frozen=True)
class Faulty:
    """Misbehaves from frame 64 to 79."""

    how: str = "raises"

    spec = EngineSpec(name="faulty", consumes=FrameBatch, produces=Localizations)

    def unsupported(self, context):
        return None

    @contextmanager
    def open(self, context):
        def localize(frames):
            found = brightest(frames)
            if not len(frames.index) or not 64 <= frames.index[0] < 80:
                return found
            if self.how == "raises":
                raise ValueError("nothing works")
            if self.how == "hangs":
                time.sleep(1000)
            if self.how == "nan":
                return found.with_columns(x=np.full(len(found), np.nan, np.float32))
            if self.how == "lengths":
                return found.with_columns(z=np.zeros(1, np.float32))
            if self.how == "type":
                return [found]
            return found.with_columns(frame=found.frame + 1000)

        yield localize
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with engines of somebody else's."""
    folder = tmp_path / "site"
    folder.mkdir()
    names = {"adder": "Adder", "dreamer": "Dreamer", "faulty": "Faulty"}
    lay_out(folder, "strange_engines", ENGINES, {registry.GROUP: names})
    monkeypatch.syspath_prepend(folder)
    return tmp_path / "run"


@dataclass
class Ear:
    """A sink that remembers pictures."""

    newest: Mapping[str, Any] = field(default_factory=dict)
    pictures: list[tuple[str, Reconstruction]] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    def molecules(self, molecules: Localizations) -> None:
        pass

    def state(self, values: Mapping[str, Any]) -> None:
        self.newest = values

    def event(self, event: Event) -> None:
        pass

    def frame(self, frame: LiveFrame) -> None:
        pass

    def drift(self, curve: DriftCurve) -> None:
        pass

    def layer(self, name: str, picture: Reconstruction) -> None:
        self.pictures.append((name, picture))

    def lost(self, why: str) -> None:
        self.why.append(why)


def ran(
    folder: Path,
    engine: str,
    *,
    predicting: Predicting | None = None,
    topology: Topology = Topology.THREADS,
    started: Callable[[Session], None] = lambda _: None,
) -> Outcome:
    chosen = RunConfig(source=SOURCE, engine=engine, judge=False)
    with opened(chosen) as (source, psf):
        plan = RunPlan(
            engine=engine, psf=psf, topology=topology, workers=1, lanes=2, ring_mb=8.0, shadow=False
        )
        return run_into(
            folder,
            source,
            plan,
            {},
            record_raw=False,
            control=Control(),
            started=started,
            predicting=predicting,
        )


def told(folder: Path, what: str) -> list[str]:
    return [event["detail"] for event in read_events(folder) if event["what"] == what]


def test_what_an_engine_draws_is_added_up_kept_and_seen(installed: Path) -> None:
    ear, held = Ear(), []

    def watch(session: Session) -> None:
        following_it = following(session.doors.status, ear)
        held.append(following_it)
        following_it.__enter__().show("adder")

    outcome = ran(installed, "adder", started=watch)
    held[0].__exit__(None, None, None)
    assert outcome.tally.localized == outcome.molecules == FRAMES
    picture = read_layer(layer_path(installed, "adder"))
    assert picture.image.shape == (1, 32, 32)
    assert (picture.first_frame, picture.last_frame) == (0, FRAMES - 1)
    assert not picture.predicted
    with opened(RunConfig(source=SOURCE)) as (source, _), source.open() as batches:
        expected = sum(batch.pixels.sum(0, dtype=np.float64) for batch in batches)
    np.testing.assert_allclose(picture.image[0], expected, rtol=1e-6)
    name, seen = ear.pictures[-1]  # a viewer stays until it has the last one
    assert name == "adder"
    np.testing.assert_array_equal(seen.image, picture.image)
    assert ear.newest["layers"]["adder"]["predicted"] is False


def test_a_prediction_is_a_layer_of_its_own_and_no_molecule(installed: Path) -> None:
    outcome = ran(installed, "adder", predicting=Predicting(engine="dreamer", every_s=0.2))
    assert outcome.molecules == FRAMES
    pictures = read_layers(installed)
    assert list(pictures) == ["adder", "dreamer"]
    dream = pictures["dreamer"]
    assert dream.predicted
    assert dream.channels == ("prediction",)
    assert dream.image.sum() == 2 * FRAMES  # every molecule of the log, once
    assert dream.pixel_size_nm == 50.0
    assert dream.image.shape == (1, 64, 64)
    assert told(installed, "prediction failed") == []


def test_a_predictor_that_fails_is_told_of_and_the_run_goes_on(installed: Path) -> None:
    outcome = ran(installed, "adder", predicting=Predicting(engine="dreamer:how=raises"))
    assert outcome.finish is Finish.COMPLETED
    assert outcome.tally.localized == FRAMES
    failures = told(installed, "prediction failed")
    assert 1 <= len(failures) <= FAILURES
    assert failures[0].startswith("dreamer: ValueError: no dream today")
    assert list(read_layers(installed)) == ["adder"]


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("dreamer:how=never", "engine 'dreamer' cannot run: it is never to be used"),
        ("adder", "FrameBatch -> Reconstruction; predict needs Reconstruction -> Reconstruction"),
        ("nobody", "engine 'nobody' is not installed"),
    ],
)
def test_who_cannot_predict_is_refused_before_anything_begins(
    installed: Path, engine: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        ran(installed, "gauss-mle", predicting=Predicting(engine=engine))
    assert not installed.exists()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raises", "ValueError: nothing works"),
        ("nan", "molecules whose x is no number"),
        ("lengths", "Localizations columns differ in length"),
        ("type", "the engine gave list, neither Localizations nor a Reconstruction"),
        ("frames", "molecules of frame 1064, which it was not asked for"),
        ("hangs", "held one chunk for 2 s"),
    ],
)
def test_an_engine_that_misbehaves_costs_its_frames_and_no_others(
    installed: Path, how: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "CHUNK_S", 2.0)
    topology = Topology.PROCESSES if how == "hangs" else Topology.THREADS
    outcome = ran(installed, f"faulty:how={how}", topology=topology)
    assert outcome.tally.captured == FRAMES
    assert outcome.tally.localized + outcome.tally.shed == FRAMES
    assert outcome.tally.lost == 0
    said = " ".join(event.get("detail", "") for event in read_events(installed))
    assert words in said
    assert outcome.finish is Finish.COMPLETED
    [(first, stop)] = outcome.shed
    assert first in range(64, 80)  # the chunks that begin there, and no others
    assert stop <= 96
