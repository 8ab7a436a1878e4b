"""Names for the array types that cross stage boundaries."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

F32: TypeAlias = NDArray[np.float32]
F64: TypeAlias = NDArray[np.float64]
I16: TypeAlias = NDArray[np.int16]
I32: TypeAlias = NDArray[np.int32]
I64: TypeAlias = NDArray[np.int64]
Bool: TypeAlias = NDArray[np.bool_]
RawPixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""Camera counts as they come: 8 or 16 bit, unsigned."""
AnyArray: TypeAlias = NDArray[Any]
