import numpy as np
import pytest

from live_smlm.inference.context import gapless


@pytest.mark.parametrize(
    ("numbers", "core", "halo", "wanted"),
    [
        ([5, 6, 7], (1, 2), (1, 1), [[5, 6, 7]]),
        ([5, 6, 7], (0, 3), (1, 1), [[5, 5, 6, 7, 7]]),
        ([5, 6, 7], (0, 3), (0, 0), [[5, 6, 7]]),
        ([5, 6, 7], (0, 3), (2, 1), [[5, 5, 5, 6, 7, 7]]),
        ([5], (0, 1), (1, 1), [[5, 5, 5]]),
        ([5, 6, 8, 9], (0, 4), (1, 1), [[5, 5, 6, 6], [8, 8, 9, 9]]),
        ([5, 6, 8, 9, 10], (1, 4), (1, 1), [[5, 6, 6], [8, 8, 9, 10]]),
        ([5, 7, 9], (1, 2), (1, 1), [[7, 7, 7]]),
        ([4, 5, 6, 7, 8], (2, 3), (1, 1), [[5, 6, 7]]),
        ([], (0, 0), (1, 1), []),
    ],
)
def test_context_never_crosses_a_gap(
    numbers: list[int], core: tuple[int, int], halo: tuple[int, int], wanted: list[list[int]]
) -> None:
    index = np.array(numbers, np.int64)
    runs = [index[places].tolist() for places in gapless(index, slice(*core), halo)]
    assert runs == wanted
