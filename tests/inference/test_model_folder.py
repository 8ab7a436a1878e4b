"""Models: what is written is read, what was changed or makes no sense is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from live_smlm.core import CameraModel, InputError
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.folder import table_hash
from live_smlm.inference.model import MODEL, Model, Ports, Said, models_of, write_model
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.sampling import sample as sampled

PORTS = Ports(
    inputs={"rois": ("n", 1, 7, "w"), "offset": (1,)},
    outputs={"background": ("n", "w")},
    usual={"n": 64, "w": 9},
)
SAID = Said(name="one", architecture="flat", graphs={"background": PORTS})
FILES = {"background.onnx": b"a graph", "weights.safetensors": b"weights"}


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return write_model(tmp_path / "one", SAID, FILES)


def resealed(folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Changed, with a hash that is right again."""
    path = folder / MODEL.manifest
    table = json.loads(path.read_text())
    del table["hash"]
    change(table)
    path.write_text(json.dumps({**table, "hash": table_hash(table)}))
    return folder


def test_what_was_written_is_read(model: Model, tmp_path: Path) -> None:
    again = Model.load(shutil.copytree(model.folder, tmp_path / "copy"))
    assert again.said == SAID
    assert (again.files, again.hash) == (model.files, model.hash)
    assert again.graph("background") == tmp_path / "copy" / "background.onnx"
    assert again.graph("background").read_bytes() == b"a graph"
    assert again.psf() is None


def test_all_that_is_said_is_read(tmp_path: Path) -> None:
    said = Said(
        name="full",
        architecture="deep",
        graphs={"background": PORTS},
        details={"scale": 2.5, "names": ["a", "b"], "deep": {"er": None}},
        envelope={"pixel_size_nm": (100.0, 110.0), "z_nm": (-300.0, 300.0)},
        psf=GaussianPSF(130.0).describe(),
        provenance={"command": "live-smlm train deep", "seed": 1},
    )
    model = write_model(tmp_path / "full", said, FILES, GaussianPSF(130.0))
    assert model.said == said
    assert model.psf() == GaussianPSF(130.0)
    assert (model.name, model.architecture) == ("full", "deep")
    assert (model.details, model.envelope) == (said.details, said.envelope)
    assert model.provenance["seed"] == 1


def test_an_older_model_is_replaced_and_other_folders_are_not(model: Model, tmp_path: Path) -> None:
    newer = write_model(model.folder, SAID, {**FILES, "background.onnx": b"newer"})
    assert newer.hash != model.hash
    assert Model.load(model.folder).hash == newer.hash
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="exists and is no model; choose another name"):
        write_model(tmp_path / "mine", SAID, FILES)
    with pytest.raises(InputError, match="has no graph background"):
        write_model(model.folder, SAID, {"other.onnx": b"x"})
    assert Model.load(model.folder).hash == newer.hash
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "one"]


