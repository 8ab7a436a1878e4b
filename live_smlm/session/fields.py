"""The list of fields that a queue acquires: a CSV file with a line for each.

Columns `x_um` and `y_um` are where the stage is to go; `name`, `stop` (a stop
rule of the field's own) and `frames` (the most it may have) may be there.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from live_smlm.core import InputError, require

_NEEDED = ("x_um", "y_um")
_KNOWN = ("name", *_NEEDED, "stop", "frames")
_NAME = re.compile(r"[\w.+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One field to acquire."""

    name: str
    """Of the run's folder, too."""
    x_um: float
    y_um: float
    stop: str | None = None
    """None: the rule of the configuration."""
    frames: int | None = None

    def __post_init__(self) -> None:
        require(
            _NAME.fullmatch(self.name) is not None and self.name.strip(".") != "",
            f"field name is {self.name!r}; use letters, digits, . _ + -",
        )
        for name in _NEEDED:
            value = getattr(self, name)
            require(
                abs(value) < float("inf"),
                f"field {self.name} has {name} {value}; give a number of µm",
            )
        require(
            self.frames is None or self.frames > 0,
            f"field {self.name} has {self.frames} frames; give at least 1",
        )


def read_spots(path: Path) -> tuple[Spot, ...]:
    """The fields of a file, in its order."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"list of fields {path} cannot be read: {error}") from error
    lines = csv.DictReader(text.splitlines(), skipinitialspace=True)
    heads = [head.strip() for head in lines.fieldnames or ()]
    lines.fieldnames = heads
    missing = [name for name in _NEEDED if name not in heads]
    unknown = [name for name in heads if name not in _KNOWN]
    require(
        not missing and not unknown,
        f"list of fields {path} has the columns {', '.join(heads) or '(none)'}; "
        f"give x_um and y_um, and of the others {', '.join(_KNOWN)} only",
    )
    spots = tuple(_spot(path, number, line) for number, line in enumerate(lines, start=1))
    require(bool(spots), f"list of fields {path} has no field; give one line for each")
    names = [spot.name for spot in spots]
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, f"list of fields {path} has {twice[:3]} twice; name each once")
    return spots


def _spot(path: Path, number: int, line: dict[str, str | None]) -> Spot:
    told = {name: text.strip() for name, text in line.items() if name and text and text.strip()}
    name = told.pop("name", f"field-{number:03d}")
    where = f"list of fields {path}, field {number}"
    try:
        return Spot(
            name=name,
            x_um=float(told["x_um"]),
            y_um=float(told["y_um"]),
            stop=told.get("stop"),
            frames=int(told["frames"]) if "frames" in told else None,
        )
    except KeyError as error:
        raise InputError(f"{where} has no {error.args[0]}; give a number of µm") from None
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except ValueError as error:
        raise InputError(f"{where} has what is no number: {error}") from None
