"""How the house compiles: the only place that names numba's options."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_FAST = {"contract", "reassoc", "arcp", "nsz", "afn"}
"""Fast arithmetic that still knows NaN and infinity."""


def jit(function: Function) -> Function:
    """Compile on first call, without the interpreter lock, and keep it on disk."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)(function)
    return cast("Function", compiled)
