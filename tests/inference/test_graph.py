"""Models' graphs as functions of arrays: by onnxruntime, and on a GPU that is a double."""

import gc
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from live_smlm.core import AnyArray, CameraModel, DeviceKind, EngineContext, InputError
from live_smlm.inference import tensorrt, tensorrt_card, tensorrt_graph
from live_smlm.inference.graph import opened_graph
from live_smlm.inference.model import Model
from live_smlm.inference.openvino_cpu import OpenVino
from live_smlm.inference.tensorrt_cache import PlanCache
from live_smlm.inference.tensorrt_card import Card
from live_smlm.testing import cuda_double, tensorrt_double
from live_smlm.testing.cuda_double import Cuda
from live_smlm.testing.small_models import picture_model, rows_model, some_rows

KINDS: tuple[DeviceKind, ...] = ("cpu", "cuda")


@pytest.fixture
def rows(tmp_path: Path) -> Model:
    return rows_model(tmp_path / "rows")


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cuda]:
    """A GPU, as far as the runtime can see."""
    cuda = Cuda()
    monkeypatch.setattr(tensorrt, "cuda_missing", lambda *_: None)
    monkeypatch.setattr(tensorrt, "gpus", lambda: [tensorrt_double.GPU])
    monkeypatch.setattr(tensorrt, "library", tensorrt_double.tensorrt)
    monkeypatch.setattr(tensorrt_card, "card", lambda _: Card(cuda, torch.device("cpu")))
    monkeypatch.setenv("LIVE_SMLM_CACHE", str(tmp_path / "cache"))
    yield cuda
    tensorrt._LOADED.clear()


def context(device: DeviceKind) -> EngineContext:
    return EngineContext(camera=CameraModel(shape=(8, 8), pixel_size_nm=100.0), device=device)


def check(found: Mapping[str, AnyArray], arrays: Mapping[str, AnyArray]) -> None:
    sums = arrays["one"].sum(1) + arrays["two"][:, None]
    assert found.keys() == {"sums", "twice"}
    np.testing.assert_allclose(found["sums"], sums, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["twice"], 2 * arrays["two"], rtol=1e-6)
    assert found["sums"].dtype == np.float32


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("device", KINDS)
@pytest.mark.parametrize("count", [0, 1, 4, 11])
def test_rows_go_through_in_pieces(rows: Model, device: DeviceKind, count: int) -> None:
    with opened_graph(rows, "graph", context(device)) as run:
        check(run(some_rows(count)), some_rows(count))


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("device", KINDS)
def test_what_was_given_out_stays_as_it_is(rows: Model, device: DeviceKind) -> None:
    with opened_graph(rows, "graph", context(device), at_once=8) as run:
        first = run(some_rows(3))
        run(some_rows(5))
        check(first, some_rows(3))
    check(first, some_rows(3))


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("device", KINDS)
def test_arrays_of_other_types_and_orders_are_taken(rows: Model, device: DeviceKind) -> None:
    arrays = some_rows(5)
    turned = {
        "one": np.asfortranarray(arrays["one"].astype(np.float64)),
        "two": arrays["two"].astype(np.float64)[::-1][::-1],
    }
    with opened_graph(rows, "graph", context(device)) as run:
        check(run(turned), arrays)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("device", KINDS)
def test_a_graph_without_rows_takes_pictures_of_any_size(
    tmp_path: Path, device: DeviceKind
) -> None:
    picture = picture_model(tmp_path / "picture")
    rng = np.random.default_rng(0)
    with opened_graph(picture, "graph", context(device)) as run:
        for shape in ((1, 8, 8), (1, 3, 5), (1, 8, 8)):
            seen = rng.random(shape, np.float32)
            np.testing.assert_array_equal(run({"picture": seen})["brighter"], 2 * seen)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("device", KINDS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"three": np.zeros(4)}, "graph graph of model 'rows' takes one, two; given are one, t"),
        ({"two": np.zeros(5)}, r"takes two of shape \('n',\); given is \(5,\)"),
        ({"one": np.zeros((4, 3, 3))}, r"takes one of shape \('n', 2, 'w'\); given is \(4, 3"),
        ({"one": np.zeros((4, 2))}, r"takes one of shape"),
    ],
)
def test_what_does_not_fit_is_refused(
    rows: Model, device: DeviceKind, change: dict[str, AnyArray], message: str
) -> None:
    with opened_graph(rows, "graph", context(device)) as run:
        with pytest.raises(InputError, match=message):
            run({**some_rows(4), **change})
        check(run(some_rows(4)), some_rows(4))


