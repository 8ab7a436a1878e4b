"""A small network that localizes: a matched filter, hand-written in ONNX, in every form of bundle.

Correlating a Gaussian spot of width s with a Gaussian of the same width, and
with that times u, gives the spot's offset exactly: 2 (uG * I) / (G * I).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from live_smlm.core import F32, CameraModel, RawPixels
from live_smlm.inference.bundle import Bundle, write_bundle
from live_smlm.inference.envelope import Envelope
from live_smlm.inference.folder import WEIGHTS
from live_smlm.inference.manifest import Manifest
from live_smlm.physics.psf.gaussian import GaussianPSF

PIXEL_NM = 100.0
SIGMA_PX = 1.3
REACH = 5
SLOTS = 24
PSF = GaussianPSF(SIGMA_PX * PIXEL_NM)

# Per frame: matched filter, its moments, mean of the neighbourhood.
_ENCODE = """
    image = Unsqueeze (frames, channel)
    framed = Pad <mode = "edge"> (image, border)
    trunk = Cast <to = {trunk}> (framed)
    weights = Cast <to = {trunk}> (kernels)
    features = Conv (trunk, weights)
"""
# Every frame with its neighbours in time: a molecule that stays counts a little more.
_DETECT = """
    maps = Cast <to = 1> (features)
    before = Slice (maps, zero, minus_two, first_axis)
    now = Slice (maps, one, minus_one, first_axis)
    after = Slice (maps, two, most, first_axis)
    others = Add (before, after)
    tenth = Mul (others, weight)
    score_now, x_moment, y_moment, mean = Split <axis = 1> (now, split)
    score_then, x_then, y_then, mean_then = Split <axis = 1> (tenth, split)
    most_help = Mul (score_now, weight)
    help = Min (score_then, most_help)
    score = Add (score_now, help)
    light = Mul (score_now, photons_per_score)
    photons = Max (light, tiny)
    spread = Mul (photons, share)
    level = Sub (mean, spread)
    background = Max (level, tiny)
    noise = Sqrt (background)
    snr = Div (score, noise)
    above = Sub (snr, least_snr)
    logit = Mul (above, steepness)
    mass = Sigmoid (logit)
    highest = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (score)
    is_peak = Equal (score, highest)
    is_seen = Greater (mass, floor)
    is_candidate = And (is_peak, is_seen)
    nothing = Mul (mass, nil)
    probability = Where (is_candidate, mass, nothing)
    safe = Max (score_now, tiny)
    x_ratio = Div (x_moment, safe)
    y_ratio = Div (y_moment, safe)
    x_twice = Mul (x_ratio, double)
    y_twice = Mul (y_ratio, double)
    x_offset = Clip (x_twice, minus, plus)
    y_offset = Clip (y_twice, minus, plus)
    ones = Add (nothing, half)
    twos = Add (ones, half)
    columns = CumSum (twos, axis_x)
    rows = CumSum (twos, axis_y)
    column = Sub (columns, half)
    row = Sub (rows, half)
    x = Add (column, x_offset)
    y = Add (row, y_offset)
    root = Sqrt (photons)
    sigma = Div (width, root)
    all = Concat <axis = 1> (probability, x, y, nothing, photons, background, sigma, sigma,
                             nothing, root, snr)
    shape = Shape (all)
    n = Slice (shape, zero, one, first_axis)
    h = Slice (shape, two, three, first_axis)
    w = Slice (shape, three, four, first_axis)
    h_tiles = Div (h, side)
    w_tiles = Div (w, side)
    tiled_shape = Concat <axis = 0> (n, eleven, h_tiles, side, w_tiles, side)
    tiled = Reshape (all, tiled_shape)
    tile_first = Transpose <perm = [0, 2, 4, 3, 5, 1]> (tiled)
    tiles = Mul (h_tiles, w_tiles)
    flat_shape = Concat <axis = 0> (n, tiles, pixels, eleven)
    flat = Reshape (tile_first, flat_shape)
    flat_mass = Slice (flat, zero, one, last_axis)
    best, place = TopK <axis = 2> (flat_mass, slots)
    places = Expand (place, ten_times)
    fields = Slice (flat, zero, ten, last_axis)
    molecules = GatherElements <axis = 2> (fields, places)
    candidates = Greater (flat_mass, tiny)
    counted = Cast <to = 6> (candidates)
    found = ReduceSum <keepdims = 0> (counted, last_two)
    surplus = Sub (found, capacity)
    crowded = Max (surplus, none)
