"""What an engine gave for a chunk, refused where it is nothing that may go on.

Engines come from anybody: what is wrong is named here, on the lane, and becomes a
failed chunk like any other; nothing that comes later has to doubt it.
"""

from dataclasses import replace

import numpy as np

from live_smlm.core import (
    AnyArray,
    FrameBatch,
    Localizations,
    Reconstruction,
    empty,
)

_PLACES = ("x", "y", "z")


def checked(found: object, frames: FrameBatch) -> tuple[Localizations, Reconstruction | None]:
    """The molecules and the increment of a picture in an engine's answer to these frames."""
    if isinstance(found, Reconstruction):
        _check_picture(found)
        molecules, picture = found.molecules, found
        molecules = empty() if molecules is None else molecules
    elif isinstance(found, Localizations):
        molecules, picture = found, None
    else:
        raise TypeError(
            f"the engine gave {type(found).__name__}, neither Localizations nor a Reconstruction"
        )
    if not isinstance(molecules, Localizations):
        raise TypeError(f"the engine's picture holds {type(molecules).__name__} for molecules")
    _check_molecules(molecules, frames.index[frames.core])
    return molecules, picture


def prediction(found: object, asked: Reconstruction) -> Reconstruction:
    """An engine's answer to a picture, marked as what it is: a prediction of the same field."""
    if not isinstance(found, Reconstruction):
        raise TypeError(f"the engine gave {type(found).__name__}, not a Reconstruction")
    _check_picture(found)
    if _extent(found) != _extent(asked):
        raise ValueError(
            f"the engine was asked for a picture of {_extent(asked)} nm (top, left, bottom, right) "
            f"and gave one of {_extent(found)} nm"
        )
    return replace(found, predicted=True, molecules=None)


def _extent(picture: Reconstruction) -> tuple[int, int, int, int]:
    top, left = picture.origin_nm
    height, width = (side * picture.pixel_size_nm for side in picture.image.shape[1:])
    return round(top), round(left), round(top + height), round(left + width)


def _check_molecules(molecules: Localizations, expected: AnyArray) -> None:
    for name in _PLACES:
        column = getattr(molecules, name)
        if column is not None and (wrong := np.count_nonzero(~np.isfinite(column))):
            raise ValueError(
                f"the engine gave {wrong} of {len(column)} molecules whose {name} is no number"
            )
    strange = ~np.isin(molecules.frame, expected)
    if strange.any():
        raise ValueError(
            f"the engine gave molecules of frame {molecules.frame[strange][0]}, which it was not "
            "asked for"
        )


def _check_picture(picture: Reconstruction) -> None:
    wrong = np.count_nonzero(~np.isfinite(picture.image))
    if wrong:
        raise ValueError(f"the engine gave a picture with {wrong} pixels that are no number")
