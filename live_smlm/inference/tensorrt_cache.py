"""Plans on disk, each under everything that it depends on.

A file says what it is: a line of JSON with the key and the SHA-256 of the plan,
then the plan. One that is damaged, or lies under a name that is not its own,
is built again. Files appear whole or not at all, so processes may share them.
"""

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live_smlm.core.files import replacing

ENVIRONMENT = "LIVE_SMLM_CACHE"
"""Names the folder, where the user wants another one."""
_PLAN, _KERNELS = ".plan", ".kernels"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanKey:
    """All that a plan depends on."""

    onnx_sha256: str
    runtime: str
    version: str
    """Of TensorRT."""
    gpu: str
    capability: tuple[int, int]
    driver: str
    shapes: Mapping[str, tuple[int, ...]]
    precision: str

    def describe(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {
            "onnx_sha256": self.onnx_sha256,
            "runtime": self.runtime,
            "version": self.version,
            "gpu": self.gpu,
            "capability": list(self.capability),
            "driver": self.driver,
            "shapes": {name: list(shape) for name, shape in sorted(self.shapes.items())},
            "precision": self.precision,
        }

    @property
    def digest(self) -> str:
        """The key as a file's name."""
        text = json.dumps(self.describe(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class PlanCache:
    """The plans of one folder, which is made when the first is kept."""

    folder: Path

    def plan(self, key: PlanKey, build: Callable[[], bytes]) -> bytes:
        """The plan of that key; built and kept where there is none."""
        kept = self.kept(key)
        return self.keep(key, build()) if kept is None else kept

    def kept(self, key: PlanKey) -> bytes | None:
        """The plan as it was kept; None, said once, if it is damaged or another's."""
        path = self.path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        reason = _fault(content, key)
        if reason is None:
            return content.partition(b"\n")[2]
        warnings.warn(f"TensorRT plan {path} {reason}; it is built again", stacklevel=2)
        return None

    def keep(self, key: PlanKey, plan: bytes) -> bytes:
        """Keep a plan, in the place of an older one of the same key."""
        self.folder.mkdir(parents=True, exist_ok=True)
        header = json.dumps({**key.describe(), "sha256": hashlib.sha256(plan).hexdigest()})
        with replacing(self.path(key)) as draft:
            draft.write_bytes(header.encode() + b"\n" + plan)
        return plan

    def path(self, key: PlanKey) -> Path:
        """Where the plan of that key lies, or would."""
        return self.folder / (key.digest + _PLAN)

    def kernels(self, key: PlanKey) -> bytes | None:
        """What TensorRT-RTX compiled on this GPU for that plan; it checks them itself."""
        try:
            return self.path(key).with_suffix(_KERNELS).read_bytes()
        except FileNotFoundError:
            return None

    def keep_kernels(self, key: PlanKey, kernels: bytes) -> None:
        """Keep what was compiled, so that the next start need not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.path(key).with_suffix(_KERNELS)) as draft:
            draft.write_bytes(kernels)


def user_cache() -> PlanCache:
    """The plans of this user on this machine."""
    return PlanCache(_cache_home() / "plans")


def _cache_home() -> Path:
    """Where programs of this system keep what they can make again."""
    if said := os.environ.get(ENVIRONMENT):
        return Path(said)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "live-smlm"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "live-smlm"
    said = os.environ.get("XDG_CACHE_HOME")
    return (Path(said) if said else Path.home() / ".cache") / "live-smlm"


def _fault(content: bytes, key: PlanKey) -> str | None:
    """Why this is not the plan of that key; None if it is."""
    head, _, plan = content.partition(b"\n")
    try:
        told = json.loads(head)
        digest = told.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "cannot be read"
    if hashlib.sha256(plan).hexdigest() != digest:
        return "is damaged"
    if told != json.loads(json.dumps(key.describe())):
        return "is of another GPU, driver, version or network"
    return None
