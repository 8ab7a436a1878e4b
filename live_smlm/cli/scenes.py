"""Scenes of the demo in which an engine makes sense, as its package names them.

An entry point of the group `live_smlm.scenes` with an engine's name gives plain
words of a run's configuration: `source` (options of the demo's specimen) and
`psf`. The house knows no engine's scene.
"""

from collections.abc import Mapping

from live_smlm.core import options as option_text
from live_smlm.core import require
from live_smlm.core.points import offered
from live_smlm.engines import registry

GROUP = "live_smlm.scenes"
_WORDS = ("source", "psf", "pixel_nm")


def words_for(engine: str) -> dict[str, str]:
    """What the scenes of a chain's engines say, later ones going first; nothing of most."""
    points = offered(GROUP, "scene")
    said: dict[str, str] = {}
    for name in (link.spec.name for link in registry.chain(engine).engines):
        if name not in points:
            continue
        scene: Mapping[str, str] = points[name].load()
        unknown = sorted(set(scene) - set(_WORDS))
        require(
            not unknown,
            f"the scene of {name!r} says {', '.join(unknown)}; it may say {', '.join(_WORDS)}",
        )
        said |= scene
    return said


def source(engine: str, own: Mapping[str, str]) -> str:
    """The demo's source for an engine, with these options of its specimen besides."""
    _, given = option_text.parse(f"demo:{words_for(engine).get('source', '')}", "scene")
    told = {**given, **own}
    return "demo:" + ",".join(f"{name}={value}" for name, value in told.items())