"""


def kernels() -> F32:
    """(4, 1, 11, 11) matched filter without mean, its moments, and the mean."""
    u = np.arange(-REACH, REACH + 1)
    g = np.exp(-(u**2) / (2 * SIGMA_PX**2))
    spot = np.outer(g, g) / g.sum() ** 2
    filters = [spot - 1 / spot.size, spot * u, spot * u[:, None], np.full_like(spot, 1 / spot.size)]
    return np.stack(filters)[:, None].astype(np.float32)


def _constants() -> dict[str, Any]:
    matched = kernels()[0, 0].astype(np.float64)
    u = np.arange(-REACH, REACH + 1)
    g = np.exp(-(u**2) / (2 * SIGMA_PX**2))
    response = float((matched * np.outer(g, g)).sum() / g.sum() ** 2)
    noise = float(np.sqrt((matched**2).sum()))
    real = {
        "weight": 0.1,
        "photons_per_score": 1 / response,
        "share": 1 / matched.size,
        "tiny": 1e-3,
        "least_snr": 6.0 * noise,
        "steepness": 1.5 / noise,
        "floor": 0.03,
        "nil": 0.0,
        "double": 2.0,
        "minus": -1.0,
        "plus": 1.0,
        "half": 0.5,
        "width": SIGMA_PX,
    }
    whole = (
        {"channel": [1], "first_axis": [0], "last_axis": [3], "last_two": [2, 3]}
        | {"zero": [0], "one": [1], "two": [2], "three": [3], "four": [4], "most": [2**31]}
        | {"minus_one": [-1], "minus_two": [-2], "split": [1, 1, 1, 1], "ten": [10], "eleven": [11]}
        | {"side": [32], "pixels": [1024], "slots": [SLOTS], "ten_times": [1, 1, 1, 10]}
        | {"border": [0, 0, REACH, REACH] * 2, "axis_x": 3, "axis_y": 2}
    )
    return {
        "kernels": kernels(),
        "capacity": np.int32(SLOTS),
        "none": np.int32(0),
        **{name: np.float32(value) for name, value in real.items()},
        **{name: np.array(value, np.int64) for name, value in whole.items()},
    }


def _graph(name: str, given: str, produced: str, body: str) -> bytes:
    text = f'<ir_version: 8, opset_import: ["" : 18]> {name} ({given}) => ({produced}) {{ {body} }}'
    model = parser.parse_model(text)
    constants = {k: numpy_helper.from_array(np.asarray(v), k) for k, v in _constants().items()}
    used = {i for node in model.graph.node for i in node.input}
    model.graph.initializer.extend(v for k, v in constants.items() if k in used)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


_FRAMES = "float[f, h, w] frames"
_MOLECULES = "float[n, tiles, slots, 10] molecules, int32[n, tiles] crowded"


def graphs(*, encoder: bool) -> dict[str, bytes]:
    """The files of a bundle."""
    made: dict[str, bytes] = {}
    for ending, number, word in ((".onnx", 1, "float"), (".fp16.onnx", 10, "float16")):
        encode = _ENCODE.format(trunk=number)
        features = f"{word}[f, 4, h, w] features"
        if encoder:
            made["features" + ending] = _graph("encode", _FRAMES, features, encode)
            made["molecules" + ending] = _graph("detect", features, _MOLECULES, _DETECT)
        else:
            made["molecules" + ending] = _graph("spots", _FRAMES, _MOLECULES, encode + _DETECT)
    return made


def manifest(*, encoder: bool, axes: int = 2) -> Manifest:
    """What the bundle says of itself."""
    envelope = Envelope(
        pixel_size_nm=(PIXEL_NM, PIXEL_NM),
        z_nm=(0.0, 0.0),
        density_per_um2=(0.05, 1.0),
        photons=(150.0, 5000.0),
        background=(2.0, 30.0),
        read_noise=(0.0, 2.0),
        psf=PSF.describe(),
    )
    return Manifest(
        name="spots-encoded" if encoder else "spots",
        architecture="matched-filter",
        axes=axes,
        halo=(1, 1),
        slots=SLOTS,
        threshold=0.5,
        margin_px=REACH + 2,
        macs_per_pixel=4.0 * (2 * REACH + 1) ** 2,
        envelope=envelope,
        provenance={"command": "written by hand", "seed": 0},
    )


MakeBundle = Callable[..., Bundle]


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory) -> MakeBundle:
    """Bundles by whether they have an encoder, and their axes; each is written once."""
    made: dict[tuple[bool, int], Bundle] = {}
    folder: Path = tmp_path_factory.mktemp("bundles")

    def make(*, encoder: bool = False, axes: int = 2) -> Bundle:
        key = encoder, axes
        if key not in made:
            said = manifest(encoder=encoder, axes=axes)
            files = {**graphs(encoder=encoder), WEIGHTS: kernels().tobytes()}
            made[key] = write_bundle(folder / f"{said.name}-{axes}", said, files, PSF)
        return made[key]

    return make


@pytest.fixture(scope="session", params=[False, True], ids=["frames", "features"])
def bundle(request: pytest.FixtureRequest, make_bundle: MakeBundle) -> Bundle:
    """A bundle without and one with an encoder; both say the same of the same frames."""
    return make_bundle(encoder=request.param)


@pytest.fixture(scope="session")
def camera() -> CameraModel:
    """Not a multiple of the grid; an EMCCD, so that every factor of the light matters."""
    return CameraModel(
        shape=(50, 70),
        pixel_size_nm=PIXEL_NM,
        offset_adu=100.0,
        gain_e_per_adu=20.0,
        em_gain=100.0,
        read_noise_e=50.0,
        quantum_efficiency=0.9,
    )


@pytest.fixture(scope="session")
def movie(camera: CameraModel) -> tuple[RawPixels, list[F32]]:
    """Frames and the true x, y in nm of their molecules, which shine for one to three frames."""
    return simulated(camera, frames=20, density_per_um2=0.1, photons=1500.0, background=15.0)


@pytest.fixture(scope="session")
def simulate() -> Callable[..., tuple[RawPixels, list[F32]]]:
    """`simulated`, for tests that want other frames."""
    return simulated


def simulated(
    camera: CameraModel,
    frames: int,
    density_per_um2: float,
    photons: float,
    background: float,
    seed: int = 3,
) -> tuple[RawPixels, list[F32]]:
    """`photons` and `background` are at the camera; EM noise is drawn as a gamma."""
    rng = np.random.default_rng(seed)
    rows, columns = camera.shape
    size = np.array([columns, rows]) * camera.pixel_size_nm
    expected = np.full((frames, rows, columns), float(background))
    true: list[list[Any]] = [[] for _ in range(frames)]
    births = rng.poisson(density_per_um2 * size.prod() / 1e6 / 2, frames)
    for first, n in enumerate(births):
        at = rng.uniform(0.02, 0.98, (n, 2)) * size
        image = PSF.images(at[:, 0], at[:, 1], np.zeros(n), camera.shape, camera.pixel_size_nm)
        for place, value, length in zip(at, image.value, rng.integers(1, 4, n), strict=True):
            for frame in range(first, min(first + length, frames)):
                expected[frame] += photons * value
                true[frame].append(place)
    electrons = rng.poisson(expected * camera.quantum_efficiency).astype(np.float64)
    if camera.is_emccd:
        electrons = rng.gamma(electrons + 1e-9, camera.em_gain)
    electrons += rng.normal(0, camera.read_noise_e, electrons.shape)
    adu = electrons / camera.gain_e_per_adu + camera.offset_adu
    pixels = np.clip(np.rint(adu), 0, 2**camera.bits - 1).astype(np.uint16)
    return pixels, [np.array(t, np.float32).reshape(-1, 2) for t in true]
