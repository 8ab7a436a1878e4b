from typing import Any

from live_smlm.transport.viewing import Event
from live_smlm.view import news
from live_smlm.view.news import Grade, News, Phase, grade_of

STATE: dict[str, Any] = {
    "run": "2026-11-21_glint",
    "shape": [128, 256],
    "pixel_size_nm": 100.0,
    "captured": 10,
    "localized": 7,
    "deferred": 1,
    "shed": 1,
    "lost": 1,
    "stopping": False,
    "finished": None,
    "trust": {"verdict": "ok", "alarms": [], "shadow": "48 molecules fitted again"},
}
ALARM = {"name": "width", "value": 1.153, "low": None, "high": 1.06, "unit": "", "cure": "focus"}


def test_a_run_from_its_first_word_to_its_end() -> None:
    told = news.joining("x")
    assert told.phase is Phase.JOINING
    assert told.field_nm is None
    told = news.with_state(told, STATE, 1.0)
    assert told.phase is Phase.RUNNING
    assert told.run == "2026-11-21_glint"
    assert told.field_nm == (12_800.0, 25_600.0)
    assert told.counts == {"captured": 10, "localized": 7, "deferred": 1, "shed": 1, "lost": 1}
    assert told.trust == (Grade.GOOD, "checked: 48 molecules fitted again")
    told = news.with_state(told, {**STATE, "stopping": True}, 2.0)
    assert told.phase is Phase.STOPPING
    ended = {"finish": "stopped", "reason": "enough"}
    told = news.with_state(told, {**STATE, "stopping": True, "finished": ended}, 3.0)
    assert (told.phase, told.why) == (Phase.ENDED, "stopped: enough")
    assert news.with_loss(told, "silence") == told


def test_silence_is_told_and_over_with_the_next_word() -> None:
    told = news.with_loss(news.with_state(News(), STATE, 1.0), "silent for 5 s")
    assert (told.phase, told.why) == (Phase.SILENT, "silent for 5 s")
    assert news.with_state(told, STATE, 2.0).phase is Phase.RUNNING


def test_an_alarm_is_told_in_words_since_it_was_raised_and_goes() -> None:
    raised = {**STATE, "trust": {"verdict": "alarm", "alarms": [ALARM], "shadow": ""}}
    told = news.with_state(News(), raised, 10.0)
    told = news.with_state(told, raised, 20.0)
    assert told.doubts[0].since_s == 10.0
    known = {**ALARM, "since_s": 4.0}  # who comes late is told since when
    late = news.with_state(News(), {**raised, "trust": {"alarms": [known]}}, 10.0)
    assert late.doubts[0].since_s == 4.0
    assert told.trust == (Grade.ALARM, "width is 1.15, allowed at most 1.06: focus")
    assert news.with_state(told, STATE, 30.0).doubts == ()


def test_a_run_that_tells_little_is_shown_all_the_same() -> None:
    told = news.with_state(News(), {}, 1.0)
    assert set(told.counts.values()) == {0}
    assert told.trust == (Grade.NEUTRAL, "not known yet")


def test_events_are_kept_in_order_and_not_without_end() -> None:
    told = News()
    for number in range(1200):
        told = news.with_event(told, Event("shed", str(number), float(number)))
    assert len(told.events) < 1200
    assert told.events[-1].detail == "1199"
    words = ("alarm", "started", "shed", "store failed")
    grades = [grade_of(Event(what, "")) for what in words]
    assert grades == [Grade.ALARM, Grade.NEUTRAL, Grade.CAUTION, Grade.ALARM]
