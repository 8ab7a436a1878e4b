"""Tables of other programs: each with its own units, origin and first frame."""

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile

from live_smlm.core import AnyArray, InputError, Localizations, from_columns
from live_smlm.store.log import LocalizationLog
from live_smlm.store.tables import check_writable, read_table, write_table

FIELD = '<field identifier="{}" syntax="x" unit="{}" min="0 m" />'
RAPIDSTORM = [("Position-0-0", "nanometer"), ("Position-1-0", "nanometer")]


def molecules(n: int = 50) -> Localizations:
    rng = np.random.default_rng(n)
    names = ("x", "y", "z", "photons", "background", "sigma_x", "sigma_y", "sigma_z", "probability")
    columns: dict[str, AnyArray] = {name: rng.random(n) * 1e4 for name in names}
    columns |= {"frame": np.sort(rng.integers(1, 900, n)), "channel": rng.integers(0, 3, n)}
    return from_columns(
        {**columns, "chi2": rng.random(n), "spots": rng.integers(-(2**40), 2**40, n)}
    )


def same(a: Localizations, b: Localizations) -> None:
    assert set(a.columns()) == set(b.columns())
    for name, column in a.columns().items():
        np.testing.assert_array_equal(column, b.columns()[name], err_msg=name)


@pytest.mark.parametrize("table_format", ["live-smlm", "parquet", "smlm", "smap"])
def test_what_we_write_comes_back_exactly(tmp_path: Path, table_format: str) -> None:
    ending = {"parquet": ".parquet", "smlm": ".smlm"}.get(table_format, ".csv")
    path = tmp_path / f"t{ending}"
    write_table(path, molecules(), table_format=table_format, pixel_size_nm=106.7)
    same(read_table(path), molecules())


def test_parquet_keeps_types_text_and_what_is_known_of_the_movie(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = molecules(3).with_columns(
        dye=np.array(["a", "", "b"]), ok=np.array([True, False, True])
    )
    write_table(path, table, pixel_size_nm=100, shape=(4, 5), frames=9)
    back = read_table(path)
    same(back, table)
    assert {n: c.dtype.kind for n, c in back.columns().items()} == {
        n: c.dtype.kind for n, c in table.columns().items()
    }
    said = json.loads(pq.read_schema(path).metadata[b"live-smlm"])
    assert said == {"pixel_size_nm": 100, "shape": [4, 5], "frames": 9}
    pq.write_table(pa.table({"frame": [1], "x_nm": [1.0]}), path)
    with pytest.raises(InputError, match="no column 'y_nm'"):
        read_table(path)


def test_smap_is_told_positions_from_the_pixels_centre_and_frames_from_1(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    table = from_columns({"frame": [0], "x": [50], "y": [150], "sigma_x": [3], "sigma_y": [4]})
    write_table(path, table, table_format="smap", pixel_size_nm=100)
    header, row = path.read_text().splitlines()
    said = dict(zip(header.split(","), map(float, row.split(",")), strict=True))
    assert (said["frame"], said["xpix"], said["ypix"]) == (1, 1, 2)
    assert (said["xnm"], said["ynm"]) == (100, 200)
    assert said["locprecnm"] == np.sqrt(np.float32(12.5))
    path.write_text("frame,xnm,ynm,locprecnm\n1,100,200,5\n")
    with pytest.raises(InputError, match=r"no xpix to tell its size; say it \(pixel_size_nm"):
        read_table(path)
    back = read_table(path, pixel_size_nm=100)
    assert (back.x[0], back.y[0], back.frame[0]) == (50, 150, 0)
    assert (back.axis("sigma_x")[0], back.axis("sigma_y")[0]) == (5, 5)
    with pytest.raises(InputError, match="SMAP counts in pixels too"):
        write_table(path, table, table_format="smap")


def test_smaps_own_file(shared_data: Path) -> None:
    path = shared_data / "table_formats" / "smap_dstorm_data.mat"
    table = read_table(path)
    with h5py.File(path) as file:
        loc = {name: np.ravel(item[()]) for name, item in file["saveloc/loc"].items()}
        pixel = 1e3 * file["saveloc/file/info/cam_pixelsize_um"][0, 0]
    assert pixel == pytest.approx(104)
    np.testing.assert_allclose(table.x, (loc["xpix"] - 0.5) * pixel, rtol=1e-5)
    np.testing.assert_allclose(table.y, (loc["ypix"] - 0.5) * pixel, rtol=1e-5)
    np.testing.assert_array_equal(table.frame, loc["frame"] - 1)
    np.testing.assert_array_equal(table.axis("sigma_y"), loc["ynmerr"])
    np.testing.assert_array_equal(table.axis("sigma_photons"), loc["photerr"])
    assert {"LLrel", "iterations"} < set(table.extra)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"MATLAB 5.0 MAT-file, Platform", "save it in MATLAB with the option '-v7.3'"),
        (b"MATLAB 7.3 MAT-file, Platform", "is not a whole MATLAB file"),
    ],
)
def test_other_matlab_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.mat").write_bytes(content + bytes(600))
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "t.mat")
    with h5py.File(tmp_path / "t.mat", "w") as file:
        file["a"] = 1
    with pytest.raises(InputError, match="has no saveloc/loc"):
        read_table(tmp_path / "t.mat")


