"""Micro-Manager's complaints as one plain sentence with a cure.

Micro-Manager says what went wrong in several lines of its own world; here alone
its words are read. A message that is not known is passed on in one line.
"""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from live_smlm.core import InputError

_INTERFACE = re.compile(r"MMCore requires (\d+); device adapter has (\d+)")
_ADAPTER = re.compile(r'[Ff]ailed to load device adapter "([^"]+)"')
_MOST_NAMES = 12
_LINE = re.compile(r"Line (\d+): ([^\n]+)")


def one_line(error: BaseException) -> str:
    """All that the error says, in one line; Java's stack is cut."""
    text = re.split(r"\n\s*at ", str(error))[0]
    text = re.sub(r"^(java\.lang\.)?\w*Exception: ", "", text)
    return " ".join(text.split()) or type(error).__name__


def config_refused(error: BaseException, config: Path, adapters: Path) -> InputError:
    """A configuration file that Micro-Manager could not load."""
    text = str(error)
    interface = _INTERFACE.search(text)
    if interface is not None:
        core, adapter = interface.groups()
        return InputError(
            f"{adapters} has device adapters of interface {adapter} but the installed pymmcore "
            f"speaks interface {core}; install one for them: pip install 'pymmcore==*.*.*.{adapter}"
            ".*'"
        )
    missing = _ADAPTER.search(text)
    if missing is not None:
        return InputError(
            f"{config} wants the device adapter {missing[1]!r}, which {adapters} does not hold or "
            f"cannot load; name the folder that does (adapters=…) ({one_line(error)})"
        )
    line = _LINE.search(text)
    where = f" (line {line[1]}: {line[2].strip()})" if line else ""
    reason = one_line(error)
    return InputError(f"{config} cannot be loaded{where}: {reason}; correct it in Micro-Manager")


def unknown_device(name: str, devices: Sequence[str]) -> InputError:
    """A property that names no device."""
    return InputError(
        f"{name!r} names no device; give Device.Property with one of {', '.join(devices)}"
    )


def unknown_property(device: str, name: str, known: Sequence[str]) -> InputError:
    """A device without such a property."""
    alike = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    told = ", ".join(alike or sorted(known)[:_MOST_NAMES]) or "none"
    more = ", …" if not alike and len(known) > _MOST_NAMES else ""
    return InputError(f"device {device!r} has no property {name!r}; it has {told}{more}")


def value_refused(
    device: str,
    name: str,
    value: object,
    allowed: Sequence[str],
    limits: tuple[float, float] | None,
    error: BaseException,
) -> InputError:
    """A value that a device does not take."""
    if allowed:
        cure = f"choose one of {', '.join(allowed)}"
    elif limits is not None:
        cure = f"give {limits[0]:g} to {limits[1]:g}"
    else:
        cure = one_line(error)
    return InputError(f"device {device!r} does not take {name} = {value}; {cure}")


def refused(what: str, error: BaseException) -> InputError:
    """Any other request that a device turned down."""
    return InputError(f"{what} was refused by Micro-Manager: {one_line(error)}")