def test_a_changed_file_is_named(model: Model) -> None:
    (model.folder / "background.onnx").write_bytes(b"another graph")
    with pytest.raises(InputError, match=r"model .*: background\.onnx was changed: its SHA-256"):
        Model.load(model.folder)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.update(format=2), "newer than 1; update live-smlm"),
        (lambda t: t.pop("details"), "lacks 'details'; export the model again"),
        (lambda t: t.update(name="../x"), "give a plain name"),
        (lambda t: t.update(architecture=""), "architecture is empty"),
        (lambda t: t.update(graphs={}), "has no graphs"),
        (lambda t: t.update(graphs=[1]), "holds nonsense"),
        (lambda t: t.update(envelope={"z_nm": [5, -5]}), "envelope z_nm is"),
        (lambda t: t.update(envelope={"z_nm": 5}), "holds nonsense"),
        (lambda t: t["graphs"]["background"]["usual"].pop("n"), "give a length for each of"),
        (lambda t: t["graphs"]["background"]["usual"].update(n=0), "give a length for each of"),
        (lambda t: t["graphs"]["background"]["inputs"].update(rois=[0, 1]), "port rois has shape"),
        (lambda t: t["files"].pop("background.onnx"), "has no graph background"),
    ],
)
def test_a_manifest_without_sense_is_refused(
    model: Model, change: Callable[[dict[str, Any]], Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        Model.load(resealed(model.folder, change))


def test_a_bundle_is_no_model(make_bundle: Callable[..., Bundle], model: Model) -> None:
    with pytest.raises(InputError, match=r"has no model\.json; give the folder of a model"):
        Model.load(make_bundle().folder)
    with pytest.raises(InputError, match=r"has no bundle\.json; give the folder of a bundle"):
        Bundle.load(model.folder)


def test_shapes_follow_from_the_lengths_of_free_axes() -> None:
    assert PORTS.shapes() == {"rois": (64, 1, 7, 9), "offset": (1,)}
    assert PORTS.shapes({"w": 5})["rois"] == (64, 1, 7, 5)
    with pytest.raises(InputError, match="no axis is called h; there are n, w"):
        PORTS.shapes({"h": 5})


def test_rows_are_counted_where_all_tensors_have_them() -> None:
    assert PORTS.rows() == 0
    free = Ports(inputs={"rois": ("n", 4)}, outputs={"sums": ("n",)}, usual={"n": 32})
    assert (free.rows(), free.rows(7)) == (32, 7)
    with pytest.raises(InputError, match="at_once is -1"):
        free.rows(-1)


def trained(folder: Path, psf: Any, **envelope: tuple[float, float]) -> Model:
    described = None if psf is None else psf.describe()
    said = Said(
        name="fit",
        architecture="flat",
        graphs={"background": PORTS},
        envelope=envelope,
        psf=described,
    )
    return write_model(folder / "fit", said, FILES, psf)


CAMERA = CameraModel(shape=(32, 32), pixel_size_nm=100.0, read_noise_e=1.6)


def test_what_a_model_does_not_know_it_does_not_mind(tmp_path: Path) -> None:
    assert trained(tmp_path, None).misfit(CAMERA, GaussianPSF(130.0)) is None


@pytest.mark.parametrize(
    ("psf", "envelope", "reason"),
    [
        (None, {"pixel_size_nm": (100.0, 100.0)}, None),
        (None, {"pixel_size_nm": (110.0, 120.0)}, "pixels are 100 nm, trained were 110 to 120"),
        (None, {"read_noise": (1.5, 1.7), "background_counts": (5.0, 9.0)}, None),
        (None, {"read_noise": (5.0, 6.0), "background_counts": (5.0, 9.0)}, "read noise is 1.6"),
        (GaussianPSF(130.0), {}, None),
        (GaussianPSF(170.0), {}, "trained was 170"),
        (AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0), {"z_nm": (-400.0, 400.0)}, "images"),
    ],
)
def test_a_camera_or_psf_that_is_not_the_training_s_is_told(
    psf: Any, envelope: dict[str, Any], reason: str | None, tmp_path: Path
) -> None:
    told = trained(tmp_path, psf, **envelope).misfit(CAMERA, GaussianPSF(130.0))
    if reason is None:
        assert told is None
    else:
        assert reason in str(told)
        assert "model 'fit' does not fit: " in str(told)
        assert "live-smlm train flat" in str(told)


def test_a_psf_that_parameters_do_not_tell_goes_along(tmp_path: Path) -> None:
    astigmatic = AstigmaticPSF(130.0, 130.0, 200.0, -200.0, 400.0, z_min_nm=-300, z_max_nm=300)
    psf = sampled(astigmatic, 100.0, z_step_nm=100.0)
    model = trained(tmp_path, psf, pixel_size_nm=(100.0, 100.0))
    again = model.psf()
    assert again is not None
    assert again.describe() == psf.describe()
    with pytest.raises(InputError, match="the PSF that it describes, or without both"):
        write_model(tmp_path / "new", SAID, FILES, psf)


def test_shipped_models_are_found_by_name(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models_of("live_smlm.core") == {}
    package = tmp_path / "planted_models"
    shutil.copytree(model.folder, package / "models" / "one")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert models_of("planted_models") == {"one": package / "models" / "one"}
