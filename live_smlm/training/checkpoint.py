"""Where a training stands, on disk: one safetensors file, whose header says the rest.

What is read back gives the very same training as if it had not been cut.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from live_smlm.core import InputError, require
from live_smlm.core.files import replacing

_FILE = "checkpoint.safetensors"
_HEADER = "standing"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a training has come."""

    step: int
    steps: int
    """All that it shall take."""
    seconds: float
    best_loss: float
    """Of the held-out batches, and at which step."""
    best_step: int
    told: Mapping[str, Any]
    """What is trained: a checkpoint of something else is refused."""
    minutes: float = 0.0
    """That the steps were to fill; 0 where they were said."""


def save(
    folder: Path, standing: Standing, network: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Replace the checkpoint in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{k}": torch.as_tensor(v) for k, v in state.items()}
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    with replacing(folder / _FILE) as draft:
        save_file(plain, draft, metadata={_HEADER: json.dumps(asdict(standing))})


def load(
    folder: Path,
    told: Mapping[str, Any],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Standing | None:
    """Put network and optimizer back where they were; None if there is no checkpoint."""
    path = folder / _FILE
    if not path.exists():
        return None
    standing = _standing(path)
    require(
        standing.told == json.loads(json.dumps(told)),
        f"checkpoint {path} is of another training ({_difference(standing.told, told)}); "
        "ask for the same again, or give another folder",
    )
    tensors = load_file(path)
    network.load_state_dict(_below(tensors, "network."))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _below(tensors, "optimizer.").items():
        number, key = name.split(".")
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return standing


def _standing(path: Path) -> Standing:
    try:
        with safe_open(path, framework="pt") as file:
            return Standing(**json.loads((file.metadata() or {})[_HEADER]))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"checkpoint {path} cannot be read ({error}); delete it") from error


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    other = json.loads(json.dumps(other))
    unsaid = "not told"
    names = sorted(k for k in {*one, *other} if one.get(k, unsaid) != other.get(k, unsaid))
    return ", ".join(f"{k} was {one.get(k, unsaid)!r}" for k in names)
