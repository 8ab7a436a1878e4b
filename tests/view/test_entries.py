from pathlib import Path

import pytest

from live_smlm.config import RunConfig, read_config
from live_smlm.core import InputError
from live_smlm.view import entries
from live_smlm.view.ranges import range_of, range_words


def test_every_setting_has_its_entry_once() -> None:
    made = entries.entries()
    assert sorted(e.key for e in made) == sorted(RunConfig.__dataclass_fields__)
    assert made[0].key == "source"
    assert all(e.explanation for e in made)
    assert {e.key for e in made if e.is_flag} >= {"record", "shadow"}


def test_an_untouched_form_is_the_default_configuration() -> None:
    assert entries.configured({e.key: e.text for e in entries.entries()}) == RunConfig()


def test_what_is_typed_is_what_the_command_line_would_take() -> None:
    texts = entries.typed(RunConfig()) | {"frames": " 500 ", "record": "true", "pixel_nm": "107.5"}
    config = entries.configured(texts)
    assert (config.frames, config.record, config.pixel_nm) == (500, True, 107.5)
    assert entries.configured(entries.typed(config)) == config


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("frames", "0", "frames is 0; give at least 1"),
        ("frames", "many", "option frames is 'many'"),
        ("seconds", "-1", "seconds is -1"),
    ],
)
def test_what_cannot_be_is_refused_with_its_cure(key: str, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        entries.configured({key: text})


def test_saved_settings_are_a_file_of_the_command_line(tmp_path: Path) -> None:
    config = RunConfig(source='movie:file="a b".tif', engine="glint", seconds=2.5, record=True)
    entries.save(tmp_path / "run.toml", config)
    assert read_config(tmp_path / "run.toml", {}) == config
    assert entries.loaded(tmp_path / "run.toml") == config


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("500 to 5000", (500.0, 5000.0)),
        ("-400 to 400", (-400.0, 400.0)),
        ("1,000 to", (1000.0, float("inf"))),
        ("to 20", (float("-inf"), 20.0)),
        ("5 … 6", (5.0, 6.0)),
        ("  ", None),
        ("to", None),
    ],
)
def test_ranges_are_typed_in_words(text: str, span: tuple[float, float] | None) -> None:
    assert range_of(text) == span
    assert range_of(range_words(span)) == span


@pytest.mark.parametrize("text", ["5", "a to b", "6 to 5", "1 to 2 to 3", "nan to 3"])
def test_ranges_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="range is"):
        range_of(text)
