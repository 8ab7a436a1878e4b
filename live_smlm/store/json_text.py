"""Values of ours as JSON that every program reads: no NaN, no infinities, no numpy."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """The value as JSON knows values; numbers that are not finite become null."""
    if isinstance(value, Enum):
        value = value.value
    elif isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    elif is_dataclass(value):
        value = {f.name: getattr(value, f.name) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path | datetime) else value


def one_line(value: Any) -> bytes:
    """As a line of its own."""
    return (json.dumps(plain(value), ensure_ascii=False, allow_nan=False) + "\n").encode()


def several_lines(value: Any) -> str:
    """For people."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def utc_now() -> str:
    """This moment, as ISO 8601 in UTC."""
    return utc(time.time())


def utc(at_s: float) -> str:
    """A moment in seconds since 1970, likewise."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")


def seconds(moment: str) -> float:
    """Since 1970, of a moment as `utc` writes it."""
    return datetime.fromisoformat(moment).timestamp()
