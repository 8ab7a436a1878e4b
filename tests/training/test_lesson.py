"""Lessons of plugins: found by name, learnt by the same trainer, written as models."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from live_smlm.core import CameraModel, EngineContext, InputError
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.graph import opened_graph
from live_smlm.inference.model import Model
from live_smlm.testing.distribution import lay_out
from live_smlm.testing.lessons import Scenic, Sums, install_lessons
from live_smlm.testing.scenes import DEEP
from live_smlm.training import lesson as room
from live_smlm.training import onnx_graph
from live_smlm.training.ahead import batches
from live_smlm.training.finish import finish
from live_smlm.training.lesson import About, Batch, Graph, Learnable, Recipe
from live_smlm.training.trainer import Progress, Trained, Training, train

CONTEXT = EngineContext(camera=CameraModel(shape=(8, 8), pixel_size_nm=100.0))


@pytest.fixture
def lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_lessons(tmp_path, monkeypatch)


def a_training(steps: int = 40, lesson: Learnable | None = None) -> Training:
    return Training(lesson=lesson or Sums(), steps=steps, check_every=10, seed=3)


def written(out: Path, lesson: Learnable | None = None, steps: int = 20) -> Model:
    training = a_training(steps, lesson)
    trained = train(training, out.with_name("checkpoint"))
    model = finish(trained, training, out, "live-smlm train …", scored=True)
    assert isinstance(model, Model)
    return model


@pytest.mark.usefixtures("lessons")
def test_a_lesson_is_found_by_its_name_and_takes_its_options() -> None:
    assert {"sums", "scenic"} <= room.found().keys()
    assert room.lesson("sums", {"width": "16"}) == Sums(width=16)
    assert room.lesson("scenic", {}, DEEP) == Scenic(scene=DEEP)


@pytest.mark.usefixtures("lessons")
@pytest.mark.parametrize(
    ("name", "options", "scene", "message"),
    [
        ("summs", {}, None, "no lesson is called 'summs'; there are .*scenic, .*sums"),
        ("sums", {"depth": "3"}, None, "'sums' has no option 'depth'; it has noise, width"),
        ("sums", {"width": "wide"}, None, "option width is 'wide'; give a whole number"),
        ("sums", {}, DEEP, "is learnt in no scene; leave out --psf"),
        ("scenic", {}, None, "is learnt in a scene; say --psf and --camera"),
        ("scenic", {"scene": "dark"}, None, "say --psf and --camera"),
    ],
)
def test_a_lesson_that_cannot_be_made_is_refused(
    name: str, options: dict[str, str], scene: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        room.lesson(name, options, scene)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import a_module_that_is_not_there\n", "cannot be loaded: No module named 'a_module"),
        ("from live_smlm.testing.lessons import Sums as Other\n", "calls itself 'sums'"),
    ],
)
def test_a_plugin_whose_lesson_is_broken_is_named(
    source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path, "broken_lesson", source, {room.GROUP: {"other": "Other"}})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "broken_lesson", raising=False)
    with pytest.raises(InputError, match=message):
        room.lesson("other", {})


def test_a_name_that_two_packages_claim_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("one_lesson", "two_lesson"):
        lay_out(tmp_path, module, None, {room.GROUP: {"same": "Made"}})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="claimed by one_lesson:Made and two_lesson:Made"):
        room.found()


def test_a_lesson_is_learnt(tmp_path: Path) -> None:
    told: list[Progress] = []
    train(a_training(120), tmp_path, told.append)
    assert told[-1].judged["loss"] < 0.3 * told[0].judged["loss"]
    assert told[-1].judged["RMSE counts"] == pytest.approx(told[-1].judged["loss"] ** 0.5)


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return dict(trained.network.state_dict())


def test_dropout_and_running_statistics_go_on_as_if_nothing_had_been_cut(tmp_path: Path) -> None:
    def cut(progress: Progress) -> None:
        if progress.step == 20:
            raise KeyboardInterrupt

    whole = train(a_training(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(a_training(), tmp_path / "cut", cut)
    torch.rand(7)  # what else was drawn meanwhile does not matter
    rest = train(a_training(), tmp_path / "cut")
    assert rest.standing.step == 40
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(rest)[name]), name


def test_another_lesson_is_not_continued(tmp_path: Path) -> None:
    train(a_training(2), tmp_path)
    with pytest.raises(InputError, match=r"noise was 0\.1"):
        train(a_training(4, Sums(noise=0.2)), tmp_path)


def test_processes_draw_a_lesson_s_batches(tmp_path: Path) -> None:
    beside = train(dataclasses.replace(a_training(4), workers=1), tmp_path / "one")
    here = train(a_training(4), tmp_path / "two")
    for name, value in weights(here).items():
        assert torch.equal(value, weights(beside)[name]), name
    with batches(Sums(), 1, range(2), 0) as drawn:
        assert [batch["rows"].shape for _, batch in drawn] == [(16, 4)] * 2


def test_a_model_is_what_was_learnt(tmp_path: Path) -> None:
    training = a_training(30)
    trained = train(training, tmp_path / "checkpoint")
    finish(trained, training, tmp_path / "model", "the command", scored=True)
    model = Model.load(tmp_path / "model")
    assert (model.name, model.architecture) == ("model", "sums")
    assert model.details["terms"] == [1, 2, 3, 4]
    assert model.envelope == {"z_nm": (-5.0, 5.0)}
    assert model.ports("sums").describe() == {
        "inputs": {"rows": ["n", 4]},
        "outputs": {"sums": ["n", 1]},
        "usual": {"n": 6},
    }
    said = model.provenance
    assert (said["command"], said["seed"], said["steps"]) == ("the command", 3, 30)
    assert said["training"] == training.told()
    assert said["scores"]["held out"]["RMSE counts"] == pytest.approx(
        model.details["spread"], rel=1e-3
    )
    assert said["exported"]["sums"] < 1e-5
    rows = np.random.default_rng(1).normal(size=(17, 4))
    network = trained.network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(rows).float()).numpy()
    with opened_graph(model, "sums", CONTEXT) as run:
        found = run({"rows": rows})["sums"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_model_may_know_its_scene_and_leave_its_weights_out(tmp_path: Path) -> None:
    model = written(tmp_path / "model", Scenic(scene=DEEP))
    assert sorted(model.files) == ["sums.onnx"]
    assert model.psf() == DEEP.psf
    wide = CameraModel(shape=(8, 8), pixel_size_nm=160.0)
    assert "pixels are 160 nm" in str(model.misfit(wide, None))
    with pytest.raises(InputError, match=r"holds no weights\.safetensors"):
        train(dataclasses.replace(a_training(), start=model.folder), tmp_path / "again")


def test_a_training_begins_with_the_weights_of_a_model(tmp_path: Path) -> None:
    model = written(tmp_path / "model")
    training = dataclasses.replace(a_training(1), start=model.folder)
    assert training.told()["start"] == model.hash
    told: list[Progress] = []
    train(training, tmp_path / "again", told.append)
    begun = model.provenance["scores"]["held out"]["loss"]
    assert told[0].judged["loss"] == pytest.approx(begun, rel=0.2)
    wider = dataclasses.replace(training, lesson=Sums(width=9))
    with pytest.raises(InputError, match="has not the layers"):
        train(wider, tmp_path / "wider")


class Silent(Sums):
    """Judges without a loss."""

    def judge(self, network: nn.Module, batches: Sequence[Batch]) -> Mapping[str, float]:
        judged = super().judge(network, batches)
        return {"RMSE counts": judged["RMSE counts"]}


class Vague(Sums):
    """Tells what is not plain."""

    def about(self, network: nn.Module, batches: Sequence[Batch]) -> About:
        spread = super().about(network, batches).details["spread"]
        return About(details={"spread": np.float32(spread)})


class Double(Sums):
    """Exports another network than the one that was trained."""

    def graphs(self, network: nn.Module) -> Mapping[str, Graph]:
        ours = super().graphs(network)["sums"]
        return {"sums": dataclasses.replace(ours, module=Fickle(ours.module))}


class Fickle(nn.Module):
    """Says other things when it is exported than when it is asked."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, rows: torch.Tensor) -> Any:
        return self.module(rows) + (7 if torch.onnx.is_in_onnx_export() else 0)


