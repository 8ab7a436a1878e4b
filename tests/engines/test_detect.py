import numpy as np
import pytest

from live_smlm.core import (
    CameraModel,
    EngineContext,
    FrameBatch,
    InputError,
    RawPixels,
    RoiBatch,
    SideChannel,
)
from live_smlm.engines.detect_engine import Detect
from live_smlm.engines.detect_filter import spot_filter
from live_smlm.engines.detect_kernel import mirror
from live_smlm.engines.gauss_mle import GaussMle
from live_smlm.physics.noise import expose, scmos_camera
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.testing.engine import EngineContract

PSF = GaussianPSF(130.0)
PIXEL = 100.0


def camera(rows: int, columns: int, **options: float) -> CameraModel:
    return CameraModel(shape=(rows, columns), pixel_size_nm=PIXEL, **options)  # type: ignore[arg-type] # numbers only


def emccd(rows: int, columns: int) -> CameraModel:
    return camera(
        rows, columns, gain_e_per_adu=45, em_gain=300, read_noise_e=74, quantum_efficiency=0.9
    )


def frames(pixels: RawPixels) -> FrameBatch:
    n = len(pixels)
    return FrameBatch(pixels, np.arange(n), np.arange(n, dtype=np.float64))


def detect(pixels: RawPixels, model: CameraModel, engine: Detect | None = None) -> RoiBatch:
    with (engine or Detect()).open(EngineContext(camera=model, psf=PSF)) as process:
        return process(frames(pixels))


def movie(
    x: list[float], y: list[float], photons: float, background: float, model: CameraModel, n: int
) -> RawPixels:
    """`n` frames of the same molecules, positions in pixels."""
    at = np.array(x) * PIXEL, np.array(y) * PIXEL
    image = PSF.images(*at, np.zeros(len(x)), model.shape, PIXEL).value.sum(axis=0)
    expected = np.broadcast_to(photons * image + background, (n, *model.shape))
    return expose(expected, model, np.random.default_rng(4))


class TestDetectContract(EngineContract):
    engine = Detect()


CAMERAS = {
    "ideal": camera(256, 256),
    "scmos": scmos_camera((256, 256), PIXEL, np.random.default_rng(2)),
    "emccd": emccd(256, 256),
}


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("background", [0.0, 0.3, 10.0, 200.0])
def test_noise_alone_shows_hardly_any_spots(name: str, background: float) -> None:
    model = CAMERAS[name]
    pixels = expose(np.full((8, 256, 256), background), model, np.random.default_rng(1))
    # At most 0.01 per 1,000 pixels: 5.2 are expected of a filter at the limit.
    assert len(detect(pixels, model)) <= 0.01 * pixels.size / 1000


@pytest.mark.parametrize("name", CAMERAS)
def test_finds_dim_molecules(name: str) -> None:
    model = CAMERAS[name]
    x, y = np.meshgrid(np.arange(10, 250, 16) + 0.3, np.arange(10, 250, 16) + 0.8)
    pixels = movie([*x.ravel()], [*y.ravel()], 300.0, 10.0, model, 4)
    found = len(detect(pixels, model))
    # 10 standard errors of signal against a threshold of 4.5: all but those on hot pixels.
    assert found >= 0.97 * 4 * x.size


def test_a_noisy_pixel_is_not_a_molecule() -> None:
    noise = np.full((64, 64), 1.0, np.float32)
    noise[20, 30] = 60.0
    noisy = CameraModel(shape=(64, 64), pixel_size_nm=PIXEL, read_noise_e=noise)
    pixels = expose(np.full((200, 64, 64), 5.0), noisy, np.random.default_rng(3))
    assert len(detect(pixels, noisy)) <= 2
    unaware = camera(64, 64, read_noise_e=1.0)
    assert len(detect(pixels, unaware)) > 40


@pytest.mark.parametrize(
    ("x", "y", "column", "row"),
    [
        (0.2, 20.5, 0, 16),
        (39.8, 20.5, 31, 16),
        (20.5, 0.2, 16, 0),
        (20.5, 29.9, 16, 21),
        (0.4, 0.4, 0, 0),
        (20.5, 15.5, 16, 11),
    ],
)
def test_cut_outs_move_inwards_at_the_edges(x: float, y: float, column: int, row: int) -> None:
    model = camera(30, 40)
    rois = detect(movie([x], [y], 3000.0, 5.0, model, 1), model)
    assert (rois.row.tolist(), rois.column.tolist(), rois.size) == ([row], [column], 9)


def test_edges_are_no_noisier_than_the_middle() -> None:
    model = camera(24, 24)
    pixels = expose(np.full((1500, 24, 24), 20.0), model, np.random.default_rng(5))
    spots = spot_filter(model, 1.3, 2.5)
    rim = inner = 0
    for frame in pixels:
        rows, columns = spots.peaks(frame)
        edge = (np.minimum(rows, 23 - rows) < 2) | (np.minimum(columns, 23 - columns) < 2)
        rim, inner = rim + int(edge.sum()), inner + int((~edge).sum())
    share = (24**2 - 20**2) / 24**2
    # Maxima are rarer by neighbours they lack; far from the 10 times of an uncorrected rim.
    assert 0.5 < rim / (rim + inner) / share < 2.0


