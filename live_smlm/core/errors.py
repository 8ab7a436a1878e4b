"""The one error a user can cause.

Every message names the thing, its value and the cure, in one line. Programs
print it and exit with code 2; any other exception is a fault of ours.
"""


class InputError(ValueError):
    """Something the user gave cannot be used."""


def require(condition: bool, message: str) -> None:  # noqa: FBT001 - the condition is the point
    """Raise `InputError(message)` unless `condition` holds."""
    if not condition:
        raise InputError(message)
