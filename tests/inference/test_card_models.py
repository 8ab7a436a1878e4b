"""What the bench says of models' graphs on a GPU, told by a double."""

from pathlib import Path

import numpy as np
import pytest

from live_smlm.core import AnyArray
from live_smlm.inference.tensorrt_graph import CardGraph
from live_smlm.testing.card_models import model_rows, models_below, off, some_inputs
from live_smlm.testing.gpu_place import double_place
from live_smlm.testing.small_models import picture_model, rows_model


def test_every_graph_of_every_model_has_a_row(tmp_path: Path) -> None:
    folder = tmp_path / "plugins" / "one" / "package" / "models"
    folder.mkdir(parents=True)
    for make in (rows_model, picture_model):
        make(folder / make.__name__.removesuffix("_model"))
    models = models_below(tmp_path / "plugins")[::-1]
    one, two = model_rows(double_place(tmp_path), models, 0.02)
    assert (one["model"], one["of"], one["graph"]) == ("rows", "test", "graph")
    assert one["inputs"] == "4x2x3 4"
    assert two["inputs"] == "1x8x8"
    for row in (one, two):
        assert row["ok"]
        assert row["off"] < 1e-6
        assert row["calls/s"] > 0
        assert row["calls/s by onnxruntime"] > 0
    assert one["rows/s"] == pytest.approx(4 * one["calls/s"], abs=1)
    assert "rows/s" not in two


def test_what_differs_and_what_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, place = rows_model(tmp_path / "rows"), double_place(tmp_path)
    plain = CardGraph.__call__

    def wrong(graph: CardGraph, given: dict[str, AnyArray]) -> dict[str, AnyArray]:
        return {name: 1.02 * value for name, value in plain(graph, given).items()}

    monkeypatch.setattr(CardGraph, "__call__", wrong)
    (row,) = model_rows(place, [model], 0.01)
    assert (row["ok"], row["off"]) == (False, 0.02)

    def broken(graph: CardGraph, given: dict[str, AnyArray]) -> dict[str, AnyArray]:
        raise RuntimeError(f"{graph} takes no {sorted(given)}")

    monkeypatch.setattr(CardGraph, "__call__", broken)
    (row,) = model_rows(place, [model], 0.01)
    assert "takes no ['one', 'two']" in row["failed"]
    place.by_torch, place.why = True, "as asked"
    (row,) = model_rows(place, [model], 0.01)
    assert row["failed"] == "TensorRT does not run here: as asked"


def test_the_difference_is_that_of_the_worst_output(tmp_path: Path) -> None:
    wanted = {"one": np.array([1.0, 100.0]), "two": np.zeros(2)}
    found = {"one": np.array([2.0, 100.0]), "two": np.array([0.0, 1e-8])}
    assert off(found, wanted) == pytest.approx(0.01)
    given = some_inputs(rows_model(tmp_path / "rows"), "graph")
    assert given["one"].dtype == np.float32
    assert 0 <= given["one"].min() < given["one"].max() <= 1
