"""The real TensorRT-RTX, without a GPU: graphs are read, shapes fixed, plans built, faults told."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from onnx import parser

from live_smlm.core import InputError
from live_smlm.inference.bundle import Bundle, GraphType
from live_smlm.inference.tensorrt import loaded
from live_smlm.inference.tensorrt_build import Library, library, read_graph
from live_smlm.inference.tensorrt_cache import PlanCache
from live_smlm.inference.tensorrt_gpu import Gpu, NoGpuError, gpus, module_of
from live_smlm.inference.tensorrt_layout import layout_of

pytestmark = pytest.mark.skipif(
    module_of("tensorrt-rtx") is None, reason="TensorRT-RTX is not here"
)

NOWHERE = Gpu(index=0, name="None", capability=(8, 9), memory_bytes=2**33, driver="1")


@pytest.fixture(scope="module")
def rtx() -> Library:
    return library("tensorrt-rtx")


def model(
    body: str, given: str = "float[n, h, w] frames", made: str = "float[n, h, w] out"
) -> bytes:
    text = f'<ir_version: 8, opset_import: ["" : 18]> g ({given}) => ({made}) {{ {body} }}'
    return bytes(parser.parse_model(text).SerializeToString())


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_graph_of_a_bundle_becomes_a_plan(
    rtx: Library, bundle: Bundle, precision: GraphType
) -> None:
    layout = layout_of(rtx, bundle, (50, 70), precision, batch=3)
    slots = bundle.manifest.slots
    assert layout.find.outputs == {"molecules": (3, 6, slots, 10), "crowded": (3, 6)}
    assert set(layout.parts) == ({"prime", "encode", "find"} if bundle.has_encoder else {"find"})
    for part in layout.parts.values():
        assert len(part.build()) > 10_000


def test_plans_may_be_built_for_other_kinds_of_gpu(
    rtx: Library, make_bundle: Callable[..., Bundle]
) -> None:
    data = make_bundle(encoder=True).graph("features", "fp16").read_bytes()
    for targets in (("SM80",), ("SM86", "SM120")):
        on = replace(rtx, targets=targets)
        assert len(read_graph(on, data, {"frames": (2, 64, 64)}).plan()) > 10_000
        assert on.version == " ".join([rtx.version, *targets])
    if not there():
        graph = read_graph(replace(rtx, targets=("CURRENT",)), data, {"frames": (2, 64, 64)})
        with pytest.raises(InputError, match="cannot build the graph"):
            graph.plan()


def test_half_precision_is_the_graphs_own(rtx: Library, make_bundle: Callable[..., Bundle]) -> None:
    bundle = make_bundle(encoder=True)
    kinds = {}
    for precision in ("fp32", "fp16"):
        data = bundle.graph("features", precision).read_bytes()
        graph = read_graph(rtx, data, {"frames": (2, 64, 64)})
        kinds[precision] = graph.network.get_output(0).dtype.name
    assert kinds == {"fp32": "FLOAT", "fp16": "HALF"}


@pytest.mark.parametrize(
    ("data", "shapes", "complaint"),
    [
        (b"nothing", {}, "cannot read the graph: .*Failed to parse"),
        (model("out = NoSuchThing (frames)"), {"frames": (1, 8, 8)}, "NoSuchThing"),
        (
            model("out = Add (frames, frames)", "uint16[n] frames", "uint16[n] out"),
            {"frames": (1,)},
            "Failed to convert ONNX",
        ),
        (model("out = Neg (frames)"), {"frames": (1, 8)}, r"\(1, 8\) does not fit"),
        (model("out = Neg (frames)"), {"images": (1, 8, 8)}, "takes frames, but images is given"),
        (
            model("out = Neg (frames)", "float[n, 32, w] frames"),
            {"frames": (1, 8, 8)},
            r"shape \(-1, 32, -1\), where -1 is free",
        ),
    ],
    ids=["no ONNX", "unknown node", "unknown type", "rank", "name", "side"],
)
def test_what_cannot_be_built_is_told_with_its_reason(
    rtx: Library, data: bytes, shapes: dict[str, tuple[int, ...]], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        read_graph(rtx, data, shapes)


def test_a_plan_depends_on_shape_precision_and_network(
    rtx: Library, make_bundle: Callable[..., Bundle]
) -> None:
    parts = [
        layout_of(rtx, make_bundle(encoder=encoder), shape, precision, batch=2).find
        for encoder in (False, True)
        for shape in ((64, 64), (64, 96))
        for precision in ("fp32", "fp16")
    ]
    keys = {
        part.key(gpu).digest for part in parts for gpu in (NOWHERE, replace(NOWHERE, driver="2"))
    }
    assert len(keys) == 2 * len(parts)
    assert parts[0].key(NOWHERE).version == rtx.version


def test_a_plan_that_no_gpu_takes_is_an_error_with_a_reason_and_is_kept(
    rtx: Library, make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    if there():
        pytest.skip("there is a GPU here")
    cache = PlanCache(tmp_path)
    part = layout_of(rtx, make_bundle(), (64, 64), "fp32", batch=1).find
    with pytest.raises(InputError, match=r"rejects the plan: .*use another runtime"):
        loaded(cache, NOWHERE, part)
    assert cache.kept(part.key(NOWHERE)) is not None
    with (
        pytest.warns(UserWarning, match="is built again") as said,
        pytest.raises(InputError, match="rejects the plan"),
    ):
        loaded(cache, NOWHERE, part)
    assert len(said) == 1


def there() -> bool:
    try:
        return bool(gpus())
    except NoGpuError:
        return False
