"""Micro-Manager's configuration files, as far as single devices are taken out of them.

A line is `Kind,Device,…`. A device needs its hub (`Parent`) and every device
that one of its own properties names, as the serial port it speaks through.
"""

from collections.abc import Iterable

_KEPT = ("Device", "Property", "Parent", "Delay", "Label", "FocusDirection")


def only(text: str, names: Iterable[str]) -> str:
    """The configuration with the devices that these names (`Device.Property`) need, and no more."""
    lines = [line.split(",") for line in map(str.strip, text.splitlines()) if line]
    known = {line[1] for line in lines if line[0] == "Device" and len(line) > 1}
    needed = {d for name in names for d in known if name.startswith(f"{d}.")}
    while more := _beside(lines, needed, known) - needed:
        needed |= more
    kept = [line for line in lines if _is_kept(line, needed)]
    return "\n".join([",".join(line) for line in kept]) + "\n"


def _beside(lines: list[list[str]], needed: set[str], known: set[str]) -> set[str]:
    """Devices that these devices' lines name."""
    named = {
        word
        for line in lines
        if line[0] in ("Parent", "Property") and len(line) > 2 and line[1] in needed
        for word in line[2:]
    }
    return named & known


def _is_kept(line: list[str], needed: set[str]) -> bool:
    if line[:3] == ["Property", "Core", "Initialize"]:
        return True
    return line[0] in _KEPT and len(line) > 1 and line[1] in needed
