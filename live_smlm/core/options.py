"""How options are said: `kind:key=value,…` on a command line, a table in TOML.

The fields of a frozen dataclass are its options; this module alone turns text
into them. A misspelt option is refused, never dropped.
"""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from live_smlm.core.errors import InputError, require

Built = TypeVar("Built")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse(text: str, what: str) -> tuple[str, dict[str, str]]:
    """Split `kind:key=value,…`; `what` names the thing in errors."""
    kind, _, rest = text.strip().partition(":")
    require(bool(kind), f"{what} is empty; give kind:key=value,…")
    options: dict[str, str] = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        require(bool(equals and value), f"{what} {text!r}: {item!r} is not key=value")
        require(key not in options, f"{what} {text!r} says {key!r} twice; say it once")
        options[key.strip()] = value.strip()
    return kind, options


def build(cls: type[Built], options: Mapping[str, Any], what: str) -> Built:
    """An instance of the dataclass `cls`, its options converted by the fields' types."""
    hints = get_type_hints(cls)
    known = {f.name: f for f in fields(cls) if f.init}  # type: ignore[arg-type] # dataclasses only
    for name in options:
        require(
            name in known,
            f"{what} has no option {name!r}; it has {', '.join(sorted(known)) or 'none'}",
        )
    for name, field in known.items():
        needed = field.default is MISSING and field.default_factory is MISSING
        require(not needed or name in options, f"{what} needs {name}; give {name}=…")
    given = {k: _convert(v, hints[k], f"{what} option {k}") for k, v in options.items()}
    return cls(**given)


def _convert(value: Any, wanted: Any, what: str) -> Any:
    if get_origin(wanted) in (Union, types.UnionType):
        wanted = next(a for a in get_args(wanted) if a is not type(None))
    if wanted is bool:
        flag = _TRUTH.get(str(value).lower())
        require(flag is not None, f"{what} is {value!r}; say true or false")
        return flag
    if wanted in (int, float):
        return _number(value, wanted, what)
    if wanted in (str, Path):
        return wanted(str(value))
    return value


def _number(value: Any, wanted: type[int] | type[float], what: str) -> float:
    word = "a whole number" if wanted is int else "a number"
    try:
        number = wanted(value)
    except (TypeError, ValueError):
        raise InputError(f"{what} is {value!r}; give {word}") from None
    exact = wanted is float or float(value) == number
    require(exact and not isinstance(value, bool), f"{what} is {value!r}; give {word}")
    return number
