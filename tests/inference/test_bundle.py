import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.inference.bundle import BUNDLE, Bundle, shipped, write_bundle
from live_smlm.inference.envelope import image_difference
from live_smlm.inference.folder import sha256, table_hash
from live_smlm.inference.manifest import Manifest
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.sampling import sample as sampled


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle.folder, tmp_path / "copy"))


def edited(folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    path = folder / BUNDLE.manifest
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))
    return folder


def resealed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """With a hash that is right again, as another program would write it."""

    def changed(table: dict[str, Any]) -> None:
        del table["hash"]
        change(table)
        table["hash"] = table_hash(table)

    return edited(folder, changed)


def test_what_was_written_is_read(bundle: Bundle, copy: Path) -> None:
    again = Bundle.load(copy)
    assert again.manifest == bundle.manifest
    assert (again.files, again.hash) == (bundle.files, bundle.hash)
    assert again.graph("molecules") == copy / "molecules.onnx"
    assert again.graph("molecules", "fp16") == copy / "molecules.fp16.onnx"
    assert again.has("features", "fp32") == again.has_encoder
    assert again.psf() == GaussianPSF(130.0)


def test_the_hash_tells_bundles_apart(make_bundle: Callable[..., Bundle]) -> None:
    hashes = {make_bundle(encoder=e, axes=a).hash for e in (False, True) for a in (2, 3)}
    assert len(hashes) == 4


def test_a_graph_that_is_not_there_is_refused(make_bundle: Callable[..., Bundle]) -> None:
    with pytest.raises(InputError, match=r"has no features\.onnx; it has .*molecules\.onnx"):
        make_bundle(encoder=False).graph("features")


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "molecules.onnx").unlink()
    with pytest.raises(InputError, match=r"lacks molecules\.onnx; copy it again"):
        Bundle.load(copy)


def test_a_changed_file_is_named_with_both_hashes(bundle: Bundle, copy: Path) -> None:
    path = copy / "molecules.onnx"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(InputError, match=r"molecules\.onnx was changed: its SHA-256 is") as told:
        Bundle.load(copy)
    assert bundle.files["molecules.onnx"] in str(told.value)
    assert sha256(path) in str(told.value)


