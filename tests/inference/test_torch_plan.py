"""Torch in TensorRT's place: the same graphs by the weights of a bundle."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from live_smlm.inference.bundle import Bundle
from live_smlm.inference.onnx_cpu import graph
from live_smlm.inference.tensorrt_build import library
from live_smlm.inference.tensorrt_card import Card
from live_smlm.inference.tensorrt_gpu import module_of
from live_smlm.inference.tensorrt_lane import Lane
from live_smlm.inference.tensorrt_layout import layout_of
from live_smlm.testing import tensorrt_double
from live_smlm.testing.gpu_place import camera_of, double_place, movie
from live_smlm.testing.torch_plan import torch_plans, untrained


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return untrained("glint", {"width": 4}, tmp_path_factory.mktemp("bundles") / "narrow")


def test_plans_of_torch_say_what_the_exported_graphs_say(bundle: Bundle) -> None:
    layout = layout_of(tensorrt_double.tensorrt(), bundle, (40, 64), "fp32", batch=2)
    plans = torch_plans(bundle, layout, torch.device("cpu"))
    assert set(plans) == set(layout.parts)
    frames = torch.from_numpy(movie(64, 2).astype(np.float32) - 100)
    (expected,) = graph(bundle.graph("features"))(frames.numpy())
    found = torch.zeros(expected.shape)
    run(plans["encode"], {"frames": frames, "features": found})
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    features = torch.from_numpy(np.concatenate([expected, expected[::-1].copy()]))
    molecules, crowded = graph(bundle.graph("molecules"))(features.numpy())
    filled, full = torch.zeros(molecules.shape), torch.full(crowded.shape, -1, dtype=torch.int32)
    run(plans["find"], {"features": features, "molecules": filled, "crowded": full})
    np.testing.assert_allclose(filled.numpy()[..., 0], molecules[..., 0], atol=1e-4)
    np.testing.assert_array_equal(full.numpy(), crowded)


@pytest.mark.skipif(module_of("tensorrt-rtx") is None, reason="TensorRT-RTX is not here")
def test_what_training_exports_becomes_plans(bundle: Bundle) -> None:
    layout = layout_of(library("tensorrt-rtx"), bundle, (50, 64), "fp16", batch=2)
    assert layout.find.outputs["molecules"] == (2, 4, bundle.manifest.slots, 10)
    assert [len(part.build()) > 10_000 for part in layout.parts.values()] == [True] * 3


def run(plan: Any, tensors: dict[str, torch.Tensor]) -> None:
    assert {name: tuple(t.shape) for name, t in tensors.items()} == dict(plan.shapes)
    assert {name: t.dtype for name, t in tensors.items()} == plan.types
    execution = plan.execution()
    for name, tensor in tensors.items():
        execution.bind(name, tensor)
    execution.enqueue(None)


def test_a_bench_opens_lanes_without_a_gpu(bundle: Bundle, tmp_path: Path) -> None:
    place, camera = double_place(tmp_path), camera_of(32)
    with place.lane(bundle, camera, "fp32") as lane:
        found = lane(movie(32, 4), np.arange(4))
    assert len(found.crowded) == 2


def test_a_lane_runs_by_torch_as_by_tensorrt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live_smlm_glint.network._PROBABILITY_AT_START", -1.0)
    bundle = untrained("glint", {"width": 4}, tmp_path / "lively")
    camera, pixels = camera_of(50), movie(50, 7)
    wait = SimpleNamespace(cuda_stream=1, synchronize=lambda: None, record=lambda _: None)
    plain = SimpleNamespace(
        stream=lambda _: nullcontext(),
        Stream=lambda device: wait if device else None,
        Event=lambda blocking: wait if blocking else None,
        empty_cache=lambda: None,
    )
    layout = layout_of(tensorrt_double.tensorrt(), bundle, camera.shape, "fp32", batch=3)
    lane = Lane(
        Card(plain, torch.device("cpu")),
        layout,
        torch_plans(bundle, layout, torch.device("cpu")),
        camera,
        threshold=bundle.manifest.threshold,
        grid=bundle.manifest.grid,
        identity="torch",
        graphs=False,
    )
    found = lane(pixels, np.arange(7))
    with double_place(tmp_path).lane(bundle, camera, "fp32") as exported:
        expected = exported(pixels, np.arange(7))
    places = [
        {tuple(v) for v in np.c_[p.frame, np.round(p.values[:, 1:3], 2)].tolist()}
        for p in (found, expected)
    ]
    assert len(places[1]) > 100
    # What lies at the edge of a rounding, or of a cluster, may differ.
    assert len(places[0] & places[1]) > 0.95 * len(places[0] | places[1])
