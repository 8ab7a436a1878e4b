"""Kernels of the pairing: who is near whom, and who takes whom.

Molecules come sorted by frame, then by stripe (a band in y as wide as the
radius), then by x; so the neighbours of one molecule are three short runs.
"""

import numpy as np

from live_smlm.core import F64, I64, Bool
from live_smlm.physics.jit import jit

WIDER = 1.001
"""Stripes and runs over the radius, so that rounding never hides a neighbour."""


@jit
def _first_at(
    frame: I64, stripe: I64, x: F64, wanted_frame: int, wanted_stripe: int, wanted_x: float
) -> int:
    """The first row whose (frame, stripe, x) is not below the wanted one."""
    low, high = 0, frame.size
    while low < high:
        mid = (low + high) // 2
        below = frame[mid] < wanted_frame or (
            frame[mid] == wanted_frame
            and (
                stripe[mid] < wanted_stripe or (stripe[mid] == wanted_stripe and x[mid] < wanted_x)
            )
        )
        if below:
            low = mid + 1
        else:
            high = mid
    return low


@jit
def candidates(
    found_keys: tuple[I64, I64],
    found: F64,
    truth_keys: tuple[I64, I64],
    truth: F64,
    radius_xy: float,
    radius_z: float,
    left: I64,
    right: I64,
) -> int:
    """Fill rows of `found` and `truth` that are within the radii; return how many there are.

    Keys are (frame, stripe); positions are (3, n), z all zero where it does not
    count. Counts on beyond the end of `left`, so an empty `left` only counts.
    Pairs come in rising order of found row, then truth row.
    """
    reach = WIDER * radius_xy
    frame, stripe = found_keys
    truth_frame, truth_stripe = truth_keys
    n = 0
    for i in range(frame.size):
        x, y, z = found[0, i], found[1, i], found[2, i]
        for s in range(stripe[i] - 1, stripe[i] + 2):
            j = _first_at(truth_frame, truth_stripe, truth[0], frame[i], s, x - reach)
            while (
                j < truth_frame.size
                and truth_frame[j] == frame[i]
                and truth_stripe[j] == s
                and truth[0, j] <= x + reach
            ):
                dx, dy = truth[0, j] - x, truth[1, j] - y
                near = dx * dx + dy * dy <= radius_xy * radius_xy
                if near and abs(truth[2, j] - z) <= radius_z:
                    if n < left.size:
                        left[n] = i
                        right[n] = j
                    n += 1
                j += 1
    return n


@jit
def take_in_order(left: I64, right: I64, n_found: int, n_truth: int) -> Bool:
    """Which pairs stand if each is taken unless one of its two is taken already."""
    found_taken = np.zeros(n_found, np.bool_)
    truth_taken = np.zeros(n_truth, np.bool_)
    taken = np.zeros(left.size, np.bool_)
    for k in range(left.size):
        if not found_taken[left[k]] and not truth_taken[right[k]]:
            found_taken[left[k]] = truth_taken[right[k]] = taken[k] = True
    return taken
