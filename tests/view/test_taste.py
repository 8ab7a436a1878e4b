from dataclasses import replace

import pytest

from live_smlm.core import InputError
from live_smlm.render.accumulator import Mode
from live_smlm.render.filters import Filters
from live_smlm.view.ranges import range_of
from live_smlm.view.taste import BY, MODES, Taste, suited

ALL = frozenset({"frame", "x", "y", "z", "photons", "sigma_x", "sigma_y"})
FEW = frozenset({"frame", "x", "y", "photons"})


def test_keys_walk_through_all_that_there_is() -> None:
    taste, modes, told = Taste(), set(), set()
    for _ in range(len(MODES)):
        taste = taste.next_mode()
        modes.add(taste.drawing.mode)
    for _ in range(len(BY)):
        taste = taste.next_by()
        told.add(taste.by)
    assert modes == set(MODES)
    assert told == set(BY.values())
    assert taste == Taste()


def test_counts_and_values_have_maps_of_their_own() -> None:
    by_z = replace(Taste(), by="z").with_colormap("magma")
    assert by_z.colormap == "magma"
    assert replace(by_z, by=None).colormap == Taste().colormap


def test_what_molecules_do_not_tell_is_said_and_not_drawn() -> None:
    assert suited(replace(Taste(), by="z"), ALL)[1] == ""
    look, words = suited(replace(Taste(), by="z"), FEW)
    assert look.by is None
    assert look.drawing.mode is Mode.GAUSSIAN
    assert words.startswith("not all molecules tell z: it is not shown; not all molecules tell a p")
    filtered = replace(Taste(), filters=Filters(precision=(0.0, 10.0)))
    assert "that tell no sigma_x, sigma_y do not pass the filter" in suited(filtered, FEW)[1]
    assert suited(replace(Taste(), by="z"), frozenset())[1] == ""


def test_tastes_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="colour by 'smell' is unknown"):
        Taste(by="smell")
    with pytest.raises(InputError, match="the end must be above"):
        Taste(value_range=(3.0, 3.0))
    for text in ("to 400", "-400 to"):
        with pytest.raises(InputError, match="give both ends"):
            Taste(value_range=range_of(text))
