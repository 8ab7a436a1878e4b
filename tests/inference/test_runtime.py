from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from live_smlm.core import EngineContext, InputError
from live_smlm.fitting.fields import FIELDS
from live_smlm.inference import runtime as room
from live_smlm.inference.agreement import Agreement, agreement, check_agreement, sample
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.onnx_cpu import OnnxRuntime
from live_smlm.inference.runtime import PLACES, Peaks, RuntimeName, RuntimeSettings, choose, runtime
from live_smlm.testing.engine import CAMERA

CPU = EngineContext(camera=CAMERA)
CUDA = EngineContext(camera=CAMERA, device="cuda")


@pytest.mark.parametrize("name", PLACES)
def test_every_runtime_says_what_it_is_before_its_packages_are_there(name: RuntimeName) -> None:
    one = runtime(name)
    assert one.name == name
    assert one.device == ("cuda" if name.startswith("tensorrt") else "cpu")
    assert one.precisions
    assert one.needs


def test_places_are_what_the_option_may_say() -> None:
    assert {"auto", *PLACES} == set(get_args(RuntimeName))
    with pytest.raises(InputError, match="runtime 'abacus' is unknown; there are onnxruntime"):
        runtime("abacus")  # type: ignore[arg-type] # as a user may say it


def test_the_processor_has_one_that_is_always_there() -> None:
    assert choose("auto", CPU).name == "onnxruntime"


class Absent:
    """A runtime whose package or device is not there."""

    name = "tensorrt"
    device = "cuda"
    precisions = ("fp16",)
    needs = ()

    def unavailable(self, context: EngineContext, precision: str) -> str | None:
        return f"no GPU {context.device_index} for {precision or 'any'}; buy one"


def test_a_gpu_that_is_not_there_is_refused_with_every_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "runtime", lambda _: Absent())
    with pytest.raises(InputError) as told:
        choose("auto", CUDA, "fp16")
    assert str(told.value) == (
        "runtime tensorrt: no GPU 0 for fp16; buy one; "
        "runtime tensorrt-rtx: no GPU 0 for fp16; buy one"
    )


def test_a_processor_does_not_stand_in_for_a_gpu() -> None:
    with pytest.raises(InputError, match="it runs on the CPU, but device cuda is asked for"):
        choose("onnxruntime", CUDA)


def test_precisions_that_a_runtime_has_not_are_refused() -> None:
    with pytest.raises(InputError, match="onnxruntime: it has no precision 'bf16'; it has fp32"):
        choose("auto", CPU, "bf16")


class Doctored:
    """A session whose answers are changed."""

    def __init__(self, inner: Any, *, shift_px: float = 0.0, keep: float = 1.0) -> None:
        self.inner, self.shift_px, self.keep = inner, shift_px, keep
        self.identity = "doctored"

    def __call__(self, pixels: Any, index: Any, /) -> Peaks:
        peaks = self.inner(pixels, index)
        values = peaks.values.copy()
        values[:, FIELDS.index("x")] += self.shift_px
        kept = np.random.default_rng(0).random(len(values)) < self.keep
        return Peaks(peaks.frame[kept], values[kept], peaks.crowded)


def compared(bundle: Bundle, **changes: float) -> tuple[Agreement, str | None]:
    on = sample(bundle)
    context = EngineContext(camera=on.camera)
    settings = RuntimeSettings(threshold=bundle.manifest.threshold)
    with OnnxRuntime().open(bundle, context, settings) as session:
        other = Doctored(session, **changes)
        try:
            check_agreement(other, session, bundle, on)
        except InputError as error:
            return agreement(other, session, bundle, on), str(error)
        return agreement(other, session, bundle, on), None


def test_a_session_agrees_with_itself(bundle: Bundle) -> None:
    found, refused = compared(bundle)
    assert (found.jaccard, found.rms_nm) == (1.0, 0.0)
    assert found.molecules > 300
    assert refused is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"shift_px": 0.05}, "positions 3.54 nm rms apart"),
        ({"keep": 0.95}, "Jaccard 0.9"),
    ],
)
def test_what_disagrees_is_refused_with_the_numbers(
    bundle: Bundle, changes: dict[str, float], complaint: str
) -> None:
    _, refused = compared(bundle, **changes)
    assert refused is not None
    assert complaint in refused
    assert "doctored does not agree with onnxruntime" in refused
    assert "say precision=fp32" in refused


def test_nothing_agrees_with_nothing(bundle: Bundle) -> None:
    on = replace(sample(bundle), pixels=np.full((4, 64, 64), 100, np.uint16), index=np.arange(4))
    with OnnxRuntime().open(
        bundle, EngineContext(camera=on.camera), RuntimeSettings(threshold=0.5)
    ) as session:
        found = agreement(session, session, bundle, on)
    assert found == Agreement(0, 1.0, 0.0)
