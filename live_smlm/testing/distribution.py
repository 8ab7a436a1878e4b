"""A package of somebody else's, laid out in a folder as pip would."""

from collections.abc import Mapping
from importlib import invalidate_caches
from pathlib import Path


def lay_out(
    folder: Path, module: str, source: str | None, points: Mapping[str, Mapping[str, str]]
) -> None:
    """Its one module, and its entry points: names in that module by group and name."""
    if source is not None:
        (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    lines = []
    for group, named in points.items():
        lines += [f"[{group}]", *(f"{name} = {module}:{what}" for name, what in named.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    invalidate_caches()
