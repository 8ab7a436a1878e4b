"""How options are said: `kind:key=value,…` on a command line, a table in TOML.

The fields of a frozen dataclass are its options; this module alone turns text
into them. A misspelt option is refused, never dropped.
"""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from live_smlm.core.errors import InputError, require

Built = TypeVar("Built")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse(text: str, what: str) -> tuple[str, dict[str, str]]:
    """Split `kind:key=value,…`; `what` names the thing in errors."""
    kind, _, rest = text.strip().partition(":")
    require(bool(kind), f"{what} is empty; give kind:key=value,…")
    options: dict[str, str] = {}
    for item in filter(None, rest.split(",")):
        key, _, value = (part.strip() for part in item.partition("="))
        require(bool(key and value), f"{what} {text!r}: {item!r} is not key=value")
        require(key not in options, f"{what} {text!r} says {key!r} twice; say it once")
        options[key] = value
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
        kinds = [a for a in get_args(wanted) if a is not type(None)]
        if len(kinds) > 1 and any(_is(value, kind) for kind in kinds):
            return value
        wanted = kinds[0]
    if wanted is bool:
        flag = _TRUTH.get(str(value).lower())
        require(flag is not None, f"{what} is {value!r}; say true or false")
        return flag
    if wanted in (int, float):
        return _number(value, wanted, what)
    if wanted in (str, Path):
        return wanted(str(value))
    require(_is(value, wanted), f"{what} is {value!r}; give {_named(wanted)}")
    return value


def _is(value: Any, wanted: Any) -> bool:
    """Whether a value needs no conversion; text is a sequence, but never meant as one."""
    if wanted is Any:
        return True
    kind = get_origin(wanted) or wanted
    if kind is Literal:
        return value in get_args(wanted)
    return kind is str if isinstance(value, str) else isinstance(value, kind)


def _named(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(map(str, get_args(wanted)))}"
    return f"a {(get_origin(wanted) or wanted).__name__}"


def _number(value: Any, wanted: type[int] | type[float], what: str) -> float:
    word = "a whole number" if wanted is int else "a number"
    try:
        number = wanted(value)
        exact = wanted is float or float(value) == number
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{what} is {value!r}; give {word}") from None
    require(exact and not isinstance(value, bool), f"{what} is {value!r}; give {word}")
    return number
