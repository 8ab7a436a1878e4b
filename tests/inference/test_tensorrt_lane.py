"""A lane's logic on a double of the GPU, whose plans are run by onnxruntime.

The double notes work and does it when waited for, so a missing wait, a value
that a captured graph cannot see, or memory freed too early gives wrong
molecules here as it would on a GPU.
"""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import numpy_helper, parser

from live_smlm.core import CameraModel, EngineContext, InputError, RawPixels
from live_smlm.inference import tensorrt_lane, tensorrt_layout
from live_smlm.inference.bundle import Bundle, write_bundle
from live_smlm.inference.onnx_cpu import OnnxRuntime
from live_smlm.inference.runtime import Opened, Peaks, RuntimeSettings
from live_smlm.inference.tensorrt import make_lane
from live_smlm.inference.tensorrt_cache import PlanCache
from live_smlm.inference.tensorrt_card import Card
from live_smlm.inference.tensorrt_lane import Lane
from live_smlm.inference.tensorrt_layout import MOST_FRAMES, layout_of
from live_smlm.testing import cuda_double, tensorrt_double
from live_smlm.testing.cuda_double import Cuda

THRESHOLD = 0.3
MakeBundle = Callable[..., Bundle]
Movie = tuple[RawPixels, list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]


@contextmanager
def lane_of(
    bundle: Bundle,
    camera: CameraModel,
    folder: Path,
    *,
    batch: int | None = 4,
    cuda: Cuda | None = None,
    precision: str = "fp32",
    graphs: bool = True,
    runtime: str = "tensorrt",
) -> Iterator[Lane]:
    library = tensorrt_double.tensorrt(runtime)
    fp = "fp16" if precision == "fp16" else "fp32"
    layout = layout_of(library, bundle, camera.shape, fp, batch)  # type: ignore[arg-type] # as above
    lane = make_lane(
        Card(cuda or Cuda(), torch.device("cpu")),
        tensorrt_double.GPU,
        layout,
        bundle,
        EngineContext(camera=camera),
        THRESHOLD,
        PlanCache(folder),
        graphs=graphs,
    )
    try:
        yield lane
    finally:
        lane.close()


@contextmanager
def processor(bundle: Bundle, camera: CameraModel) -> Iterator[Opened]:
    settings = RuntimeSettings(threshold=THRESHOLD)
    with OnnxRuntime().open(bundle, EngineContext(camera=camera), settings) as opened:
        yield opened


def numbers(pixels: RawPixels) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.arange(len(pixels), dtype=np.int64)


def assert_same(found: Peaks, expected: Peaks, *, rtol: float = 1e-5) -> None:
    np.testing.assert_array_equal(found.frame, expected.frame)
    np.testing.assert_array_equal(found.crowded, expected.crowded)
    np.testing.assert_allclose(found.values, expected.values, rtol=rtol, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 2, 4, 7])
@pytest.mark.parametrize("frames", [3, 4, 11, 20])
def test_a_lane_says_what_the_processor_says(
    bundle: Bundle, camera: CameraModel, movie: Movie, tmp_path: Path, batch: int, frames: int
) -> None:
    pixels = movie[0][:frames]
    cuda = Cuda(ahead=bool(frames % 2))
    with (
        processor(bundle, camera) as opened,
        lane_of(bundle, camera, tmp_path, batch=batch, cuda=cuda) as on,
    ):
        expected = opened(pixels, numbers(pixels))
        assert frames < 11 or len(expected.frame) > 5
        assert_same(on(pixels, numbers(pixels)), expected)


