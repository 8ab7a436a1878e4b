"""The settings of a run as entries of a form: which there are, and what is typed into them.

An entry is a key of `RunConfig`; its text is what one would write after the
option of the same name, so a form, a file and the command line say the same.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from live_smlm.config import RunConfig, read_config
from live_smlm.core.files import replacing
from live_smlm.core.options import build

_FIRST = ("source", "camera", "psf", "pixel_nm", "engine", "frames", "seconds", "record", "out")
"""What nearly every run says; all others follow under More."""
_CHOICES = {
    "overload": ("", "wait", "defer", "thin", "fallback"),
    "topology": ("processes", "threads", "none"),
}
_NAMES = {
    "psf": "PSF",
    "pixel_nm": "Pixel, nm",
    "seconds": "Seconds",
    "ring_mb": "Ring, MB",
    "out": "Run folder",
    "record": "Keep raw movie",
    "shadow": "Check the engine live",
    "chunk_frames": "Frames per chunk",
    "status": "Status stream",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the form."""

    key: str
    title: str
    text: str
    """As it stands when nothing was typed."""
    explanation: str
    usual: bool
    is_flag: bool
    choices: tuple[str, ...]
    """Where only certain words are possible."""


def entries() -> tuple[Entry, ...]:
    """All settings, the usual ones first."""
    hints = get_type_hints(RunConfig)
    plain = RunConfig()
    made = {
        f.name: Entry(
            key=f.name,
            title=_NAMES.get(f.name, f.name.replace("_", " ").capitalize()),
            text=_text(getattr(plain, f.name)),
            explanation=str(f.metadata["help"]),
            usual=f.name in _FIRST,
            is_flag=_plain_type(hints[f.name]) is bool,
            choices=_CHOICES.get(f.name, ()),
        )
        for f in fields(RunConfig)
    }
    return tuple(made[name] for name in dict.fromkeys((*_FIRST, *made)))


def typed(config: RunConfig) -> dict[str, str]:
    """A configuration as the texts of its entries."""
    return {f.name: _text(getattr(config, f.name)) for f in fields(config)}


def configured(texts: Mapping[str, str]) -> RunConfig:
    """What was typed, checked; nothing typed means the default."""
    said = {key: text.strip() for key, text in texts.items() if text.strip()}
    return build(RunConfig, said, "run")


def loaded(path: Path) -> RunConfig:
    """The configuration in a file."""
    return read_config(path, {})


def save(path: Path, config: RunConfig) -> None:
    """Write what differs from the defaults, for `live-smlm run FILE`."""
    plain = RunConfig()
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in config.as_dict().items()
        if value != getattr(plain, name) or name in {"source", "engine"}
    ]
    with replacing(path) as temporary:
        temporary.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _plain_type(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return next(kind for kind in get_args(hint) if kind is not type(None))
    return hint
