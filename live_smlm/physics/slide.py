"""A sample that is larger than the field of view: fields like the first, side by side.

Each has a seed of its own place, so it is the same sample wherever one comes
from; one that is not in view gets no light, so it neither blinks nor bleaches.
"""

from collections.abc import Callable, Iterator
from math import ceil, floor
from typing import TypeAlias

import numpy as np

from live_smlm.core import F64, Bool
from live_smlm.physics.emitters import Emission, Emitters
from live_smlm.physics.field import Field

Shift: TypeAlias = tuple[float, float]
"""How far the sample has been moved over the image, x and y in nm."""
HOME: Shift = (0.0, 0.0)
_MARGIN_NM = 3000.0
"""Beyond the view, light of molecules is still drawn; drift may bring them nearer."""
_IDENTITIES = 2**40
"""Molecules of one field are numbered below this."""


class Slide:
    """One run of such a sample; at home, of the first field alone."""

    def __init__(
        self,
        start: Callable[[np.random.SeedSequence], Emitters],
        field: Field,
        seed: np.random.SeedSequence,
    ) -> None:
        self._start, self._field, self._seed = start, field, seed
        self._fields: dict[tuple[int, int], tuple[int, Emitters]] = {(0, 0): (0, start(seed))}

    def step(self, laser_power: float = 1.0, shift: Shift = HOME) -> Emission:
        """Advance what is in view by one frame; positions are in the image, shift included."""
        parts = []
        for column, row in self._in_view(shift):
            number, emitters = self._at(column, row)
            emission = emitters.step(laser_power)
            corner = [column * self._field.width_nm, row * self._field.height_nm, 0.0]
            position = emission.position + np.array(corner) + np.array([*shift, 0.0])
            near = self._near(position)
            identity = emission.molecule + number * _IDENTITIES
            parts.append(Emission(identity[near], position[near], emission.photons[near]))
        if len(parts) == 1:
            return parts[0]
        return Emission(
            np.concatenate([part.molecule for part in parts]),
            np.concatenate([part.position for part in parts]),
            np.concatenate([part.photons for part in parts]),
        )

    def _in_view(self, shift: Shift) -> Iterator[tuple[int, int]]:
        for row in _covered(shift[1], self._field.height_nm):
            for column in _covered(shift[0], self._field.width_nm):
                yield column, row

    def _at(self, column: int, row: int) -> tuple[int, Emitters]:
        place = column, row
        if place not in self._fields:
            key = (*self._seed.spawn_key, _natural(column), _natural(row))
            seed = np.random.SeedSequence(self._seed.entropy, spawn_key=key)
            self._fields[place] = len(self._fields), self._start(seed)
        return self._fields[place]

    def _near(self, position: F64) -> Bool:
        x, y = position[:, 0], position[:, 1]
        across = (x > -_MARGIN_NM) & (x < self._field.width_nm + _MARGIN_NM)
        near: Bool = across & (y > -_MARGIN_NM) & (y < self._field.height_nm + _MARGIN_NM)
        return near


def _covered(shift: float, length: float) -> range:
    """Numbers of the fields along one axis of which some is in view."""
    return range(floor(-shift / length), ceil((length - shift) / length))


def _natural(number: int) -> int:
    """0, 1, 2, … of 0, -1, 1, -2, …: seeds take no negative numbers."""
    return 2 * number if number >= 0 else -2 * number - 1
