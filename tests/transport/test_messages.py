"""Core types arrive as they left; a message of another kind is refused."""

from typing import Any

import numpy as np
import pytest

from live_smlm.core import PSF, CameraModel, SideChannel, from_columns
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.spline import SplinePSF
from live_smlm.transport import messages
from live_smlm.transport.codec import Envelope, MalformedError, pack, unpack
from live_smlm.transport.ring import RingPlan

SHAPE = (4, 6)
RING = RingPlan(name="ring", slots=8, shape=SHAPE, dtype="uint16")


def sent(message: Envelope) -> Envelope:
    return unpack([bytes(part) for part in pack(message)])


BAND = SideChannel(
    rows=(0, SHAPE[0]),
    columns=(1, SHAPE[1]),
    shift_px=(0.5, 1.0),
    height=3,
    width=2,
    middle_nm=690.0,
    nm_per_px=5.0,
)


def camera(**changes: Any) -> CameraModel:
    return CameraModel(shape=SHAPE, pixel_size_nm=110.0, serial="S1", roi_corner=(3, 9), **changes)


@pytest.mark.parametrize(
    "psf",
    [
        None,
        GaussianPSF(131.0),
        AstigmaticPSF(130, 131, 250, -250, 400, 0.1),
        PupilPSF(zernike={5: 0.3}),
        SplinePSF(
            coefficients=np.random.default_rng(1).random((5, 7, 7)).astype(np.float32),
            pixel_size_nm=110.0,
            z_step_nm=25.0,
            z0_nm=-50.0,
        ),
    ],
    ids=lambda psf: "none" if psf is None else psf.name,
)
def test_a_setup_arrives(psf: PSF | None) -> None:
    noise = np.random.default_rng(2).random(SHAPE).astype(np.float32)
    setup = messages.Setup(
        engine="gauss-mle",
        fallback=None,
        camera=camera(read_noise_e=noise, side=BAND),
        psf=psf,
        ring=RING,
    )
    back = messages.read_setup(sent(messages.setup_message(setup)))
    assert (back.engine, back.fallback, back.ring) == ("gauss-mle", None, RING)
    np.testing.assert_array_equal(back.camera.read_noise_e, noise)
    assert back.camera.side == BAND
    assert (back.camera.serial, back.camera.roi_corner) == ("S1", (3, 9))
    assert (back.psf is None) == (psf is None)
    if psf is not None and back.psf is not None:
        assert back.psf.describe() == psf.describe()


@pytest.mark.parametrize("with_pixels", [True, False])
def test_work_arrives(with_pixels: bool) -> None:  # noqa: FBT001 - a case
    pixels = np.arange(72, dtype=np.uint16).reshape(3, *SHAPE)
    work = messages.Work(
        chunk=4,
        begin=17,
        halo=(1, 0),
        fallback=True,
        index=np.arange(20, 23),
        time_s=np.arange(3.0),
        pixels=pixels if with_pixels else None,
    )
    back = messages.read_work(sent(messages.work_message(work)))
    assert (back.chunk, back.begin, back.halo, back.fallback) == (4, 17, (1, 0), True)
    assert (back.pixels is not None) == with_pixels
    frames = messages.frames_of(back, pixels)
    assert frames.index[frames.core].tolist() == [21, 22]


def test_an_answer_arrives_and_owns_its_memory() -> None:
    found = from_columns(
        {"frame": [1, 2], "x": [1.5, 2], "y": [0, 1], "channel": [3, 4], "chi2": [0.1, 0.2]}
    )
    parts = [
        bytes(p) for p in pack(messages.answer_message(messages.Answer(chunk=9, molecules=found)))
    ]
    back = messages.read_answer(unpack(parts))
    assert back.molecules is not None
    assert (back.chunk, back.error) == (9, None)
    for name, column in found.columns().items():
        np.testing.assert_array_equal(back.molecules.columns()[name], column)
    back.molecules.x[0] = 7


def test_what_the_witness_says_arrives() -> None:
    found = from_columns({"frame": [1], "x": [2], "y": [3], "evidence": [4.0]})
    rows = np.array([[0.5, np.nan], [2, 3]], np.float32)
    answer = messages.Answer(
        chunk=9, molecules=found, evidence=rows, seconds=(0.25, 0.5), unwitnessed="no memory"
    )
    back = messages.read_answer(sent(messages.answer_message(answer)))
    np.testing.assert_array_equal(back.evidence, rows)
    assert (back.seconds, back.unwitnessed) == ((0.25, 0.5), "no memory")
    assert back.molecules is not None
    assert list(back.molecules.extra) == ["evidence"]
    bare = messages.Answer(chunk=9, molecules=found)
    assert messages.read_answer(sent(messages.answer_message(bare))).evidence is None


def test_evidence_that_is_no_table_is_refused() -> None:
    found = from_columns({"frame": [1], "x": [2], "y": [3]})
    for rows in (np.zeros(3, np.float32), np.zeros((2, 2), np.int64)):
        answer = messages.Answer(chunk=9, molecules=found, evidence=rows)  # type: ignore[arg-type] # a stranger's
        with pytest.raises(MalformedError, match="evidence"):
            messages.read_answer(sent(messages.answer_message(answer)))


def test_a_reason_arrives() -> None:
    answer = messages.Answer(chunk=2, molecules=None, error="no memory")
    assert messages.read_answer(sent(messages.answer_message(answer))) == answer


@pytest.mark.parametrize("read", [messages.read_setup, messages.read_work, messages.read_answer])
@pytest.mark.parametrize(
    "message",
    [
        Envelope("hello"),
        Envelope("setup", {"engine": "x"}),
        Envelope("work", {"chunk": "x", "begin": 0, "halo": [0, 0], "fallback": 0}),
        Envelope("work", {"chunk": 1, "begin": 0, "halo": 3, "fallback": 0}),
        Envelope("answer", {"chunk": 1, "error": None}, {"x": np.zeros(2)}),
        Envelope("answer", {"chunk": [], "error": None}),
        Envelope("answer", {"chunk": float("inf"), "error": None}),
        Envelope("work", {"chunk": float("inf"), "begin": 0, "halo": [0, 0], "fallback": 0}),
        Envelope("setup", {"engine": 1, "fallback": 1, "camera": {}, "psf": None, "ring": None}),
        Envelope("setup", {"engine": 1, "fallback": 1, "camera": 3, "psf": None, "ring": None}),
    ],
)
def test_what_does_not_fit_is_refused(read: Any, message: Envelope) -> None:
    with pytest.raises(MalformedError):
        read(sent(message))