def test_half_precision_says_the_same_within_its_rounding(
    bundle: Bundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    pixels = movie[0]
    with (
        processor(bundle, camera) as opened,
        lane_of(bundle, camera, tmp_path, precision="fp16") as on,
    ):
        expected, found = opened(pixels, numbers(pixels)), on(pixels, numbers(pixels))
    assert on.identity == "tensorrt 0.0 Double fp16"
    sure = {tuple(v) for v in np.c_[expected.frame, np.round(expected.values[:, 1:3])].tolist()}
    also = {tuple(v) for v in np.c_[found.frame, np.round(found.values[:, 1:3])].tolist()}
    assert len(sure & also) > 0.8 * len(sure | also)


def test_calls_follow_each_other_whatever_came_before(
    bundle: Bundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    pixels = movie[0]
    starts_and_stops = [(0, 10), (8, 14), (12, 17), (15, 20), (3, 9), (3, 9), (7, 12)]
    chunks = [slice(start, stop) for start, stop in starts_and_stops]
    with processor(bundle, camera) as opened, lane_of(bundle, camera, tmp_path) as on:
        for chunk in chunks:
            index = numbers(pixels)[chunk]
            assert_same(on(pixels[chunk], index), opened(pixels[chunk], index))


def test_other_frames_under_the_same_numbers_are_seen_as_others(
    bundle: Bundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    first, second = movie[0][:6], movie[0][12:18]
    with processor(bundle, camera) as opened, lane_of(bundle, camera, tmp_path) as on:
        on(first, np.arange(2, 8))
        index = np.arange(6, 12)  # begins with the numbers that the first call ended with
        assert_same(on(second, index), opened(second, index))


def test_the_context_that_the_last_call_left_is_not_encoded_again(
    make_bundle: MakeBundle,
    camera: CameraModel,
    movie: Movie,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle, pixels = make_bundle(encoder=True), movie[0]
    with processor(bundle, camera) as opened, lane_of(bundle, camera, tmp_path) as on:
        on(pixels[:6], numbers(pixels)[:6])
        assert on._batch is not None
        monkeypatch.setattr(on._batch._prime, "enqueue", refuse)
        index = numbers(pixels)[4:10]
        assert_same(on(pixels[4:10], index), opened(pixels[4:10], index))
        with pytest.raises(AssertionError, match="not to be called"):
            on(pixels[:6], numbers(pixels)[:6])


def test_a_call_that_failed_leaves_nothing_to_the_next(
    make_bundle: MakeBundle,
    camera: CameraModel,
    movie: Movie,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle, pixels, index = make_bundle(encoder=True), movie[0], numbers(movie[0])
    with processor(bundle, camera) as opened, lane_of(bundle, camera, tmp_path) as on:
        on(pixels[:6], index[:6])
        with pytest.raises(ValueError, match="could not broadcast"):
            on(np.concatenate([pixels[4:10], pixels[4:10]])[:, :40], index[4:16])
        assert_same(on(pixels[4:10], index[4:10]), opened(pixels[4:10], index[4:10]))
        with monkeypatch.context() as broken:
            broken.setattr(tensorrt_lane._Slot, "take", refuse)
            with pytest.raises(AssertionError, match="not to be called"):
                on(pixels[:10], index[:10])
        assert_same(on(pixels[8:14], index[8:14]), opened(pixels[8:14], index[8:14]))


def refuse(*arguments: object) -> None:
    raise AssertionError(f"not to be called, with {len(arguments)}")


def test_a_camera_with_maps_is_calibrated_pixel_by_pixel(
    bundle: Bundle, movie: Movie, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    shape = (64, 96)
    camera = CameraModel(
        shape=shape,
        pixel_size_nm=100.0,
        offset_adu=rng.uniform(90, 110, shape).astype(np.float32),
        gain_e_per_adu=rng.uniform(0.4, 0.6, shape).astype(np.float32),
    )
    pixels = np.zeros((12, *shape), np.uint16)
    pixels[:, :50, :70] = movie[0][:12]
    pixels[-1, 0, 0] = 65535
    with processor(bundle, camera) as opened, lane_of(bundle, camera, tmp_path) as on:
        assert_same(on(pixels, numbers(pixels)), opened(pixels, numbers(pixels)))


def test_frames_of_8_bits_are_taken(
    bundle: Bundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    pixels = np.minimum(movie[0] // 8, 255).astype(np.uint8)
    dim = replace(camera, bits=8, offset_adu=12.0, gain_e_per_adu=160.0)
    with processor(bundle, dim) as opened, lane_of(bundle, dim, tmp_path) as on:
        assert_same(on(pixels, numbers(pixels)), opened(pixels, numbers(pixels)))


def test_batches_are_replayed_and_without_a_graph_the_answer_is_the_same(
    bundle: Bundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    pixels, cuda, plain = movie[0], Cuda(), Cuda()
    with lane_of(bundle, camera, tmp_path, cuda=cuda) as on:
        replayed = on(pixels, numbers(pixels))
    with lane_of(bundle, camera, tmp_path, cuda=plain, graphs=False) as on:
        assert_same(on(pixels, numbers(pixels)), replayed)
        assert on.identity.endswith("without CUDA graphs")
    assert (cuda.captures, cuda.replays) == (1, 5)
    assert (plain.captures, plain.replays) == (0, 0)


def test_a_capture_that_fails_is_said_once_and_lived_with(
    bundle: Bundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    pixels, cuda = movie[0], Cuda(refuses_capture=True)
    with ExitStack() as held:
        with pytest.warns(UserWarning, match=r"no CUDA graph, batches take longer: .* not perm"):
            on = held.enter_context(lane_of(bundle, camera, tmp_path, cuda=cuda))
        opened = held.enter_context(processor(bundle, camera))
        assert_same(on(pixels, numbers(pixels)), opened(pixels, numbers(pixels)))
        assert on.identity.endswith("without CUDA graphs")


def test_a_closed_lane_holds_no_memory(
    bundle: Bundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    gc.collect()
    before = cuda_double.held()
    with lane_of(bundle, camera, tmp_path) as on:
        on(movie[0], numbers(movie[0]))
        assert cuda_double.held() > before + 10
    assert cuda_double.held() == before
    with pytest.raises(ValueError, match="closed"):
        on(movie[0], numbers(movie[0]))


def test_lanes_of_one_process_share_the_plan_and_nothing_else(
    bundle: Bundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    pixels = movie[0]
    parts = [pixels[:11], pixels[6:20], pixels[2:9], pixels[9:18]]
    answers: dict[int, Peaks] = {}

    def localize(lane: Lane, which: int) -> None:
        answers[which] = lane(parts[which], numbers(parts[which]))

    with (
        lane_of(bundle, camera, tmp_path) as one,
        lane_of(bundle, camera, tmp_path) as two,
        processor(bundle, camera) as opened,
    ):
        assert one._batch is not None
        assert two._batch is not None
        assert one._batch._find.plan is two._batch._find.plan
        threads = [
            threading.Thread(target=localize, args=(lane, which))
            for which, lane in enumerate((one, two, one, two)[:2])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for which, found in answers.items():
            assert_same(found, opened(parts[which], numbers(parts[which])))
    assert len(answers) == 2


def test_a_plan_that_is_rejected_is_built_again_and_said(
    make_bundle: MakeBundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    bundle, pixels, cache = make_bundle(encoder=False), movie[0], PlanCache(tmp_path)
    layout = layout_of(tensorrt_double.tensorrt(), bundle, camera.shape, "fp32", 4)
    key = layout.find.key(tensorrt_double.GPU)
    cache.keep(key, b"of another version")
    with ExitStack() as held:
        with pytest.warns(UserWarning, match=r"rejects the plan: .*magicTagRead.*is built again"):
            on = held.enter_context(lane_of(bundle, camera, tmp_path))
        opened = held.enter_context(processor(bundle, camera))
        assert_same(on(pixels, numbers(pixels)), opened(pixels, numbers(pixels)))
    assert cache.kept(key) == layout.find.build()


def test_a_plan_that_is_rejected_again_ends_with_the_cure(
    make_bundle: MakeBundle,
    camera: CameraModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tensorrt_double._Runtime, "deserialize_cuda_engine", lambda *_: None)
    with (
        pytest.raises(
            InputError, match=r"rejects the plan.*Double.*another runtime, or device cpu"
        ),
        lane_of(make_bundle(), camera, tmp_path),
    ):
        pytest.fail("opened")


def test_only_tensorrt_rtx_keeps_what_it_compiled(
    make_bundle: MakeBundle, camera: CameraModel, tmp_path: Path
) -> None:
    for runtime, kept in (("tensorrt", 0), ("tensorrt-rtx", 3)):
        folder = tmp_path / runtime
        with lane_of(make_bundle(encoder=True), camera, folder, runtime=runtime) as on:
            assert on.identity.startswith(runtime)
        assert len(list(folder.glob("*.plan"))) == 3
        assert len(list(folder.glob("*.kernels"))) == kept


def test_a_network_without_context_needs_no_beginning(
    make_bundle: MakeBundle, camera: CameraModel, movie: Movie, tmp_path: Path
) -> None:
    encode = "features = Unsqueeze (frames, one)"
    detect = """
        best = MaxPool <kernel_shape = [32, 32], strides = [32, 32]> (features)
        flat = Reshape (best, shape)
        molecules = Concat <axis = 3> (flat, flat, flat, flat, flat, flat, flat, flat, flat, flat)
        level = ReduceMax <keepdims = 0> (flat, last_two)
        crowded = Cast <to = 6> (level)
    """
    given = "float[n, 1, h, w] features"
    found = "float[n, t, 1, 10] molecules, int32[n, t] crowded"
    files = {
        "features.onnx": small_graph("float[n, h, w] frames", given, encode),
        "molecules.onnx": small_graph(given, found, detect),
    }
    said = replace(make_bundle().manifest, name="brightest", halo=(0, 0), slots=1)
    bundle = write_bundle(tmp_path / "brightest", said, files, make_bundle().psf())
    pixels = movie[0][:7]
    with processor(bundle, camera) as opened, lane_of(bundle, camera, tmp_path) as on:
        for _ in range(2):
            answer = on(pixels, numbers(pixels))
            assert len(answer.frame) == 7 * 6
            assert_same(answer, opened(pixels, numbers(pixels)))


def small_graph(given: str, found: str, body: str) -> bytes:
    text = f'<ir_version: 8, opset_import: ["" : 18]> g ({given}) => ({found}) {{ {body} }}'
    model = parser.parse_model(text)
    constants = {"one": [1], "shape": [0, -1, 1, 1], "last_two": [2, 3]}
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value), name)
        for name, value in constants.items()
        if name in used
    )
    return bytes(model.SerializeToString())


def test_batches_fill_a_gpu_and_no_more(
    make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tensorrt_double.tensorrt()
    monkeypatch.setattr(tensorrt_layout, "PIXELS_AT_ONCE", 96 * 96 * 3)
    for shape, batch in (((20, 20), MOST_FRAMES), ((90, 70), 3), ((100, 200), 1)):
        assert layout_of(library, make_bundle(), shape, "fp32").batch == batch
