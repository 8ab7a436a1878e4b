"""Features of the frames that come again: every frame is encoded once.

Consecutive chunks overlap by the network's halo. A frame is known again by
its number and its pixels: numbers alone come back with other frames after a
trial or a restart.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from live_smlm.core import F32, I64, AnyArray, RawPixels
from live_smlm.inference.tiles import Window

PerFrame: TypeAlias = AnyArray | list[AnyArray]
"""Something of each frame."""
MOST_BYTES = 256_000_000
"""Features kept from call to call; what is beyond is encoded again."""


class FeatureRing:
    """One lane's; `begin` and `end` enclose the windows of one call."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        """How many frames, at the end of a call, the next one may want."""
        self._known: dict[int, AnyArray] = {}
        self._kept: dict[Window, dict[int, AnyArray]] = {}
        self._earlier: dict[Window, dict[int, AnyArray]] = {}
        self._again: set[int] = set()

    def begin(self, pixels: RawPixels, index: I64) -> None:
        """See which of these frames the last call had."""
        self._again = {
            number
            for place, number in _distinct(index)
            if number in self._known and np.array_equal(self._known[number], pixels[place])
        }
        self._earlier, self._kept = self._kept, {}

    def end(self, pixels: RawPixels, index: I64) -> None:
        """Remember the last frames as they came."""
        last = _distinct(index)[-self.frames :] if self.frames else []
        self._known = {number: pixels[place].copy() for place, number in last}
        self._earlier = {}

    def features(
        self, window: Window, counts: F32, index: I64, encode: Callable[[F32], PerFrame]
    ) -> list[AnyArray]:
        """The features of each of a window's frames, in order; `index` numbers them."""
        held = self._held(window)
        frames = _distinct(index)
        wanted = [(place, number) for place, number in frames if number not in held]
        if wanted:
            fresh = encode(np.ascontiguousarray(counts[[place for place, _ in wanted]]))
            held.update({number: one for (_, number), one in zip(wanted, fresh, strict=True)})
        last = frames[-self.frames :] if self.frames else []
        self._keep(window, {number: held[number] for _, number in last})
        return [held[int(number)] for number in index]

    def _held(self, window: Window) -> dict[int, AnyArray]:
        """Features that are still there: of this call's frames, or of the same ones before."""
        earlier = self._earlier.get(window, {})
        again = {number: one for number, one in earlier.items() if number in self._again}
        return again | self._kept.get(window, {})

    def _keep(self, window: Window, features: dict[int, AnyArray]) -> None:
        """In memory of their own, so that the rest of their batch can go."""
        others = sum(
            one.nbytes for w, held in self._kept.items() if w != window for one in held.values()
        )
        if others + sum(one.nbytes for one in features.values()) <= MOST_BYTES:
            self._kept[window] = {
                number: one if one.flags.owndata else one.copy() for number, one in features.items()
            }


def _distinct(index: I64) -> list[tuple[int, int]]:
    """First place and number of every frame; numbers do not fall."""
    numbers, places = np.unique(index, return_index=True)
    return [(int(place), int(number)) for place, number in zip(places, numbers, strict=True)]
