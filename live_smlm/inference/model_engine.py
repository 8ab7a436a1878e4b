"""The engine that a bundle and a runtime make; plugins give it a name and their models.

The only place where effective counts become photons and pixels nanometres.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from live_smlm.core import (
    I64,
    AnyArray,
    CameraModel,
    EngineContext,
    EngineSpec,
    FrameBatch,
    InputError,
    Localizations,
    from_columns,
    require,
)
from live_smlm.fitting.fields import FIELDS
from live_smlm.inference.bundle import BUNDLE, Bundle, shipped
from live_smlm.inference.context import gapless
from live_smlm.inference.envelope import Range, hull
from live_smlm.inference.manifest import Manifest
from live_smlm.inference.runtime import (
    Opened,
    Peaks,
    Precision,
    RuntimeName,
    RuntimeSettings,
    choose,
    runtime,
)
from live_smlm.inference.slots import joined

_IN_LENGTH_PX = ("x", "y", "sigma_x", "sigma_y")
_IN_COUNTS = ("photons", "background", "sigma_photons")


@dataclass(slots=True, eq=False)
class Localizer:
    """The function that `ModelEngine.open` yields."""

    opened: Opened
    bundle: Bundle
    camera: CameraModel
    crowded: int = 0
    """Candidates so far that found no slot in the network's answer."""

    def __call__(self, batch: FrameBatch, /) -> Localizations:
        """The molecules of the frames between the halos."""
        numbers = batch.index[batch.core]
        return molecules(self.peaks(batch), numbers, self.bundle.manifest, self.camera)

    def peaks(self, batch: FrameBatch) -> Peaks:
        """The same as the network says it."""
        manifest, core = self.bundle.manifest, batch.core
        parts = []
        for places in gapless(batch.index, core, manifest.halo):
            peaks = self.opened(batch.pixels[places], batch.index[places])
            first = int(places[manifest.halo[0]]) - core.start
            parts.append((first, peaks))
        peaks = joined(parts, core.stop - core.start)
        self.crowded += int(peaks.crowded.sum())
        return peaks


def molecules(
    peaks: Peaks, numbers: I64, manifest: Manifest, camera: CameraModel, **extra: AnyArray
) -> Localizations:
    """Peaks in nm and photons, with columns of the engine's own; those beyond the frame go."""
    nm = camera.pixel_size_nm
    photons = camera.excess_noise / camera.quantum_efficiency
    factors = dict.fromkeys(_IN_LENGTH_PX, nm) | dict.fromkeys(_IN_COUNTS, photons)
    columns = {
        name: peaks.column(name) * np.float32(factors.get(name, 1.0))
        for name in FIELDS
        if manifest.tells(name)
    }
    rows, width = (side * nm for side in camera.shape)
    x, y = columns["x"], columns["y"]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < rows)
    return from_columns({"frame": numbers[peaks.frame], **columns, **extra}).where(inside)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEngine:
    """Frames to molecules by a trained network."""

    name: str
    """The engine's."""
    package: str
    """Where its shipped models lie, in the folder `models`."""
    model: str = ""
    """A bundle's folder, a folder of bundles, or the name of a shipped one; the one that fits.

    "": of those that are shipped.
    """
    threshold: float = 0.0
    """Probability from which a molecule counts; 0: as the model says."""
    runtime: RuntimeName = "auto"
    precision: Precision = ""
    """"": the runtime's default."""
    skip_dark: bool = False
    """Leave out regions where nothing glows."""

    def __post_init__(self) -> None:
        require(
            0 <= self.threshold < 1,
            f"{self.name} threshold is {self.threshold:g}; give 0 (the model's own) to below 1",
        )

    @property
    def spec(self) -> EngineSpec:
        """That of the network; an engine that does more may want more."""
        return self.network_spec()

    def network_spec(self) -> EngineSpec:
        """Of the model that is named, or such that all that are shipped are served."""
        models = self._candidates()
        halos = [model.manifest.halo for model in models] or [(0, 0)]
        named = None if self.runtime == "auto" else runtime(self.runtime)
        return EngineSpec(
            name=self.name,
            consumes=FrameBatch,
            produces=Localizations,
            devices=("cpu", "cuda") if named is None else (named.device,),
            needs=() if named is None else named.needs,
            halo=(max(before for before, _ in halos), max(after for _, after in halos)),
            envelope=hull([model.manifest.envelope for model in models]),
        )

    def unsupported(self, context: EngineContext) -> str | None:
        """A model that does not fit, a device or a package that is not there."""
        try:
            self.bundle(context)
            choose(self.runtime, context, self.precision)
        except InputError as error:
            return str(error)
        return None

    def bundle(self, context: EngineContext) -> Bundle:
        """The model for this camera and PSF; refuses with the reasons where none fits."""
        models = self._candidates()
        require(
            bool(models),
            f"engine {self.name!r} has no model here; train one with "
            f"`live-smlm train {self.name} …` and give model=FOLDER",
        )
        misfits = []
        for model in models:
            misfit = model.misfit(context.camera, context.psf)
            if misfit is None:
                return model
            misfits.append(misfit)
        raise InputError("; ".join(misfits))

    def envelope_in(self, context: EngineContext) -> Mapping[str, Range]:
        """Of the model for this camera and PSF; see `core.Choosing`."""
        return self.bundle(context).manifest.envelope.spec_ranges()

    def describe(self, context: EngineContext) -> dict[str, object]:
        """What would be opened, for records."""
        bundle = self.bundle(context)
        chosen = choose(self.runtime, context, self.precision)
        return {
            "model": bundle.manifest.name,
            "hash": bundle.hash,
            "threshold": self._threshold(bundle),
            "runtime": chosen.name,
            "precision": self.precision or chosen.precisions[0],
        }

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Localizations]]:
        """See `core.Engine`."""
        with self.localizer(context) as localizer:
            yield localizer

    @contextmanager
    def localizer(self, context: EngineContext) -> Iterator[Localizer]:
        """The network, ready to run; for engines that do more with what it says."""
        bundle = self.bundle(context)
        chosen = choose(self.runtime, context, self.precision)
        settings = RuntimeSettings(
            threshold=self._threshold(bundle), precision=self.precision, skip_dark=self.skip_dark
        )
        with chosen.open(bundle, context, settings) as opened:
            yield Localizer(opened, bundle, context.camera)

    def _threshold(self, bundle: Bundle) -> float:
        return self.threshold or bundle.manifest.threshold

    def _candidates(self) -> list[Bundle]:
        """A PSF that nobody names may be any: models of the plane come first."""
        ours = shipped(self.package)
        if not self.model:
            return _flat_first(ours.values())
        if self.model in ours:
            return [_loaded(ours[self.model])]
        folder = Path(self.model)
        require(
            folder.exists(),
            f"model {self.model!r} is neither a folder nor shipped with {self.name}, which has "
            f"{', '.join(ours) or 'none'}",
        )
        return _flat_first(BUNDLE.within(folder).values() or [folder])


def _flat_first(folders: Iterable[Path]) -> list[Bundle]:
    models = [_loaded(folder) for folder in folders]
    return sorted(models, key=lambda model: (model.manifest.axes, model.manifest.name))


def _loaded(folder: Path) -> Bundle:
    """A bundle, verified once as long as its manifest stays as it is."""
    manifest = folder / BUNDLE.manifest
    return _verified(folder, manifest.stat().st_mtime_ns if manifest.is_file() else 0)


@lru_cache(maxsize=32)
def _verified(folder: Path, _: int) -> Bundle:
    return Bundle.load(folder)
