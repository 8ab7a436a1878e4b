"""From a source's words to the source: the demo, a simulation, Micro-Manager, a movie."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from live_smlm import config
from live_smlm.config import RunConfig
from live_smlm.core import PSF, CameraModel, FrameSource, InputError, options, require
from live_smlm.physics.dispersion import side_channel, with_side
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.sampling import sample
from live_smlm.physics.psf.zernike import coefficients
from live_smlm.physics.scenario import Scenario
from live_smlm.physics.simulator import Simulator
from live_smlm.sources.mm_settings import MicroManager
from live_smlm.sources.recorded import RecordedSource
from live_smlm.sources.simulated import SimulatedSource

SIMULATED = ("demo", "simulated")
KINDS = (*SIMULATED, "micromanager", "movie")
_CAMERA = "scmos:offset_adu=100,gain_e_per_adu=1,read_noise_e=1.6,qe=1"
_PSF = GaussianPSF(130.0)
_Z_STEP_NM = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """What `demo:` and `simulated:` may say of the specimen; see `live-smlm simulate --help`."""

    size: str = "128x128"
    density: float = 0.15
    photons: float = 1500.0
    photons_spread: float = 0.3
    background: float = 10.0
    background_amplitude: float = 0.0
    background_scale_nm: float = 2000.0
    specimen: str = "filaments"
    blinking: str = "four-state"
    on_frames: float = 3.0
    z_range_nm: float = 0.0
    drift: str | None = None
    """As `--drift` says it, with / for the commas between its own words."""
    bleaching: float | None = None
    """Frames in which the pool of `four-state` falls to 1 / e unseen; none: it is only used up."""
    dyes: str | None = None
    """As af647/cf660c, or two: with them a side channel is beside the image of `size`."""
    aberrations: str | None = None
    """Of the microscope, beyond what the run's `pupil` PSF says: rad by Noll's index, 8:0.3/11:0.2;
    engines are not told."""
    seed: int = 1
    truth: bool = False
    """Keep the true molecules, for whoever asks the source afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo(Specimen):
    """A specimen before Micro-Manager's demo camera."""

    exposure_ms: float = 10.0
    precomputed: int = 0
    """Simulate so many frames beforehand and repeat them."""
    buffer_mb: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated(Specimen):
    """A specimen without any camera."""

    frames: int = 1000
    rate_hz: float | None = None
    """None: as fast as possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMovie:
    """A movie, in the words of `movie:file=…`; a bare path means the same without options."""

    file: str
    rate_hz: str | None = None
    """Frames per second, or `recorded` for the movie's own times; none: as fast as possible."""
    watch_s: float | None = None
    """The movie is still written: go on until it has not grown for so long."""
    first: int = 0
    last: int | None = None


@contextmanager
def opened(run: RunConfig) -> Iterator[tuple[FrameSource, PSF | None]]:
    """The source that the configuration names, and the PSF its engine is to assume."""
    kind = run.source.partition(":")[0]
    psf = psf_of(run)
    if kind not in KINDS:
        yield _movie(run, RecordedMovie(file=run.source)), psf
        return
    _, words = options.parse(run.source, "source")
    if kind == "movie":
        yield _movie(run, options.build(RecordedMovie, words, "source 'movie'")), psf
        return
    if kind == "micromanager":
        from live_smlm.sources.micromanager import connected  # noqa: PLC0415 - heavy

        settings = options.build(MicroManager, words, "source 'micromanager'")
        with connected(settings, partial(camera_of, run)) as source:
            yield source, psf
        return
    psf = psf or _PSF
    if kind == "simulated":
        said = options.build(Simulated, words, "source 'simulated'")
        interval = 0.02 if said.rate_hz is None else 1 / said.rate_hz
        simulator = _simulator(run, said, psf, interval)
        yield _simulated(simulator, said), psf
        return
    from live_smlm.sources.specimen import in_demo_camera  # noqa: PLC0415 - heavy

    shown = options.build(Demo, words, "source 'demo'")
    require(shown.exposure_ms > 0, f"demo exposure_ms is {shown.exposure_ms:g}; give ms above 0")
    simulator = _simulator(run, shown, psf, shown.exposure_ms / 1000)
    with in_demo_camera(
        simulator,
        precomputed=shown.precomputed,
        buffer_mb=shown.buffer_mb,
        keep_truth=shown.truth,
    ) as source:
        yield source, psf


def _simulated(simulator: Simulator, said: Simulated) -> SimulatedSource:
    return SimulatedSource(simulator, said.frames, said.rate_hz, keep_truth=said.truth)


def psf_of(run: RunConfig) -> PSF | None:
    """The PSF that the run's engine assumes."""
    if run.psf is not None:
        return config.psf(run.psf)
    return _PSF if run.source.partition(":")[0] in SIMULATED else None


def camera_of(run: RunConfig, shape: tuple[int, int]) -> CameraModel:
    """The run's camera, for frames of this shape."""
    simulated = run.source.partition(":")[0] in SIMULATED
    said = run.camera or (_CAMERA if simulated else None)
    if said is None:
        raise InputError('camera is not said; give camera = "scmos:key=value,…"')
    camera = config.camera_model(config.camera_spec(said), shape, run.pixel_nm)
    if simulated and "dyes" in options.parse(run.source, "source")[1] and camera.side is None:
        return replace(camera, side=side_channel(shape))
    return camera


def _movie(run: RunConfig, said: RecordedMovie) -> FrameSource:
    path = Path(said.file)
    if not path.exists():
        raise InputError(
            f"source {said.file!r} is neither {', '.join(KINDS)} nor a movie that exists; "
            "check the name"
        )
    return RecordedSource(
        path,
        partial(camera_of, run),
        rate_hz=_rate(said.rate_hz),
        watch_s=said.watch_s,
        first=said.first,
        last=said.last,
    )


def _rate(text: str | None) -> float | Literal["recorded"] | None:
    if text is None or text == "recorded":
        return text  # type: ignore[return-value] # exactly these two
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"movie rate_hz is {text!r}; give frames per second, or recorded"
        ) from None


def _simulator(run: RunConfig, said: Specimen, psf: PSF, interval_s: float) -> Simulator:
    names = ("density", "photons", "photons_spread", "background", "background_amplitude")
    more = ("background_scale_nm", "specimen", "blinking", "on_frames", "z_range_nm", "bleaching")
    words = {name: getattr(said, name) for name in (*names, *more, "dyes", "seed")}
    words["drift"] = config.drift(said.drift and said.drift.replace("/", ","))
    shape = config.image_shape(said.size)
    own = run.camera is not None and config.camera_spec(run.camera).side_rows is not None
    camera = camera_of(run, with_side(shape) if said.dyes and not own else shape)
    seen = _aberrated(psf, said.aberrations, camera.pixel_size_nm)
    return Scenario(camera=camera, psf=seen, frame_interval_s=interval_s, **words).simulator()


def _aberrated(psf: PSF, said: str | None, pixel_nm: float) -> PSF:
    """The PSF as the microscope has it; a pupil is sampled, for it is slow."""
    require(
        said is None or isinstance(psf, PupilPSF),
        f"aberrations are said, but the PSF is {psf.name}; give psf=pupil:… to put them on",
    )
    if not isinstance(psf, PupilPSF):
        return psf
    own, more = coefficients(psf.zernike), coefficients(said or "")
    both = {mode: own.get(mode, 0) + more.get(mode, 0) for mode in {*own, *more}}
    return sample(replace(psf, zernike=both), pixel_nm, _Z_STEP_NM)
