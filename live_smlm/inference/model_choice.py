"""Which of an engine's models serves a place: the one that is named, or the first that fits.

For engines whose graphs mean something to them alone (`model`); what the
house's own networks of frames choose from are bundles (`model_engine`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from live_smlm.core import PSF, CameraModel, EngineContext, InputError, require
from live_smlm.inference.envelope import Range
from live_smlm.inference.model import MODEL, Model, models_of
from live_smlm.inference.runtime import RuntimeName, choose


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """The models that an engine may take."""

    engine: str
    package: str
    """Where shipped ones lie, in the folder `models`."""
    named: str = ""
    """A model's folder, a folder of models, or the name of a shipped one; "": any shipped."""
    runtime: RuntimeName = "auto"

    def models(self) -> list[Model]:
        """All of them, by name."""
        ours = models_of(self.package)
        if not self.named:
            folders = ours
        elif self.named in ours:
            folders = {self.named: ours[self.named]}
        else:
            folder = Path(self.named)
            require(
                folder.exists(),
                f"model {self.named!r} is neither a folder nor shipped with {self.engine}, which "
                f"has {', '.join(ours) or 'none'}",
            )
            folders = MODEL.within(folder) or {folder.name: folder}
        return [_loaded(folders[name]) for name in sorted(folders)]

    def serving(self, context: EngineContext) -> Model:
        """The first that fits; refuses with the reasons where none does."""
        models = self.models()
        require(
            bool(models),
            f"engine {self.engine!r} has no model here; train one with "
            f"`live-smlm train {self.engine} …` and give model=FOLDER",
        )
        misfits = []
        for model in models:
            place = context.camera, context.psf
            misfit = _misfit(_key(model.folder), *place)  # type: ignore[arg-type] # PSFs hash
            if misfit is None:
                return model
            misfits.append(misfit)
        raise InputError("; ".join(misfits))

    def unsupported(self, context: EngineContext) -> str | None:
        """Why none serves there, or nothing that would run it."""
        try:
            self.serving(context)
            choose(self.runtime, context)
        except InputError as error:
            return str(error)
        return None

    def envelope(self) -> Mapping[str, Range]:
        """Ranges of which every model says something, wide enough for all of them."""
        said = [model.envelope for model in self.models()]
        names = set.intersection(*map(set, said)) if said else set()
        return {
            name: (min(of[name][0] for of in said), max(of[name][1] for of in said))
            for name in sorted(names)
        }

    def describe(self, context: EngineContext) -> dict[str, object]:
        """What would be opened there, for records."""
        model = self.serving(context)
        runtime = choose(self.runtime, context).name
        return {"model": model.name, "hash": model.hash, "runtime": runtime}


Key = tuple[Path, int]
"""A model's folder and when its manifest was written."""


def _key(folder: Path) -> Key:
    manifest = folder / MODEL.manifest
    return folder, manifest.stat().st_mtime_ns if manifest.is_file() else 0


def _loaded(folder: Path) -> Model:
    """A model, verified once as long as its manifest stays as it is."""
    return _verified(_key(folder))


@lru_cache(maxsize=32)
def _verified(key: Key) -> Model:
    return Model.load(key[0])


@lru_cache(maxsize=32)
def _misfit(key: Key, camera: CameraModel, psf: PSF | None) -> str | None:
    """Asked once for a place: images of a pupil take seconds."""
    return _verified(key).misfit(camera, psf)