def test_a_lesson_that_judges_without_a_loss_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'sums' judges without a loss"):
        train(a_training(1, Silent()), tmp_path)


@pytest.mark.parametrize(
    ("lesson", "message"),
    [
        (Vague(), "'sums' tells what JSON does not know .*float32"),
        (Double(), "graph sums of lesson 'sums' says other than its network, by "),
    ],
)
def test_what_cannot_be_a_model_is_refused(lesson: Sums, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        written(tmp_path / "model", lesson, steps=1)


class Selfish(Sums):
    """Describes what is the training's."""

    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "seed": 3}


class Deep(Sums):
    """Describes itself by an object."""

    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "scene": DEEP}


@pytest.mark.parametrize(
    ("lesson", "message"),
    [
        (Selfish(), "'sums' describes seed itself; call it otherwise"),
        (Deep(), "describes itself by what JSON does not know .*Scene"),
    ],
)
def test_a_description_that_no_checkpoint_can_hold_is_refused(lesson: Sums, message: str) -> None:
    with pytest.raises(InputError, match=message):
        a_training(lesson=lesson)


@pytest.mark.parametrize("short", [False, True])
def test_a_recipe_says_whether_floats_are_short(tmp_path: Path, *, short: bool) -> None:
    seen: list[torch.dtype] = []

    class Asked(Sums):
        """Looks at what its network answers."""

        recipe = Recipe(short_floats=short)

        def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
            seen.append(network(batch["rows"]).dtype)
            return super().loss(network, batch)

    train(a_training(1, Asked()), tmp_path)
    able = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert seen[0] == (torch.bfloat16 if short and able else torch.float32)
    assert set(seen[1:]) == {torch.float32}  # as it is judged


