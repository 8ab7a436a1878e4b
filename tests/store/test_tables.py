"""Tables: what comes back and how exactly, and one clear line for each that cannot be read."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from live_smlm.core import AnyArray, InputError, Localizations, empty, from_columns
from live_smlm.store.tables import FORMATS, check_writable, read_table, write_table

WRITABLE = [(f.name, f.endings[0]) for f in FORMATS if f.write is not None]
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"data of other laboratories are not here ({name})")
    return path


def full(n: int = 50) -> Localizations:
    """Every standard column, with values that need all their digits, and extra ones."""
    rng = np.random.default_rng(4)
    names = [*("x", "y", "z", "photons", "background", "sigma_z", "sigma_photons")]
    names += ["sigma_x", "sigma_y", "sigma_background", "probability"]
    columns: dict[str, AnyArray] = {a: rng.lognormal(5, 2, n).astype(np.float32) for a in names}
    return from_columns(
        {
            "frame": np.sort(rng.integers(0, 10**6, n)),
            **columns,
            "channel": rng.integers(0, 3, n),
            "iterations": rng.integers(0, 50, n),
            "log_likelihood": rng.normal(-100, 10, n),
        }
    )


def assert_same(a: Localizations, b: Localizations, but: tuple[str, ...] = ()) -> None:
    assert set(a.columns()) - set(but) == set(b.columns()) - set(but)
    for name, column in a.columns().items():
        if name not in but:
            np.testing.assert_array_equal(b.columns()[name], column, err_msg=name)


def test_our_own_table_comes_back_bit_by_bit(tmp_path: Path) -> None:
    whole = full()
    write_table(tmp_path / "t.csv", whole)
    back = read_table(tmp_path / "t.csv")
    assert_same(whole, back)
    assert back.extra["iterations"].dtype == np.int64
    assert back.extra["log_likelihood"].dtype == np.float64


def test_our_own_header_is_as_promised(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", full(1))
    header = (tmp_path / "t.csv").read_text().splitlines()[0].split(",")
    assert header[:6] == ["frame", "x_nm", "y_nm", "z_nm", "photons", "background"]
    assert {"sigma_x_nm", "sigma_y_nm", "sigma_z_nm", "sigma_photons"} < set(header)
    assert {"sigma_background", "probability", "channel", "iterations"} < set(header)


@given(
    hnp.arrays(np.float32, st.integers(0, 20), elements=st.floats(width=32)),
    st.integers(0, 2**53),
)
@settings(max_examples=60, deadline=None)
def test_any_float_at_all_comes_back_from_our_own_table(
    tmp_path_factory: pytest.TempPathFactory, values: AnyArray, frame: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    table = from_columns(
        {"frame": np.full(len(values), frame), "x": values, "y": values, "sigma_x": values}
    )
    write_table(path, table)
    assert_same(table, read_table(path))


def test_text_and_truth_values_come_back_as_extra_columns(tmp_path: Path) -> None:
    extra = {"dye": np.array(['a "b", c', ""]), "merged": np.array([True, False])}
    table = full(2).with_columns(**extra)
    write_table(tmp_path / "t.csv", table)
    assert_same(table, read_table(tmp_path / "t.csv"))


def test_thunderstorm_keeps_all_but_the_lateral_sigmas_apart(tmp_path: Path) -> None:
    whole = full()
    write_table(tmp_path / "t.csv", whole, table_format="thunderstorm")
    back = read_table(tmp_path / "t.csv")
    assert_same(whole, back, but=("sigma_x", "sigma_y", "id"))
    rms = np.sqrt((whole.axis("sigma_x") ** 2 + whole.axis("sigma_y") ** 2) / 2)
    np.testing.assert_allclose(back.axis("sigma_x"), rms, rtol=1e-6)
    np.testing.assert_array_equal(back.axis("sigma_x"), back.axis("sigma_y"))
    header = (tmp_path / "t.csv").read_text().splitlines()[0]
    assert header.startswith('"id","frame","x [nm]","y [nm]","z [nm]","intensity [photon]"')


def test_thunderstorm_counts_frames_from_1(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"frame","x [nm]","y [nm]"\n1,10,20\n3.0,30,40\n')
    np.testing.assert_array_equal(read_table(path).frame, [0, 2])
    path.write_text('"frame","x [nm]","y [nm]"\n0,10,20\n2,30,40\n')
    np.testing.assert_array_equal(read_table(path).frame, [0, 2])


@pytest.mark.parametrize("pixel", [100.0, 106.7])
def test_picasso_keeps_positions_to_single_precision(tmp_path: Path, pixel: float) -> None:
    whole = full()
    write_table(tmp_path / "t.hdf5", whole, pixel_size_nm=pixel)
    back = read_table(tmp_path / "t.hdf5")
    lateral = ("x", "y", "sigma_x", "sigma_y")
    assert_same(whole, back, but=lateral)
    for name in lateral:
        bound = 2e-7 * (np.abs(whole.axis(name)) + pixel / 2)
        assert np.all(np.abs(back.axis(name) - whole.axis(name)) <= bound), name


def test_picasso_finds_what_it_wants(tmp_path: Path) -> None:
    table = full(3).with_columns(
        x=np.array([50, 150, 250]), y=np.array([450, 50, 50]), frame=np.array([0, 1, 7])
    )
    path = tmp_path / "t.hdf5"
    write_table(path, table, pixel_size_nm=100)
    with h5py.File(path) as file:
        locs = file["locs"][()]
        inside = json.loads(file["metadata"][()])
    np.testing.assert_allclose(locs["x"], [0, 1, 2])  # pixel centres are whole numbers
    np.testing.assert_allclose(locs["lpx"], table.axis("sigma_x") / 100, rtol=1e-6)
    assert locs.dtype["frame"] == np.uint32
    assert locs.dtype["x"] == np.float32
    wanted = {"Frames": 8, "Height": 5, "Width": 3, "Pixelsize": 100}
    assert wanted.items() <= inside[0].items()
    beside = path.with_suffix(".yaml").read_text()
    assert all(f"{name}: {value}\n" in beside for name, value in wanted.items())
    write_table(path, table, pixel_size_nm=100, shape=(64, 32), frames=10)
    beside = path.with_suffix(".yaml").read_text()
    assert "Height: 64\n" in beside
    assert "Width: 32\n" in beside
    assert "Frames: 10\n" in beside


def test_picassos_pixel_size_is_found_beside_inside_or_given(tmp_path: Path) -> None:
    path = tmp_path / "t.hdf5"
    write_table(path, full(5), pixel_size_nm=100)
    x = read_table(path).x
    path.with_suffix(".yaml").unlink()
    np.testing.assert_array_equal(read_table(path).x, x)
    np.testing.assert_allclose(read_table(path, pixel_size_nm=200).x, 2 * x, rtol=1e-6)
    with h5py.File(path, "a") as file:
        del file["metadata"]
    with pytest.raises(InputError, match=r"neither it nor t\.yaml says 'Pixelsize'"):
        read_table(path)
    path.with_suffix(".yaml").write_text("Frames: 3\n---\nPixelsize: none\n")
    with pytest.raises(InputError, match="Pixelsize 'none'; it must be a number"):
        read_table(path)


@pytest.mark.parametrize(
    ("description", "others"),
    [("Height: 3\nGenerated by: Picasso\n", ()), ('Generated by: "live-smlm"\n', ("m.raw",))],
)
def test_picassos_other_descriptions_are_not_written_over(
    tmp_path: Path, description: str, others: tuple[str, ...]
) -> None:
    beside = tmp_path / "m.yaml"
    beside.write_text(description)
    for name in others:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"over m\.yaml.*; write m_locs\.hdf5"):
        write_table(tmp_path / "m.hdf5", full(3), pixel_size_nm=100)
    assert beside.read_text() == description
    assert not (tmp_path / "m.hdf5").exists()
    write_table(tmp_path / "m_locs.hdf5", full(3), pixel_size_nm=100)


def test_picassos_description_may_hold_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / "t.hdf5"
    write_table(path, full(5), pixel_size_nm=100)
    x = read_table(path).x
    path.with_suffix(".yaml").write_bytes("Unit: µm\nPixelsize: 200\n".encode("latin-1"))
    np.testing.assert_allclose(read_table(path).x, 2 * x, rtol=1e-6)


@pytest.mark.parametrize(("name", "ending"), WRITABLE)
def test_tables_without_molecules_come_back_empty(tmp_path: Path, name: str, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    for table in (empty(), full(0)):
        write_table(path, table, table_format=name, pixel_size_nm=100)
        back = read_table(path)
        assert len(back) == 0
        assert set(table.columns()) <= set(back.columns())


@pytest.mark.parametrize(("name", "ending"), WRITABLE)
def test_nan_stays_nan_and_absent_stays_absent(tmp_path: Path, name: str, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    table = from_columns(
        {"frame": [0, 1], "x": [1, 2], "y": [3, 4], "photons": [np.nan, 7], "sigma_z": [np.nan] * 2}
    )
    write_table(path, table, table_format=name, pixel_size_nm=100)
    back = read_table(path)
    assert back.z is None
    np.testing.assert_array_equal(back.axis("photons"), table.axis("photons"))
    np.testing.assert_array_equal(back.axis("sigma_z"), table.axis("sigma_z"))


@pytest.mark.parametrize(("name", "ending"), WRITABLE)
def test_an_error_leaves_the_old_table_and_nothing_else(
    tmp_path: Path, name: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"t{ending}"
    write_table(path, full(5), table_format=name, pixel_size_nm=100)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}

    def fail(*_args: object, **_options: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("pyarrow.csv.write_csv", fail)
    monkeypatch.setattr("pyarrow.parquet.write_table", fail)
    monkeypatch.setattr("zipfile.ZipFile.writestr", fail)
    monkeypatch.setattr(h5py.Group, "create_dataset", fail)
    with pytest.raises(OSError, match="no space"):
        write_table(path, full(6), table_format=name, pixel_size_nm=100)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("ending", [".csv", ".hdf5", ".parquet", ".smlm"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_table_cut_short_is_refused(tmp_path: Path, ending: str, share: float) -> None:
    path = tmp_path / f"t{ending}"
    write_table(path, full(2000), pixel_size_nm=100)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"cut off|not a whole") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; write it again"),
        (b"\n1,2\n", "is empty; a table starts with a line of column names"),
        (b"\xff\xfe\x00\x01\n", "is not a table of text"),
        (b"frame,x_nm,z_nm\n1,2,3\n", "no column 'y_nm'; it has frame, x_nm, z_nm"),
        (b"x_nm,y_nm\n1,2\n", "no column 'frame'; it has x_nm, y_nm"),
        (b"frame,x [nm]\n1,2\n", r"no column 'y \[nm\]'; it has frame, x \[nm\]"),
        (b"frame,x,y\n1,2,3\n", "columns frame, x, y, which tell no known format"),
        (b"frame,x_nm,y_nm,x_nm\n1,2,3,4\n", "more than one column 'x_nm'"),
        (b"frame,x_nm,y_nm\n1,2,3\n1,2\n", "is damaged: .*Expected 3 columns, got 2"),
        (b"frame,x_nm,y_nm\n1,2,3\n1,two,3\n", "is damaged: .*'two'"),
        (b"frame,x_nm,y_nm\n1.5,2,3\n", "frame 1.5 in row 0; it must be a whole number"),
        (b"frame,x_nm,y_nm\n0,2,3\n,2,3\n", "frame nan in row 1; it must be a whole number"),
        (b"frame,x_nm,y_nm,channel\n0,2,3,40000\n", "channel 40000; 32767 is the most"),
        (b"frame_0based,x_px_from_corner,y_px_from_corner\n0,1,2\n", "counts in pixels"),
    ],
)
def test_what_is_wrong_with_a_text_table_is_said_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_place_of_a_table_is_checked(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=r"unknown ending '\.xyz'; use \.csv, \.hdf5"):
        read_table(tmp_path / "t.xyz")
    with pytest.raises(InputError, match=r"unknown ending ''"):
        write_table(tmp_path / "t", empty())
    with pytest.raises(InputError, match="does not exist"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path / "folder.csv")
    with pytest.raises(InputError, match="is a folder"):
        write_table(tmp_path / "folder.csv", empty())
    with pytest.raises(InputError, match="none does not exist; create it"):
        write_table(tmp_path / "none" / "t.csv", empty())


def test_a_table_that_cannot_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    check_writable(tmp_path / "t.csv")
    for bad in ("t.xyz", "none/t.csv"):
        with pytest.raises(InputError):
            check_writable(tmp_path / bad)
    assert list(tmp_path.iterdir()) == []


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'pixel-truth' is unknown for t\.csv; use live-smlm, "):
        write_table(tmp_path / "t.csv", empty(), table_format="pixel-truth")
    with pytest.raises(InputError, match="counts in pixels"):
        write_table(tmp_path / "t.hdf5", empty())
    with pytest.raises(InputError, match="pixel_size_nm is -1"):
        write_table(tmp_path / "t.hdf5", empty(), pixel_size_nm=-1)
    with pytest.raises(InputError, match="frame -1 cannot be written"):
        write_table(
            tmp_path / "t.hdf5", full(1).with_columns(frame=np.array([-1])), pixel_size_nm=100
        )
    with pytest.raises(InputError, match="'dye' holds <U1, not numbers"):
        write_table(
            tmp_path / "t.hdf5", full(1).with_columns(dye=np.array(["a"])), pixel_size_nm=100
        )
    with pytest.raises(InputError, match="'x_nm'"):
        write_table(tmp_path / "t.csv", full(1).with_columns(x_nm=np.zeros(1)))
    assert list(tmp_path.iterdir()) == []


def test_an_hdf5_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        file["picks"] = np.zeros(3)
    with pytest.raises(InputError, match="no dataset 'locs'; it has picks"):
        read_table(tmp_path / "t.hdf5")
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        file["locs"] = np.zeros(3)
    with pytest.raises(InputError, match="no column 'frame'"):
        read_table(tmp_path / "t.hdf5", pixel_size_nm=100)


def test_plain_truth_in_pixels_is_read(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(
        "frame_0based,x_px_from_corner,y_px_from_corner,z_nm\n0,0.5,2,-750.0\n4,1,0,3\n"
    )
    back = read_table(path, pixel_size_nm=160)
    np.testing.assert_array_equal(back.x, [80, 160])
    np.testing.assert_array_equal(back.y, [320, 0])
    np.testing.assert_array_equal(back.axis("z"), [-750, 3])
    np.testing.assert_array_equal(back.frame, [0, 4])


def test_the_sparse_truth_is_read() -> None:
    truth = read_table(shared("sparse_2d_simulated/truth.csv"), pixel_size_nm=160)
    assert len(truth) == 2000
    assert (truth.frame.min(), truth.frame.max()) == (0, 9)
    assert truth.x[0] == np.float32(62.8445 * 160)


def test_thunderstorms_doubly_quoted_header_is_read() -> None:
    table = read_table(shared("table_formats/Thunderstorm_dstorm_data.csv"))
    assert set(table.frame) == {2000}
    assert table.x[0] == np.float32(1320.109670647555)
    np.testing.assert_array_equal(table.axis("sigma_y"), table.axis("sigma_x"))
    assert {"id", "sigma [nm]", "bkgstd [photon]", "chi2"} == set(table.extra)


def test_zolas_dialect_is_read() -> None:
    table = read_table(shared("mitochondria_table/localizations.csv"))
    assert len(table) == 14_075
    assert table.axis("sigma_z")[0] == np.float32(14.31)
    assert table.axis("photons")[0] == np.float32(2558.62)
    assert {"driftX", "driftY", "driftZ", "chi2", "occurrenceMerging"} < set(table.extra)


def test_picassos_own_table_is_read() -> None:
    path = shared("picasso_origami/testdata_locs.hdf5")
    table = read_table(path)
    with h5py.File(path) as file:
        locs = file["locs"][()]
    np.testing.assert_allclose(table.x, (locs["x"] + 0.5) * 130, rtol=1e-6)
    np.testing.assert_allclose(table.axis("sigma_y"), locs["lpy"] * 130, rtol=1e-6)
    np.testing.assert_array_equal(table.frame, locs["frame"])
    assert table.z is None
