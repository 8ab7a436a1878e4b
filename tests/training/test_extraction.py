import numpy as np
import pytest
import torch
from torch import Tensor

from live_smlm.core import F32
from live_smlm.inference.raw_maps import extract, meaning
from live_smlm.testing.scenes import SCALES
from live_smlm.training.export import meant
from live_smlm.training.extraction import CANDIDATES, GRID, SLOTS, Extraction
from live_smlm.training.network import AnyNetwork, build, understood

SIDE = 2 * GRID


def nothing(n: int = 1) -> Tensor:
    maps = torch.zeros(n, 10, SIDE, SIDE)
    maps[:, 0] = -20.0
    maps[:, 5:9] = 0.1
    return maps


def put(
    maps: Tensor, row: int, column: int, p: float, x: float, y: float, z: float = 0.0, n: int = 0
) -> None:
    """A pixel that says there is a molecule at x, y (px from the corner)."""
    maps[n, 0, row, column] = float(np.log(p / (1 - p)))
    maps[n, 1, row, column] = 2.0
    maps[n, 2, row, column] = x - column - 0.5
    maps[n, 3, row, column] = y - row - 0.5
    maps[n, 4, row, column] = z / 500.0
    maps[n, 9, row, column] = 0.5


def extracted(maps: Tensor, axes: int = 3) -> tuple[F32, F32]:
    molecules, crowded = Extraction(SCALES, axes)(maps)
    flat = molecules.flatten(1, 2).numpy()
    found = flat[flat[..., 0] > 0]
    return found[np.argsort(found[:, 1])], crowded.numpy()


def test_nothing_is_found_where_nothing_is() -> None:
    found, crowded = extracted(nothing())
    assert len(found) == 0
    assert crowded.sum() == 0


def test_a_molecule_between_pixels_has_the_mass_of_all_that_claim_it() -> None:
    maps = nothing()
    put(maps, 10, 10, 0.4, 11.0, 11.02)
    put(maps, 10, 11, 0.3, 11.1, 11.02)
    put(maps, 11, 10, 0.2, 10.9, 11.02)
    found, _ = extracted(maps)
    assert len(found) == 1
    assert found[0, 0] == pytest.approx(0.9, abs=1e-5)
    mean = (0.4 * 11.0 + 0.3 * 11.1 + 0.2 * 10.9) / 0.9
    assert found[0, 1] == pytest.approx(mean, abs=1e-4)
    assert found[0, 2] == pytest.approx(11.02, abs=1e-4)
    assert found[0, 4] == pytest.approx(2000.0, rel=1e-5)
    assert found[0, 5] == pytest.approx(10.0, rel=1e-5)
    assert found[0, 6:9] == pytest.approx([0.1, 0.1, 50.0], rel=1e-5)


@pytest.mark.parametrize(("dx", "dz", "count"), [(0.9, 0, 1), (1.1, 0, 2), (0.3, 500, 2)])
def test_neighbours_are_two_where_they_predict_two_places(dx: float, dz: float, count: int) -> None:
    maps = nothing()
    put(maps, 20, 20, 0.9, 20.5, 20.5)
    put(maps, 20, 21, 0.8, 20.5 + dx, 20.5, z=dz)
    found, _ = extracted(maps)
    assert len(found) == count


def test_of_equal_pixels_one_stands_for_both() -> None:
    maps = nothing()
    put(maps, 20, 20, 0.5, 21.0, 20.5)
    put(maps, 20, 21, 0.5, 21.0, 20.5)
    found, _ = extracted(maps)
    assert len(found) == 1
    assert found[0, 0] == pytest.approx(1.0, abs=1e-5)


def test_a_molecule_on_the_border_of_tiles_is_found_once() -> None:
    maps = nothing()
    for row in (GRID - 1, GRID):
        for column in (GRID - 1, GRID):
            put(maps, row, column, 0.2 + 0.01 * row + 0.001 * column, GRID, GRID)
    found, _ = extracted(maps)
    assert len(found) == 1
    assert found[0, 1:3] == pytest.approx([GRID, GRID], abs=1e-4)


def test_the_corners_of_the_image_are_like_any_place() -> None:
    maps = nothing()
    for row in (0, SIDE - 1):
        for column in (0, SIDE - 1):
            put(maps, row, column, 0.9, column + 0.4, row + 0.6)
    found, _ = extracted(maps)
    assert len(found) == 4


def test_a_network_of_the_plane_tells_no_z() -> None:
    maps = nothing()
    put(maps, 20, 20, 0.9, 20.5, 20.5, z=300.0)
    found, _ = extracted(maps, axes=2)
    assert found[0, 3] == 0
    assert found[0, 8] == 0


@pytest.mark.parametrize("axes", [2, 3])
def test_a_processor_finds_the_same_in_raw_maps(axes: int) -> None:
    torch.manual_seed(4)
    raw = torch.randn(2, 10, SIDE, SIDE)
    raw[:, 0] = 3.0 * raw[:, 0] - 7.0
    network: AnyNetwork = build("glint", SCALES)
    table = meaning(meant(network, SCALES, axes))
    molecules, crowded = Extraction(SCALES, axes)(understood(raw, network.outputs))
    assert crowded.sum() == 0
    slots = molecules.flatten(1, 2).numpy()
    frame, found = extract(raw.numpy(), table, 0.4)
    for n in range(2):
        ours, theirs = found[frame == n], slots[n][slots[n, :, 0] >= 0.4]
        assert len(ours) == len(theirs) > 20
        ours, theirs = (m[np.lexsort((m[:, 1], m[:, 2]))] for m in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_what_finds_no_place_is_told() -> None:
    maps = nothing(2)
    rows, columns = np.divmod(np.arange(CANDIDATES + 7), GRID)
    for row, column in zip(rows, columns, strict=True):
        put(maps, int(row), int(column), 0.9, column + 0.5, row + 0.5, n=1)
    found, crowded = extracted(maps)
    assert crowded.tolist() == [[0, 0, 0, 0], [CANDIDATES + 7 - SLOTS, 0, 0, 0]]
    assert len(found) == SLOTS
