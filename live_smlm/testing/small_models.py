"""Small models, hand-written in ONNX: one computed by rows, one of pictures of any size."""

from pathlib import Path

import numpy as np
from onnx import parser

from live_smlm.core import AnyArray
from live_smlm.inference.model import Axes, Model, Ports, Said, write_model

ROWS = """<ir_version: 8, opset_import: ["" : 17]>
g (float[n, 2, w] one, float[n] two) => (float[n, w] sums, float[n] twice) {
    axis = Constant<value = int64[1] {1}> ()
    added = ReduceSum<keepdims = 0>(one, axis)
    column = Unsqueeze(two, axis)
    sums = Add(added, column)
    twice = Add(two, two)
}"""
PICTURE = """<ir_version: 8, opset_import: ["" : 17]>
g (float[1, h, w] picture) => (float[1, h, w] brighter) {
    brighter = Add(picture, picture)
}"""


def rows_model(folder: Path, width: int | None = None) -> Model:
    """Adds up rows of two inputs; `width` None: rows are as wide as they come."""
    wide: int | str = "w" if width is None else width
    ports = Ports(
        inputs={"one": ("n", 2, wide), "two": ("n",)},
        outputs={"sums": ("n", wide), "twice": ("n",)},
        usual={"n": 4} | ({"w": 3} if width is None else {}),
    )
    text = ROWS if width is None else ROWS.replace("w]", f"{width}]")
    return _model(folder, text, ports)


def some_rows(count: int, width: int = 3) -> dict[str, AnyArray]:
    """For `rows_model`."""
    rng = np.random.default_rng(count)
    one, two = rng.normal(size=(count, 2, width)), rng.normal(size=count)
    return {"one": one.astype(np.float32), "two": two.astype(np.float32)}


def picture_model(folder: Path) -> Model:
    """Doubles a picture."""
    axes: Axes = (1, "h", "w")
    ports = Ports(inputs={"picture": axes}, outputs={"brighter": axes}, usual={"h": 8, "w": 8})
    return _model(folder, PICTURE, ports)


def _model(folder: Path, text: str, ports: Ports) -> Model:
    said = Said(name=folder.name, architecture="test", graphs={"graph": ports})
    return write_model(folder, said, {"graph.onnx": parser.parse_model(text).SerializeToString()})
