"""A file appears whole or not at all."""

from pathlib import Path

import pytest

from live_smlm.core import InputError
from live_smlm.core.files import check_place, replacing


def test_success_replaces_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")

    def write_half() -> None:
        with replacing(target) as temporary:
            temporary.write_text("ha")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="nowhere does not exist"),
        replacing(tmp_path / "nowhere" / "t.csv"),
    ):
        pass


def test_a_place_where_no_file_can_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    check_place(tmp_path / "table.csv")
    with pytest.raises(InputError, match="folder is a folder; give the name of a file"):
        check_place(tmp_path / "folder")
