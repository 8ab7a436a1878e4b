"""Pictures travel whole or are refused."""

import numpy as np
import pytest

from live_smlm.core import Reconstruction
from live_smlm.transport.codec import Envelope, MalformedError, pack, unpack
from live_smlm.transport.pictures import Shown, layer_message, picture_parts, read_layer

PICTURE = Reconstruction(
    image=np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    pixel_size_nm=12.5,
    origin_nm=(100.0, -50.0),
    first_frame=7,
    last_frame=22,
    predicted=True,
    channels=("prediction", "error"),
)


def test_a_picture_arrives_as_it_was() -> None:
    sent = layer_message("dreamer", Shown(5, PICTURE))
    name, shown = read_layer(unpack([bytes(part) for part in pack(sent)]))
    assert (name, shown.version) == ("dreamer", 5)
    got = shown.picture
    np.testing.assert_array_equal(got.image, PICTURE.image)
    assert got.image.flags.owndata
    assert picture_parts(got)[0] == picture_parts(PICTURE)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"pixel_size_nm": 0},
        {"origin_nm": [1.0]},
        {"channels": ["one"]},
        {"first_frame": 30},
        {"last_frame": None},
        {"version": "5"},
        {"name": 7},
    ],
)
def test_what_is_no_picture_is_refused(change: dict[str, object]) -> None:
    sent = layer_message("dreamer", Shown(5, PICTURE))
    with pytest.raises(MalformedError):
        read_layer(Envelope(sent.kind, {**sent.values, **change}, sent.arrays))


def test_without_an_image_there_is_no_picture() -> None:
    sent = layer_message("dreamer", Shown(5, PICTURE))
    with pytest.raises(MalformedError, match="picture cannot be read"):
        read_layer(Envelope(sent.kind, sent.values, {}))