def test_what_only_trains_is_no_lesson(tmp_path: Path) -> None:
    class Bare:
        """All that the trainer needs, and no more."""

        name = "bare"
        recipe = Sums.recipe
        describe, network, draw = Sums().describe, Sums().network, Sums().draw
        loss, judge = Sums().loss, Sums().judge

    with pytest.raises(InputError, match=r"'bare' has no graphs\(\) or no about\(\)"):
        written(tmp_path / "model", Bare(), steps=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": {}}, "no input"),
        ({"outputs": ()}, "no output"),
        ({"open_axes": {"row": {0: "n"}}}, "names row; there are rows, sums"),
    ],
)
def test_a_graph_without_sense_is_refused(change: dict[str, Any], message: str) -> None:
    graph = Sums().graphs(Sums().network())["sums"]
    with pytest.raises(InputError, match=message):
        dataclasses.replace(graph, **change)


def test_a_graph_is_not_compared_on_nothing() -> None:
    class Twice(nn.Module):
        """Doubles what it is given, once it is exported."""

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return rows * (2 if torch.onnx.is_in_onnx_export() else 1)

    graph = Graph(module=Twice(), inputs={"rows": torch.zeros(5, 4)}, outputs=("same",))
    assert onnx_graph.difference(graph, onnx_graph.onnx_of(graph)) == pytest.approx(1, abs=1e-6)


def test_examples_must_go_together() -> None:
    graph = Graph(
        module=nn.Bilinear(2, 3, 1),
        inputs={"one": torch.zeros(4, 2), "two": torch.zeros(5, 3)},
        outputs=("both",),
        open_axes={"one": {0: "n"}, "two": {0: "n"}},
    )
    with pytest.raises(InputError, match="axis n is 4 long in one example and 5 in two"):
        onnx_graph.ports_of(graph)


def test_bundles_are_still_bundles(make_bundle: Callable[..., Bundle]) -> None:
    with pytest.raises(InputError, match="exists and is no model"):
        written(make_bundle().folder)
