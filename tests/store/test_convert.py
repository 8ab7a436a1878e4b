"""From any table to any other."""

from pathlib import Path

import numpy as np
import pytest

from live_smlm.core import InputError, drift_curve, from_columns
from live_smlm.store.convert import convert
from live_smlm.store.log import LocalizationLog
from live_smlm.store.quality import QualityLog
from live_smlm.store.tables import FORMATS, read_table

FOREIGN = (
    "Elyra_dstorm_data.txt",
    "Nanoimager_dstorm_data.csv",
    "SMLM_dstorm_data.smlm",
    "Thunderstorm_dstorm_data.csv",
    "decode_dstorm_data.h5",
    "decode_dstorm_data_empty.h5",
    "rapidSTORM_dstorm_data.txt",
    "rapidSTORM_from_images.txt",
    "smap_dstorm_data.mat",
)
WRITABLE = [(f.name, f.endings[0]) for f in FORMATS if f.write is not None]


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(("table_format", "ending"), WRITABLE)
def test_tables_of_others_go_into_every_format(
    shared_data: Path, tmp_path: Path, name: str, table_format: str, ending: str
) -> None:
    source, target = shared_data / "table_formats" / name, tmp_path / f"t{ending}"
    before = read_table(source, 100)
    assert convert(source, target, pixel_size_nm=100, table_format=table_format) == len(before)
    after = read_table(target, 100)
    np.testing.assert_array_equal(after.frame, before.frame)
    # Picasso keeps positions as float32 pixels from a pixel's centre.
    np.testing.assert_allclose(after.x, before.x, rtol=4e-7, atol=2e-5)
    np.testing.assert_allclose(after.y, before.y, rtol=4e-7, atol=2e-5)


def test_a_run_is_converted(tmp_path: Path) -> None:
    found = from_columns({"frame": [1, 2], "x": [1, 2], "y": [3, 4], "dye": ["a", "b"]})
    with LocalizationLog(tmp_path) as log:
        log.append(0, 3, np.arange(3), found)
    assert convert(tmp_path, tmp_path / "t.parquet") == 2
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet").extra["dye"], ["a", "b"])


def test_a_target_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.mat tables are read only"):
        convert(tmp_path / "none.csv", tmp_path / "t.mat")
    with pytest.raises(InputError, match="does not exist; check the name"):
        convert(tmp_path / "none.csv", tmp_path / "t.csv")


def test_the_drift_of_a_run_is_taken_off_where_that_is_asked_for(tmp_path: Path) -> None:
    found = from_columns({"frame": [0, 100], "x": [50.0, 53.0], "y": [70.0, 69.0]})
    with LocalizationLog(tmp_path) as log:
        log.append(0, 101, np.arange(101), found)
    target = tmp_path / "molecules.csv"
    with pytest.raises(InputError, match="no curve of drift"):
        convert(tmp_path, target, drift=True)
    assert not target.exists()
    with QualityLog(tmp_path) as quality:
        quality.latest(drift_curve([0, 100], [0.0, 3], [0.0, -1]), {})
    convert(tmp_path, target)
    assert read_table(target).x.tolist() == [50, 53]
    convert(tmp_path, target, drift=True)
    still = read_table(target)
    assert (still.x.tolist(), still.y.tolist()) == ([50, 50], [70, 70])