def decode(path: Path, unit: str, **left_out: Any) -> None:
    xyz = np.array([[0.0, 2.0, 30.0], [1.5, 0.0, -40.0]])
    values = {
        "xyz": xyz,
        "xyz_sig": np.ones((2, 3)),
        "frame_ix": np.array([0, 7]),
        "phot": np.array([900.0, 800.0]),
        "phot_cr": h5py.Empty("f4"),
        "prob": np.array([0.5, 1]),
    }
    with h5py.File(path, "w") as file:
        for name, value in {**values, **left_out}.items():
            if value is not None:
                file[f"data/{name}"] = value
        file.create_group("meta").attrs.update(
            {"xy_unit": unit, "px_size": np.array([100.0, 120.0])}
        )


@pytest.mark.parametrize("ending", [".h5", ".hdf5"])
def test_decode_counts_rows_first_and_from_the_pixels_centre(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    decode(path, "px")
    table = read_table(path)
    np.testing.assert_array_equal(table.y, [50, 200])
    np.testing.assert_array_equal(table.x, [300, 60])
    np.testing.assert_array_equal(table.axis("z"), [30, -40])
    np.testing.assert_array_equal(table.frame, [0, 7])
    np.testing.assert_array_equal(table.axis("sigma_y"), [100, 100])
    np.testing.assert_array_equal(table.axis("sigma_x"), [120, 120])
    np.testing.assert_array_equal(table.axis("probability"), [0.5, 1])
    assert table.sigma_photons is None
    np.testing.assert_array_equal(read_table(path, pixel_size_nm=10).x, [25, 5])
    decode(path, "nm")
    np.testing.assert_array_equal(read_table(path).y, [50, 51.5])


def test_what_is_wrong_with_a_decode_table_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    decode(path, "um")
    with pytest.raises(InputError, match="xy_unit 'um'; it must be px or nm"):
        read_table(path)
    decode(path, "px", frame_ix=None)
    with pytest.raises(InputError, match="lacks xyz or frame_ix"):
        read_table(path)
    decode(path, "px")
    with h5py.File(path, "a") as file:
        del file["meta"].attrs["px_size"]
    with pytest.raises(InputError, match="does not say how large a pixel is"):
        read_table(path)


def test_decodes_own_files(shared_data: Path) -> None:
    folder = shared_data / "table_formats"
    table = read_table(folder / "decode_dstorm_data.h5")
    assert len(table) == 96
    assert table.y[0] == pytest.approx((-0.149208292 + 0.5) * 127, rel=1e-6)
    assert table.x[0] == pytest.approx((138.894745 + 0.5) * 117, rel=1e-6)
    assert (table.frame[0], table.axis("background")[0]) == (294, np.float32(191.74039))
    none = read_table(folder / "decode_dstorm_data_empty.h5")
    assert (len(none), none.sigma_x) == (0, None)


def rapidstorm(path: Path, lines: str, fields: list[tuple[str, str]] = RAPIDSTORM) -> Path:
    told = "".join(FIELD.format(*field) for field in [*fields, ("ImageNumber-0-0", "frame")])
    path.write_text(f'# <localizations insequence="true">{told}</localizations>\n{lines}')
    return path


def test_rapidstorm_counts_from_the_pixels_centre(tmp_path: Path) -> None:
    path = rapidstorm(tmp_path / "t.txt", "0 100.5 0\n1e2 50 12\n")
    table = read_table(path, pixel_size_nm=100)
    np.testing.assert_array_equal(table.x, [50, 150])
    np.testing.assert_array_equal(table.y, [150.5, 100])
    np.testing.assert_array_equal(table.frame, [0, 12])
    assert len(read_table(rapidstorm(path, ""), pixel_size_nm=100)) == 0
    with pytest.raises(InputError, match=r"say how large one is \(pixel_size_nm\)"):
        read_table(path)
    micro = [("Position-0-0", "micrometer"), ("Position-1-0", "nanometer")]
    assert read_table(rapidstorm(path, "1 1 1\n", micro), pixel_size_nm=2).x[0] == 1001
    bad = [("Position-0-0", "pixel"), ("Position-1-0", "nanometer")]
    with pytest.raises(InputError, match="has Position-0-0 in 'pixel'"):
        read_table(rapidstorm(path, "1 1 1\n", bad), pixel_size_nm=100)
    with pytest.raises(InputError, match="no column 'Position-1-0'"):
        read_table(rapidstorm(path, "1 1\n", RAPIDSTORM[:1]), pixel_size_nm=100)
    with pytest.raises(InputError, match="is damaged"):
        read_table(rapidstorm(path, "1 1\n"), pixel_size_nm=100)


def test_rapidstorms_own_table_fits_its_images(shared_data: Path) -> None:
    """The brightest spot's centre of mass, in pixels, tells where positions count from."""
    folder = shared_data / "table_formats"
    pixel = 133.5  # so that 127 of them are the field's largest position, 16954.5 nm
    table = read_table(folder / "rapidSTORM_from_images.txt", pixel_size_nm=pixel)
    image = tifffile.imread(folder / "images.tif")[3].astype(float)
    row, column = 57, 85  # a spot that lasts
    cut = image[row - 3 : row + 4, column - 3 : column + 4]
    light = np.clip(cut - np.median(cut), 0, None)
    light[light < 0.2 * light.max()] = 0
    rows, columns = np.mgrid[row - 3 : row + 4, column - 3 : column + 4] + 0.5
    centre = np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()
    found = np.hypot(table.x / pixel - centre[0], table.y / pixel - centre[1])
    assert found.min() < 0.15  # half a pixel off would be 0.7
    assert "amplitude_adu" in table.extra
    assert table.photons is None


def test_elyras_own_table(shared_data: Path) -> None:
    table = read_table(shared_data / "table_formats" / "Elyra_dstorm_data.txt")
    assert len(table) == 15
    np.testing.assert_array_equal(table.frame, 0)
    assert (table.x[0], table.y[0]) == (np.float32(15850.6), np.float32(23502.1))
    assert (table.axis("photons")[0], table.axis("sigma_y")[0]) == (472, np.float32(8.6))
    assert {"Chi square", "Number Frames", "PSF half width [nm]"} < set(table.extra)


def test_elyra_counts_frames_from_1_and_ends_at_a_nul(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    names = b"Index\tFirst Frame\tPosition X [nm]\tPosition Y [nm]\tChannel\r\n"
    tail = b"\0\r\nVoxelSizeX : 0.1 \xb5m\r\n"
    path.write_bytes(names + b"1\t3\t10.5\t20\t2\r\n" + tail)
    table = read_table(path)
    assert (table.frame[0], table.x[0], table.y[0]) == (2, 10.5, 20)
    assert table.axis("channel")[0] == 2
    path.write_bytes(names + tail)
    assert len(read_table(path)) == 0
    path.write_bytes(b"Index\tFirst Frame\tX\n1\t1\t2\n")
    with pytest.raises(InputError, match=r"no column 'Position X \[nm\]'"):
        read_table(path)


def test_nanoimagers_own_table(shared_data: Path) -> None:
    table = read_table(shared_data / "table_formats" / "Nanoimager_dstorm_data.csv")
    assert (table.frame[0], table.frame.min()) == (1548, 0)
    assert table.x[0] == np.float32(40918.949219)
    np.testing.assert_array_equal(np.unique(table.axis("channel")), [0, 1])
    assert table.axis("background")[1] == np.float32(1.04512)


def smlm(path: Path, rows: AnyArray, **changes: Any) -> None:
    layout = {
        "mode": "binary",
        "headers": ["frame", "x", "y", "patch"],
        "dtype": ["uint8", "float32", "float32", "uint8"],
        "shape": ["1", 1, [1], [2, 2]],
        "units": ["frame", "nm", "um", ""],
    }
    file = {"name": "a.bin", "type": "table", "format": "f", "rows": str(len(rows))}
    manifest = {"formats": {"f": {**layout, **changes}}, "files": changes.get("files", [file])}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("a.bin", rows.tobytes())


ROWS = np.array(
    [(1, 10, 0.5, [[1, 2], [3, 4]]), (4, 20, 0.25, [[1, 2], [3, 4]])],
    [("frame", "u1"), ("x", "<f4"), ("y", "<f4"), ("patch", "u1", (2, 2))],
)


def test_smlm_of_others_with_units_offsets_and_patches(tmp_path: Path) -> None:
    path = tmp_path / "t.smlm"
    smlm(path, ROWS)
    table = read_table(path)
    assert list(table.columns()) == ["frame", "x", "y"]
    np.testing.assert_array_equal(table.frame, [0, 3])
    np.testing.assert_array_equal(table.y, [500, 250])
    file = {"name": "a.bin", "type": "table", "format": "f", "rows": 2}
    files = [{**file, "offset": {"x": -4, "frame": -1}}, file, {"type": "image", "name": "i.png"}]
    smlm(path, ROWS, files=files)
    both = read_table(path)
    np.testing.assert_array_equal(both.x, [6, 16, 10, 20])
    np.testing.assert_array_equal(both.axis("channel"), [0, 0, 1, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": ["", "px", "nm", ""]}, "has x in 'px'; save it in one of nm, "),
        ({"headers": ["f", "x", "y", "patch"]}, "no column 'frame'"),
        ({"dtype": ["uint8", "float32", "float64", "uint8"]}, r"instead of 2 rows of 17"),
        ({"dtype": ["bit", "float32", "float64", "uint8"]}, r"not a whole SMLM file"),
        ({"mode": "text"}, "holds text"),
        ({"files": []}, "holds no table"),
    ],
)
def test_what_is_wrong_with_an_smlm_file_is_said(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    smlm(tmp_path / "t.smlm", ROWS, **changes)
    with pytest.raises(InputError, match=message) as caught:
        read_table(tmp_path / "t.smlm")
    assert "\n" not in str(caught.value)


def test_smlms_own_table(shared_data: Path) -> None:
    table = read_table(shared_data / "table_formats" / "SMLM_dstorm_data.smlm")
    assert len(table) == 10
    assert (table.x.min(), table.x.max()) == (np.float32(1653.34), np.float32(14215.5))
    assert (table.y.min(), table.y.max()) == (np.float32(5597.88), np.float32(18577.3))
    np.testing.assert_array_equal(table.frame, 0)
    assert table.axis("background").max() == np.float32(909.902)


def test_our_smlm_follows_the_specification(tmp_path: Path) -> None:
    path = tmp_path / "t.smlm"
    write_table(path, molecules(), pixel_size_nm=100)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        size = archive.getinfo("table-0.bin").file_size
    (layout,) = manifest["formats"].values()
    assert manifest["format_version"] == "0.2"
    allowed = {"uint8", "uint16", "uint32", "float32", "float64"}
    assert set(layout["dtype"]) <= allowed
    assert size == 50 * sum(np.dtype(name).itemsize for name in layout["dtype"])
    assert dict(zip(layout["headers"], layout["units"], strict=True))["x_precision"] == "nm"
    with pytest.raises(InputError, match="'dye' holds <U1, not numbers; drop it for SMLM"):
        write_table(path, molecules(1).with_columns(dye=np.array(["a"])))


def test_a_run_is_a_table(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path) as log:
        log.append(0, 900, np.arange(900), molecules())
    same(read_table(tmp_path), molecules())
    same(read_table(tmp_path / "localizations-0000.arrows"), molecules())
    with pytest.raises(InputError, match="tables are read only; write one of"):
        check_writable(tmp_path / "t.arrows")