def test_cut_outs_are_photons_of_their_own_pixels() -> None:
    model = scmos_camera((40, 40), PIXEL, np.random.default_rng(6))
    pixels = movie([12.5, 30.2], [8.5, 25.7], 4000.0, 3.0, model, 3)
    rois = detect(pixels, model)
    assert len(rois) == 6
    photons = model.photons(pixels)
    for i in range(len(rois)):
        window = np.s_[rois.row[i] : rois.row[i] + 9, rois.column[i] : rois.column[i] + 9]
        np.testing.assert_allclose(
            rois.photons[i], photons[rois.frame[i]][window], rtol=1e-5, atol=1e-3
        )


def test_eight_bit_frames_are_taken_as_they_are() -> None:
    model = camera(40, 40, offset_adu=10.0, gain_e_per_adu=2.0, bits=8)
    pixels = movie([20.5], [11.5], 1500.0, 5.0, model, 2)
    assert pixels.dtype == np.uint8
    rois = detect(pixels, model)
    assert rois.row.tolist() == [7, 7]
    assert rois.photons.sum(axis=(1, 2)) == pytest.approx([1500 + 405] * 2, abs=6 * 1905**0.5)


def test_equal_neighbours_count_once() -> None:
    pixels = np.full((1, 32, 32), 100, np.uint16)
    pixels[0, 15:17, 15:17] = 400
    assert len(detect(pixels, camera(32, 32))) == 1


def test_mirror_repeats_the_edge() -> None:
    assert [mirror(i, 3) for i in range(-4, 8)] == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.0}, "threshold is 0"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"roi_px": 8}, "roi_px is 8"),
        ({"roi_px": 3}, "roi_px is 3"),
        ({"sigma_nm": -1.0}, "sigma_nm is -1"),
    ],
)
def test_refuses_what_makes_no_sense(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Detect(**options)  # type: ignore[arg-type] # wrong on purpose


def test_says_what_it_cannot_do() -> None:
    without = EngineContext(camera=camera(64, 64))
    assert "give --psf" in str(Detect().unsupported(without))
    assert Detect(roi_px=7, sigma_nm=130.0).unsupported(without) is None
    small = EngineContext(camera=camera(6, 64), psf=PSF)
    assert "6x64" in str(Detect(roi_px=7).unsupported(small))


RIGHT = SideChannel(rows=(0, 40), columns=(48, 80), shift_px=(0.0, 40.0), height=9, width=11)
LEFT = SideChannel(rows=(0, 40), columns=(0, 32), shift_px=(1.0, -40.4), height=9, width=11)


@pytest.mark.parametrize(("side", "at"), [(RIGHT, (20.5, 12.5)), (LEFT, (62.5, 22.5))])
def test_a_side_channel_is_cut_out_and_not_searched(
    side: SideChannel, at: tuple[float, float]
) -> None:
    model = CameraModel(shape=(40, 80), pixel_size_nm=PIXEL, side=side)
    x, y = at
    rows, columns = side.step_px
    pixels = movie([x, x + columns], [y, y + rows], 3000.0, 10.0, model, 6)
    rois = detect(pixels, model)
    assert rois.frame.tolist() == list(range(6))
    assert rois.side is not None
    assert rois.side.shape == (6, 9, 11)
    brightest = rois.side.mean(axis=0).argmax()
    assert np.unravel_index(brightest, (9, 11)) == (4, 5)
    np.testing.assert_allclose(rois.side.sum(axis=(1, 2)), 3000 + 990, rtol=0.1)
    for joint in (False, True):
        with GaussMle(joint=joint).open(EngineContext(camera=model, psf=PSF)) as localize:
            found = localize(frames(pixels))
        assert len(found) == 6
        np.testing.assert_allclose(found.x, 1e2 * x, atol=15)
        np.testing.assert_allclose(found.y, 1e2 * y, atol=15)


def test_what_lies_beyond_the_side_channel_is_not_seen() -> None:
    model = CameraModel(shape=(40, 80), pixel_size_nm=PIXEL, side=RIGHT)
    rois = detect(movie([9.5, 38.5], [20.5, 20.5], 3000.0, 10.0, model, 1), model)
    assert rois.side is not None
    blank = np.isnan(rois.side)
    unseen = np.asarray(blank.all(axis=1))
    # The channel's columns 48 to 79 are seen by cut-outs of 11 columns around 49 and 78.
    np.testing.assert_array_equal(unseen, [np.arange(44, 55) < 48, np.arange(73, 84) > 79])
    np.testing.assert_array_equal(np.asarray(blank.any(axis=1)), unseen)


def test_cut_outs_stay_off_the_side_channel() -> None:
    model = CameraModel(shape=(40, 80), pixel_size_nm=PIXEL, side=RIGHT)
    pixels = movie([46.5], [20.5], 3000.0, 10.0, model, 3)
    rois = detect(pixels, model)
    assert set(rois.column + rois.size) == {48}
    with GaussMle().open(EngineContext(camera=model, psf=PSF)) as localize:
        found = localize(frames(pixels))
    np.testing.assert_allclose(found.x, 4650, atol=20)
