"""The end of a training: what was learnt goes into a folder that engines run.

Alone knows that networks of frames become bundles, and all others models.
"""

import copy
import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from live_smlm.core import InputError, require
from live_smlm.inference.bundle import BUNDLE, Bundle
from live_smlm.inference.folder import WEIGHTS, Kind
from live_smlm.inference.model import MODEL, Model, Ports, Said, write_model
from live_smlm.training.ahead import held_out
from live_smlm.training.lesson import About, Learnable, Lesson, as_used
from live_smlm.training.molecules import Molecules
from live_smlm.training.molecules_bundle import write_molecules
from live_smlm.training.onnx_graph import difference, onnx_of, ports_of
from live_smlm.training.provenance import provenance
from live_smlm.training.trainer import Trained, Training

_MOST_DIFFERENT = 0.01
"""A graph that says other than its network by so much, relatively, is none of it."""


def kind_of(lesson: Learnable) -> Kind:
    """What `finish` would write."""
    return BUNDLE if isinstance(lesson, Molecules) else MODEL


def finish(
    trained: Trained, training: Training, out: Path, command: str, *, scored: bool
) -> Bundle | Model:
    """Write the bundle or model; a bundle may be `scored` on the standard sets."""
    lesson = training.lesson
    came = provenance(trained, training, command)
    if isinstance(lesson, Molecules):
        return write_molecules(trained.network, lesson, out, came, scored=scored)
    if isinstance(lesson, Lesson):
        return _model(trained, lesson, out, came)
    raise InputError(f"lesson {lesson.name!r} has no graphs() or no about(); give both")


def _model(trained: Trained, lesson: Lesson, out: Path, came: dict[str, Any]) -> Model:
    network = trained.network
    device = next(network.parameters()).device
    batches = held_out(lesson, lesson.recipe.looks, device)
    with as_used(network):
        judged = lesson.judge(network, batches)
        about = lesson.about(network, batches)
    _check_plain(about, lesson.name)
    files, ports, exported = _exported(copy.deepcopy(network).cpu(), lesson)
    if about.weights:
        weights = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
        files[WEIGHTS] = save(weights)
    scores = {name: _rounded(value) for name, value in judged.items()}
    said = Said(
        name=out.name,
        architecture=lesson.name,
        graphs=ports,
        details=about.details,
        envelope=about.envelope,
        psf=None if about.psf is None else about.psf.describe(),
        provenance={**came, "scores": {"held out": scores}, "exported": exported},
    )
    return write_model(out, said, files, about.psf)


def _exported(
    network: torch.nn.Module, lesson: Lesson
) -> tuple[dict[str, bytes], dict[str, Ports], dict[str, float]]:
    """Files, what goes in and out, and how far each graph is from the network."""
    files, ports, exported = {}, {}, {}
    with as_used(network):
        for name, graph in lesson.graphs(network).items():
            data = onnx_of(graph)
            off = difference(graph, data)
            require(
                off <= _MOST_DIFFERENT,
                f"graph {name} of lesson {lesson.name!r} says other than its network, by {off:.2g} "
                "of the largest value; ONNX does not know some part of it as torch does",
            )
            files[f"{name}.onnx"], ports[name], exported[name] = data, ports_of(graph), off
    return files, ports, exported


def _check_plain(about: About, name: str) -> None:
    try:
        json.dumps([dict(about.details), dict(about.envelope)], allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"lesson {name!r} tells what JSON does not know ({error}); give plain, finite values"
        ) from error


def _rounded(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None
