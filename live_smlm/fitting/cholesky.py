"""Symmetric positive systems of any size, by Cholesky's factor; numba's own needs more packages."""

import math

import numpy as np

from live_smlm.core import F64
from live_smlm.physics.jit import jit

_SINGULAR = 1e-10


@jit
def factorise(matrix: F64) -> None:
    """Replace the lower triangle by its factor; a vanishing pivot is kept just above 0."""
    size = len(matrix)
    for j in range(size):
        diagonal = matrix[j, j]
        total = diagonal
        for k in range(j):
            total -= matrix[j, k] ** 2
        pivot = math.sqrt(max(total, _SINGULAR * diagonal + 1e-300))
        matrix[j, j] = pivot
        for i in range(j + 1, size):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = total / pivot


@jit
def substitute(factor: F64, right: F64, out: F64) -> None:
    """Solve with a factor of `factorise`."""
    size = len(factor)
    for i in range(size):
        total = right[i]
        for k in range(i):
            total -= factor[i, k] * out[k]
        out[i] = total / factor[i, i]
    for j in range(size):
        i = size - 1 - j
        total = out[i]
        for k in range(i + 1, size):
            total -= factor[k, i] * out[k]
        out[i] = total / factor[i, i]


@jit
def invert_diagonal(factor: F64, out: F64) -> None:
    """Fill the roots of the diagonal of the inverse: standard errors."""
    size = len(factor)
    unit, column = np.zeros(size), np.zeros(size)
    for i in range(size):
        unit[:] = 0.0
        unit[i] = 1.0
        substitute(factor, unit, column)
        out[i] = math.sqrt(column[i])
