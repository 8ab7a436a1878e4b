"""TensorRT as a runtime: an engine on "cuda" is the one on "cpu", with a double for the GPU."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from live_smlm.core import COLUMNS, CameraModel, EngineContext, FrameBatch, InputError, RawPixels
from live_smlm.inference import tensorrt, tensorrt_card
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.model_engine import Localizer, ModelEngine
from live_smlm.inference.runtime import choose
from live_smlm.inference.tensorrt_card import Card
from live_smlm.inference.tensorrt_gpu import cuda_missing
from live_smlm.testing import tensorrt_double
from live_smlm.testing.cuda_double import Cuda

MakeBundle = Callable[..., Bundle]


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU, as far as the runtime can see."""
    card = Card(Cuda(), torch.device("cpu"))
    monkeypatch.setattr(tensorrt, "cuda_missing", lambda *_: None)
    monkeypatch.setattr(tensorrt, "gpus", lambda: [tensorrt_double.GPU])
    monkeypatch.setattr(tensorrt, "library", tensorrt_double.tensorrt)
    monkeypatch.setattr(tensorrt_card, "card", lambda _: card)
    monkeypatch.setenv("LIVE_SMLM_CACHE", str(tmp_path))
    yield
    tensorrt._LOADED.clear()


def engine(bundle: Bundle, **options: Any) -> ModelEngine:
    return ModelEngine(name="spots", package="live_smlm", model=str(bundle.folder), **options)


@pytest.mark.usefixtures("double")
def test_an_engine_finds_the_same_on_a_gpu(
    bundle: Bundle, camera: CameraModel, movie: tuple[RawPixels, Any], tmp_path: Path
) -> None:
    pixels = movie[0]
    index = np.r_[0:11, 13:22]  # two frames were lost
    batch = FrameBatch(pixels, index, index / 100, (1, 1))
    found = []
    for device in ("cpu", "cuda"):
        context = EngineContext(camera=camera, device=device)
        made = engine(bundle, precision="fp32")
        assert made.unsupported(context) is None
        with made.open(context) as localize:
            found.append(localize(batch))
    assert len(found[0]) > 10
    for name in COLUMNS:
        ours, theirs = (getattr(table, name) for table in found)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-2)
    assert len(list((tmp_path / "plans").glob("*.plan"))) == (3 if bundle.has_encoder else 1)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt-rtx"])
def test_a_runtime_that_is_named_is_the_one_that_runs_in_its_own_precision(
    make_bundle: MakeBundle, camera: CameraModel, runtime: str
) -> None:
    made = engine(make_bundle(), runtime=runtime)
    assert made.spec.devices == ("cuda",)
    with made.open(EngineContext(camera=camera, device="cuda")) as localize:
        assert isinstance(localize, Localizer)
        assert localize.opened.identity == f"{runtime} 0.0 Double fp16"


@pytest.mark.usefixtures("double")
def test_a_precision_that_a_gpu_is_not_asked_for_is_refused(
    make_bundle: MakeBundle, camera: CameraModel
) -> None:
    context = EngineContext(camera=camera, device="cuda")
    told = engine(make_bundle(), precision="int8").unsupported(context)
    assert "tensorrt: it has no precision 'int8'; it has fp16, fp32" in str(told)


def test_without_a_gpu_an_engine_on_cuda_is_refused_with_every_reason(
    make_bundle: MakeBundle, camera: CameraModel
) -> None:
    if cuda_missing() is None:
        pytest.skip("there is a GPU here")
    context = EngineContext(camera=camera, device="cuda")
    told = str(engine(make_bundle()).unsupported(context))
    assert "runtime tensorrt: " in told
    assert "runtime tensorrt-rtx: " in told
    with pytest.raises(InputError, match=r"no NVIDIA driver|torch is a build without CUDA|nvidia"):
        choose("tensorrt-rtx", context)
