import pytest

from live_smlm.view.hand import Hand, Tool
from live_smlm.view.sight import fitted

HAND = Hand(sight=fitted((10_000.0, 10_000.0), (500, 500)))


def test_dragging_moves_the_sample_with_the_mouse() -> None:
    near = HAND.wheeled(12)
    place = near.sight.place((200.0, 200.0))
    moved = near.pressed((200.0, 200.0)).moved((230.0, 150.0)).released()
    assert moved.sight.point(place) == pytest.approx((230, 150))
    assert moved.held is None


def test_a_measured_line_and_a_region_stay_on_the_sample() -> None:
    hand = HAND.with_tool(Tool.MEASURE).pressed((100.0, 100.0)).moved((100.0, 200.0)).released()
    assert hand.line is not None
    assert hand.line.length_nm == pytest.approx(100 * HAND.sight.nm_per_point)
    closer = hand.with_tool(Tool.REGION).pressed((50.0, 50.0)).moved((80.0, 90.0)).released()
    assert closer.line == hand.line
    assert closer.sight == HAND.sight
    assert closer.region is not None
    zoomed = closer.closer()
    row, column = zoomed.sight.point(closer.region.second)
    assert max(row, column) == pytest.approx(500 * 0.985)


def test_a_click_leaves_no_mark() -> None:
    for tool in (Tool.MEASURE, Tool.REGION):
        hand = HAND.with_tool(tool).pressed((100.0, 100.0)).moved((101.0, 100.0)).released()
        assert hand.line is None
        assert hand.region is None


def test_the_same_tool_again_gives_the_plain_hand_back() -> None:
    assert HAND.with_tool(Tool.REGION).with_tool(Tool.REGION).tool is Tool.PAN
    marked = HAND.with_tool(Tool.MEASURE).pressed((1.0, 1.0)).moved((90.0, 1.0))
    assert marked.cleared() == HAND.moved((90.0, 1.0))


def test_a_whole_field_stays_whole_when_the_window_grows() -> None:
    wide = HAND.resized((800, 900))
    assert wide.sight == fitted((10_000.0, 10_000.0), (800, 900))
    near = HAND.wheeled(5)
    assert near.resized((800, 900)).sight.nm_per_point == near.sight.nm_per_point


def test_arrow_keys_move_by_a_tenth_of_the_screen() -> None:
    near = HAND.wheeled(12)
    down, right = near.stepped(1, 0).sight.centre_nm, near.stepped(0, 1).sight.centre_nm
    step = 50 * near.sight.nm_per_point
    assert down == pytest.approx((5000 + step, 5000))
    assert right == pytest.approx((5000, 5000 + step))
