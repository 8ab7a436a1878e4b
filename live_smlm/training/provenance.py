"""Where a trained network comes from, as it stands in its folder."""

import importlib.metadata
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from live_smlm.training.trainer import Trained, Training


def provenance(trained: Trained, training: Training, command: str) -> dict[str, Any]:
    """Enough to train it again."""
    standing = trained.standing
    return {
        "command": command,
        "seed": training.seed,
        "steps": standing.step,
        "minutes": round(standing.seconds / 60, 1),
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "torch": importlib.metadata.version("torch"),
        "machine": platform.machine(),
        "device": training.device,
        "training": dict(standing.told),
    }


def _commit() -> str:
    """Of the checkout that this program runs from; "" where it is none, or no git is there."""
    git = shutil.which("git")
    if git is None:
        return ""
    asked = subprocess.run(  # noqa: S603 - nothing in it comes from outside
        [git, "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    return asked.stdout.strip()