@pytest.mark.usefixtures("double")
def test_plans_are_kept_by_shape_and_serve_the_next_run(rows: Model, tmp_path: Path) -> None:
    for _ in range(2):
        with opened_graph(rows, "graph", context("cuda")) as run:
            for count in (1, 9, 3):
                run(some_rows(count))
            run(some_rows(2, width=5))
    kept = list((tmp_path / "cache" / "plans").glob("*.plan"))
    assert len(kept) == 2  # of four rows each, three and five wide


def test_nothing_is_left_on_the_gpu(double: Cuda, rows: Model) -> None:
    gc.collect()
    before = cuda_double.held()
    with opened_graph(rows, "graph", context("cuda")) as run:
        for width in range(1, 9):
            run(some_rows(3, width))
        most = cuda_double.held() - before
    assert double.captures == 0
    del run
    gc.collect()
    assert cuda_double.held() == before
    assert most == 8 * tensorrt_graph._KEPT  # four tensors, there and on the host


@pytest.mark.usefixtures("double")
def test_a_closed_graph_says_so(rows: Model) -> None:
    with opened_graph(rows, "graph", context("cuda")) as run:
        pass
    with pytest.raises(ValueError, match="the graph is closed"):
        run(some_rows(1))


@pytest.mark.parametrize("ahead", [False, True])
def test_the_host_waits_for_what_it_reads(rows: Model, tmp_path: Path, *, ahead: bool) -> None:
    card = Card(Cuda(ahead=ahead), torch.device("cpu"))
    of, cache = tensorrt_double.tensorrt(), PlanCache(tmp_path)
    graph = tensorrt.make_graph(card, tensorrt_double.GPU, of, rows, "graph", cache, 4)
    for count in (4, 2, 3):
        check(graph(some_rows(count)), some_rows(count))
    graph.close()
    tensorrt._LOADED.clear()


def test_a_plan_that_is_damaged_is_built_again(double: Cuda, rows: Model, tmp_path: Path) -> None:
    del double
    with opened_graph(rows, "graph", context("cuda")) as run:
        run(some_rows(1))
    (plan,) = (tmp_path / "cache" / "plans").glob("*.plan")
    plan.write_bytes(plan.read_bytes()[:-1])
    tensorrt._LOADED.clear()
    with (
        warnings.catch_warnings(record=True) as told,
        opened_graph(rows, "graph", context("cuda")) as run,
    ):
        warnings.simplefilter("always")
        check(run(some_rows(1)), some_rows(1))
    assert "is damaged; it is built again" in str(told[0].message)


def test_openvino_runs_bundles_only(rows: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenVino, "unavailable", lambda *_: None)
    with (
        pytest.raises(InputError, match="openvino runs no graphs of models"),
        opened_graph(rows, "graph", context("cpu"), runtime="openvino"),
    ):
        pass


def test_a_graph_that_a_model_has_not_is_refused(rows: Model) -> None:
    with (
        pytest.raises(InputError, match="has no graph other; it has graph"),
        opened_graph(rows, "other", context("cpu")),
    ):
        pass


@pytest.mark.usefixtures("double")
def test_where_one_shape_can_come_it_is_made_ready_at_once(tmp_path: Path) -> None:
    model = rows_model(tmp_path / "fixed", width=3)
    with opened_graph(model, "graph", context("cuda"), at_once=2) as run:
        (plan,) = (tmp_path / "cache" / "plans").glob("*.plan")
        assert b'"one": [2, 2, 3]' in plan.read_bytes()
        check(run(some_rows(3)), some_rows(3))


@pytest.mark.usefixtures("double")
def test_what_is_compiled_on_the_gpu_is_kept(rows: Model, tmp_path: Path) -> None:
    with opened_graph(rows, "graph", context("cuda"), runtime="tensorrt-rtx") as run:
        check(run(some_rows(2)), some_rows(2))
    (kernels,) = (tmp_path / "cache" / "plans").glob("*.kernels")
    assert kernels.read_bytes() == b"kernels"
