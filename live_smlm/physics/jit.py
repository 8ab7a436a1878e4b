"""How the house compiles: the only place that names numba's options."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_FAST = {"contract", "reassoc", "arcp", "nsz", "afn"}
"""Fast arithmetic that still knows NaN and infinity."""
_NO_PLACE = "cannot cache function"
"""How numba begins to say that neither the package nor the user's cache can be written."""


def jit(function: Function) -> Function:
    """Compile on first call, without the interpreter lock, and keep it on disk where one can."""
    try:
        compiled = _compiler(cache=True)(function)
    except RuntimeError as error:
        if _NO_PLACE not in str(error):
            raise
        compiled = _compiler(cache=False)(function)
    return cast("Function", compiled)


def _compiler(*, cache: bool) -> Callable[[Callable[..., Any]], Any]:
    made = numba.njit(cache=cache, nogil=True, error_model="numpy", fastmath=_FAST)
    return cast("Callable[[Callable[..., Any]], Any]", made)
