"""What installed packages offer, by name: entry points of a group."""

from importlib.metadata import EntryPoint, entry_points

from live_smlm.core.errors import require


def offered(group: str, what: str) -> dict[str, EntryPoint]:
    """Entry points by name; a name that two packages claim is refused. `what` is one of them."""
    points: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda p: p.name):
        other = points.setdefault(point.name, point)
        require(
            other.value == point.value,
            f"{what} {point.name!r} is claimed by {other.value} and {point.value}; "
            "uninstall one of the packages",
        )
    return points
