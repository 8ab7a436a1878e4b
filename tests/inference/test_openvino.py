"""The other runtime of the processor, where it is installed, gives the same molecules."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from live_smlm.core import F32, CameraModel, EngineContext, RawPixels
from live_smlm.inference import openvino_cpu
from live_smlm.inference.agreement import Sample, agreement
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.onnx_cpu import OnnxRuntime
from live_smlm.inference.openvino_cpu import OpenVino
from live_smlm.inference.runtime import Opened, RuntimeSettings

SETTINGS = RuntimeSettings(threshold=0.5)


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_cpu, "find_spec", lambda _: None)
    context = EngineContext(camera=CameraModel(shape=(8, 8), pixel_size_nm=100.0))
    assert OpenVino().unavailable(context, "") == (
        "openvino is not installed; pip install 'live-smlm[openvino]'"
    )


@pytest.fixture
def installed() -> None:
    if find_spec("openvino") is None:  # imported by the runtime only: it knows how
        pytest.skip("openvino is not installed")


@pytest.fixture
def reference(bundle: Bundle, camera: CameraModel) -> Iterator[Opened]:
    with OnnxRuntime().open(bundle, EngineContext(camera=camera), SETTINGS) as session:
        yield session


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("skip_dark", [True, False])
def test_it_agrees_with_onnxruntime(
    make_bundle: Callable[..., Bundle],
    camera: CameraModel,
    movie: tuple[RawPixels, list[F32]],
    *,
    encoder: bool,
    skip_dark: bool,
) -> None:
    on = Sample(camera, movie[0], np.arange(len(movie[0])))
    context = EngineContext(camera=camera)
    settings = replace(SETTINGS, skip_dark=skip_dark)
    bundle = make_bundle(encoder=encoder)
    assert OpenVino().unavailable(context, "fp32") is None
    with (
        OnnxRuntime().open(bundle, context, settings) as reference,
        OpenVino().open(bundle, context, settings) as session,
    ):
        found = agreement(session, reference, bundle, on)
        assert session.identity.endswith("cpu fp32")
    assert found.molecules > 50
    assert found.jaccard == 1.0
    assert found.rms_nm < 0.01


@pytest.mark.usefixtures("installed")
def test_bfloat16_is_there_only_where_it_agrees(
    bundle: Bundle, camera: CameraModel, movie: tuple[RawPixels, list[F32]], reference: Opened
) -> None:
    context = EngineContext(camera=camera)
    refused = OpenVino().unavailable(context, "bf16")
    if refused is not None:
        assert refused == "this processor has no bfloat16; say precision=fp32"
        return
    on = Sample(camera, movie[0], np.arange(len(movie[0])))
    bf16 = RuntimeSettings(threshold=0.5, precision="bf16")
    with OpenVino().open(bundle, context, bf16) as session:
        found = agreement(session, reference, bundle, on)
        assert session.identity.endswith("cpu bf16")
    assert found.jaccard >= 0.97
    assert found.rms_nm < 5