def test_a_changed_manifest_is_noticed(bundle: Bundle, copy: Path) -> None:
    edited(copy, lambda table: table.update(threshold=0.4))
    with pytest.raises(InputError, match=f"was changed: its hash .* it says {bundle.hash}"):
        Bundle.load(copy)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.update(format=2), "newer than 1; update live-smlm"),
        (lambda t: t.update(format="x"), "format 'x', not 1"),
        (lambda t: t.pop("files"), "lists no files"),
        (lambda t: t.pop("slots"), "needs slots"),
        (lambda t: t.pop("envelope"), "no envelope"),
        (lambda t: t.update(colour="red"), "no option 'colour'"),
        (lambda t: t.update(axes=4), "axes is 4; give 2 or 3"),
        (lambda t: t.update(threshold=1.5), "threshold is 1.5"),
        (lambda t: t.update(halo=[1]), "halo is .*give a tuple"),
        (lambda t: t.update(halo=[-1, 1]), "halo is"),
        (lambda t: t["envelope"].update(photons=[5, 1]), "photons is"),
        (lambda t: t["envelope"].pop("background"), "needs background"),
        (lambda t: t["files"].update({"../x": "0"}), "files lie in the folder itself"),
        (lambda t: t["files"].pop("molecules.onnx"), r"has no molecules\.onnx"),
    ],
)
def test_a_manifest_without_sense_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        Bundle.load(resealed(copy, change))


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        Bundle.load(tmp_path / "nowhere")
    archive = tmp_path / "bundle.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(InputError, match=r"is a file; give the folder \(unpack"):
        Bundle.load(archive)
    with pytest.raises(InputError, match=r"has no bundle\.json"):
        Bundle.load(tmp_path)
    (tmp_path / BUNDLE.manifest).write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        Bundle.load(tmp_path)
    (tmp_path / BUNDLE.manifest).write_text("[1]")
    with pytest.raises(InputError, match="holds no table"):
        Bundle.load(tmp_path)


def said(bundle: Bundle, **changes: Any) -> Manifest:
    values = {name: getattr(bundle.manifest, name) for name in Manifest.__slots__}
    return Manifest(**{**values, **changes})


def test_a_bundle_is_replaced_whole_or_not_at_all(bundle: Bundle, copy: Path) -> None:
    with pytest.raises(InputError, match=r"no molecules\.onnx"):
        write_bundle(copy, bundle.manifest, {"features.onnx": b"x"}, GaussianPSF(130.0))
    assert Bundle.load(copy).hash == bundle.hash
    files = {name: bundle.folder / name for name in bundle.files}
    newer = write_bundle(copy, said(bundle, slots=7), files, GaussianPSF(130.0))
    assert Bundle.load(copy).manifest.slots == newer.manifest.slots == 7
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_maps_without_meaning_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    files = {name: bundle.folder / name for name in bundle.files} | {"maps.onnx": b"x"}
    with pytest.raises(InputError, match="what its outputs mean"):
        write_bundle(tmp_path / "new", said(bundle, outputs=()), files, GaussianPSF(130.0))


def test_other_folders_are_not_replaced(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="is no bundle"):
        write_bundle(tmp_path / "mine", bundle.manifest, {}, GaussianPSF(130.0))


def test_a_spline_goes_along(bundle: Bundle, tmp_path: Path) -> None:
    astigmatic = AstigmaticPSF(130.0, 130.0, 200.0, -200.0, 400.0, z_min_nm=-300, z_max_nm=300)
    psf = sampled(astigmatic, 100.0, z_step_nm=100.0)
    trained = said(bundle).envelope
    values = {name: getattr(trained, name) for name in type(trained).__slots__}
    envelope = type(trained)(**{**values, "psf": psf.describe(), "z_nm": (-300.0, 300.0)})
    files = {name: bundle.folder / name for name in bundle.files}
    written = write_bundle(tmp_path / "new", said(bundle, envelope=envelope), files, psf)
    again = written.psf()
    assert again.describe() == psf.describe()
    at = np.array([800.0]), np.array([800.0]), np.array([120.0]), (16, 16), 100.0
    np.testing.assert_array_equal(again.images(*at).value, psf.images(*at).value)
    (tmp_path / "new" / "psf.h5").unlink()
    with pytest.raises(InputError, match=r"lacks psf\.h5"):
        Bundle.load(tmp_path / "new")


def test_a_mask_s_file_is_not_missed(bundle: Bundle, tmp_path: Path) -> None:
    mask = tmp_path / "ramp.npy"
    np.save(mask, np.linspace(-1, 1, 64)[:, None] * np.ones(64))
    psf = PupilPSF(mask=str(mask), model="scalar", z_min_nm=-50.0, z_max_nm=50.0)
    envelope = dataclasses.replace(bundle.manifest.envelope, psf=psf.describe())
    files = {name: bundle.folder / name for name in bundle.files}
    written = write_bundle(tmp_path / "new", said(bundle, envelope=envelope), files, psf)
    mask.unlink()
    assert image_difference(written.psf(), psf, np.array([0.0]), 100.0) < 0.05


def test_a_linked_bundle_is_replaced_where_it_lies(
    bundle: Bundle, copy: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(copy)
    files = {name: bundle.folder / name for name in bundle.files}
    write_bundle(link, said(bundle, slots=7), files, GaussianPSF(130.0))
    assert link.is_symlink()
    assert Bundle.load(copy).manifest.slots == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "link"]


def test_shipped_models_are_found_by_name(
    make_bundle: Callable[..., Bundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shipped("live_smlm.core") == {}
    package = tmp_path / "planted_package"
    shutil.copytree(make_bundle().folder, package / "models" / "one")
    (package / "models" / "not_one").mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert shipped("planted_package") == {"one": package / "models" / "one"}
