"""What the papers of the engines claim, tested: `python bench/engines.py`.

One row for each claim: test, gate, and what was measured with models of three
trainings. Seed 1 is the model that is shipped; the others are trained by the same
command with `--train`, ten minutes of one core each at most, and kept:

    python bench/engines.py --train --models trained/engines
    python bench/engines.py --models trained/engines --json bench/results/engines.json
    python bench/engines.py --engine spectral

Test data are drawn from seeds that no training and no choice has seen. Exit code 1 if
a gate is missed.
"""

import argparse
import importlib
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine_rows.row import Row

from live_smlm.core import require
from live_smlm.core.files import replacing
from live_smlm.inference.model import Model, models_of

ROWS = Path(__file__).with_name("engine_rows")
ENGINES = sorted(path.stem for path in ROWS.glob("*.py") if path.stem not in {"__init__", "row"})
SEEDS = (1, 2, 3)
_SHIPPED = 1


def folder_of(models: Path, engine: str, model: str, seed: int) -> Path:
    """Where the model of one training lies."""
    return models / f"{engine}-{model}-{seed}"


def command_of(model: Model, seed: int, out: Path) -> list[str]:
    """The command that made a shipped model, for another seed."""
    words = shlex.split(str(model.provenance["command"]))
    require(
        words[:1] == ["live-smlm"] and {"--seed", "--out"} <= set(words),
        f"model {model.folder} was made by {shlex.join(words)!r}, which names no --seed and --out; "
        "train it again",
    )
    words[words.index("--seed") + 1] = str(seed)
    words[words.index("--out") + 1] = str(out)
    return [str(Path(sys.executable).with_name("live-smlm")), *words[1:]]


def train(engine: str, models: Path) -> None:
    """Train what is not there yet."""
    models.mkdir(parents=True, exist_ok=True)
    for name, folder in models_of(f"live_smlm_{engine}").items():
        for seed in SEEDS:
            out = folder_of(models, engine, name, seed)
            if seed == _SHIPPED or out.exists():
                continue
            started = time.monotonic()
            subprocess.run(command_of(Model.load(folder), seed, out), check=True)  # noqa: S603 - ours
            print(f"{out}: {(time.monotonic() - started) / 60:.1f} min", flush=True)


def trainings(engine: str, models: Path | None) -> dict[str, list[Path]]:
    """Folders of the trainings of each of an engine's models, the shipped one first."""
    found: dict[str, list[Path]] = {}
    for name, folder in models_of(f"live_smlm_{engine}").items():
        more = [] if models is None else [folder_of(models, engine, name, s) for s in SEEDS[1:]]
        found[name] = [folder, *(path for path in more if path.is_dir())]
    return found


def measured(engine: str, models: Path | None, *, quick: bool) -> list[Row]:
    """All rows of an engine."""
    rows = importlib.import_module(f"engine_rows.{engine}")
    made: list[Row] = rows.rows(trainings(engine, models), quick=quick)
    return made


def words(row: Row) -> str:
    """A row as it is printed."""
    sign = ">=" if row.sense == "at least" else "<="
    values = ", ".join(f"{value:.3g}" for value in row.measured)
    unit = f" {row.unit}" if row.unit else ""
    verdict = "met" if row.met else "MISSED"
    return (
        f"{row.engine:<10} {row.claim}\n{'':<10} {row.test}\n"
        f"{'':<10} gate {sign} {row.gate:g}{unit}: {values} (± {row.spread:.2g}) {verdict}"
    )


def told(row: Row) -> dict[str, Any]:
    """A row as it is kept."""
    return {**asdict(row), "measured": [round(v, 5) for v in row.measured], "met": row.met}


def main(given: Sequence[str] | None = None) -> int:
    """Train or measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", action="append", choices=ENGINES, help="these only")
    parser.add_argument("--models", type=Path, help="folder of models of further seeds")
    parser.add_argument("--train", action="store_true", help="train those that are not there")
    parser.add_argument("--quick", action="store_true", help="few data: to see that it works")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(given)
    require(not asked.train or asked.models is not None, "--train wants --models FOLDER")
    kept, missed = [], 0
    for engine in asked.engine or ENGINES:
        if asked.train:
            train(engine, asked.models)
            continue
        for row in measured(engine, asked.models, quick=asked.quick):
            print(words(row), flush=True)
            kept.append(told(row))
            missed += not row.met
    if asked.json is not None:
        with replacing(asked.json) as draft:
            draft.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
