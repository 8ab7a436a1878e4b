"""`live-smlm train NAME`: from nothing to a bundle or model that engines run."""

import math
import shlex
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from live_smlm import config
from live_smlm.cli.words import Json, PixelNm, console, tell
from live_smlm.core import InputError, require
from live_smlm.core import options as option_text
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.model import Model

if TYPE_CHECKING:
    from live_smlm.training.lesson import Learnable
    from live_smlm.training.scene import Scene
    from live_smlm.training.trainer import Progress, Trained

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SceneWords:
    """What describes a scene, as it was said, by the options' names."""

    psf: str = ""
    camera: tuple[str, ...] = ()
    density: str = "0.1:3"
    photons: str = "500:8000"
    background: str = "5:30"
    z_range_nm: float = 0.0
    pixel_nm: float = 100.0

    def said(self) -> list[str]:
        """The options that are not at their defaults."""
        names = [f.name for f in fields(self) if getattr(self, f.name) != f.default]
        return [f"--{name.replace('_', '-')}" for name in names]

    def scene(self) -> "Scene | None":
        """The scene; None where neither PSF nor camera is said."""
        if not self.psf and not self.camera:
            return None
        from live_smlm.training.scene import Scene  # noqa: PLC0415 - slow to import

        for name in ("psf", "camera"):
            require(bool(getattr(self, name)), f"--{name} is not said; a scene needs it")
        cameras = [config.chip_model(config.camera_spec(c), self.pixel_nm) for c in self.camera]
        return Scene(
            psf=config.psf(self.psf),
            cameras=tuple(cameras),
            density_per_um2=_range(self.density, "--density"),
            photons=_range(self.photons, "--photons"),
            background=_range(self.background, "--background"),
            z_nm=(-self.z_range_nm, self.z_range_nm),
        )


_UNSAID = _SceneWords()


def train(
    lesson: Annotated[
        str, typer.Argument(help="What to train: glint, decode:width=16, liteloc, a plugin's…")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder of the bundle or model to write")],
    psf: Annotated[
        str, typer.Option("--psf", help=f"Where it is learnt in a scene: {config.PSF_HELP}")
    ] = "",
    camera: Annotated[
        list[str] | None,
        typer.Option("--camera", help=f"{config.CAMERA_HELP}; may be said again"),
    ] = None,
    density: Annotated[
        str, typer.Option("--density", help="Molecules per µm² and frame, LOW:HIGH")
    ] = _UNSAID.density,
    photons: Annotated[
        str, typer.Option("--photons", help="Of a molecule in a whole frame, LOW:HIGH")
    ] = _UNSAID.photons,
    background: Annotated[
        str, typer.Option("--background", help="Photons per pixel and frame, LOW:HIGH")
    ] = _UNSAID.background,
    z_range_nm: Annotated[
        float, typer.Option("--z-range-nm", help="Half range of z; 0: a network of the plane")
    ] = _UNSAID.z_range_nm,
    pixel_nm: PixelNm = _UNSAID.pixel_nm,
    steps: Annotated[int, typer.Option("--steps", help="How many; or say --minutes")] = 0,
    minutes: Annotated[float, typer.Option("--minutes", help="How long; or say --steps")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the weights and the batches")] = 0,
    check_every: Annotated[
        int, typer.Option("--check-every", help="Steps between looks at held-out batches")
    ] = 1000,
    patience: Annotated[
        int, typer.Option("--patience", help="Looks without progress that end it; 0: never")
    ] = 0,
    device: Annotated[str, typer.Option("--device", help="cpu, or a torch device")] = "cpu",
    workers: Annotated[
        int, typer.Option("--workers", help="Processes that draw batches ahead; for GPUs")
    ] = 0,
    threads: Annotated[int, typer.Option("--threads", help="Of torch on the CPU")] = 1,
    start: Annotated[
        Path | None, typer.Option("--start", help="Bundle or model whose weights it begins with")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Folder; where one lies, training goes on from it"),
    ] = None,
    scored: Annotated[
        bool, typer.Option("--score/--no-score", help="Run a bundle on the standard sets it fits")
    ] = True,
    as_json: Json = False,
) -> None:
    """Train a network on simulated data and write it as a bundle or model."""
    try:
        import torch  # noqa: PLC0415 - heavy, and an extra

        from live_smlm.training import finish, trainer  # noqa: PLC0415 - they import torch
    except ImportError as error:
        raise InputError(f"training needs {error.name}; pip install 'live-smlm[train]'") from error
    require(threads > 0, f"--threads is {threads}; give at least 1")
    torch.set_num_threads(threads)
    words = _SceneWords(
        psf=psf,
        camera=tuple(camera or ()),
        density=density,
        photons=photons,
        background=background,
        z_range_nm=z_range_nm,
        pixel_nm=pixel_nm,
    )
    what = _lesson(lesson, words)
    finish.kind_of(what).check_place(out)
    training = trainer.Training(
        lesson=what,
        steps=steps,
        minutes=minutes,
        seed=seed,
        check_every=check_every,
        patience=patience,
        start=start,
        device=device,
        workers=workers,
    )
    folder = checkpoint or out.with_name(f"{out.name}.checkpoint")
    trained = trainer.train(training, folder, _say)
    command = "live-smlm " + shlex.join(sys.argv[1:])
    written = finish.finish(trained, training, out, command, scored=scored)
    tell(_answer(written, trained), as_json=as_json)


def _lesson(text: str, words: _SceneWords) -> "Learnable":
    """What is meant: a lesson by its name, else the lesson of a network."""
    from live_smlm.training import lesson, network  # noqa: PLC0415 - they import torch
    from live_smlm.training.molecules import Molecules  # noqa: PLC0415 - with them

    name, options = option_text.parse(text, "lesson")
    known = {*lesson.found(), *network.found()}
    require(
        name in known,
        f"nothing that can be trained is called {name!r}; there are {', '.join(sorted(known))}",
    )
    scene = words.scene()
    if name not in lesson.found():
        if scene is None:
            raise InputError(f"network {name!r} is trained in a scene; say --psf and --camera")
        whole = {key: _whole(key, value) for key, value in options.items()}
        return Molecules(architecture=name, scene=scene, options=whole)
    made = lesson.lesson(name, options, scene)
    said = words.said()
    require(
        scene is not None or not said,
        f"lesson {name!r} is learnt without a scene; leave out {', '.join(said)}",
    )
    return made


def _answer(written: Bundle | Model, trained: "Trained") -> dict[str, Any]:
    said = written.manifest if isinstance(written, Bundle) else written.said
    answer = {
        "bundle" if isinstance(written, Bundle) else "model": str(written.folder),
        "hash": written.hash,
        "steps": trained.standing.step,
        "minutes": trained.standing.seconds / 60,
    }
    if isinstance(written, Bundle):
        named = ("macs_per_pixel", "threshold")
        answer |= {name: getattr(written.manifest, name) for name in named}
    return answer | {f"held out {k}": v for k, v in said.provenance["scores"]["held out"].items()}


def _say(progress: "Progress") -> None:
    """A line per look, on standard error."""
    left = progress.seconds / progress.step * (progress.steps - progress.step)
    told = [
        f"step {progress.step}/{progress.steps}",
        f"{left / 60:.1f} min left",
        f"loss {progress.loss:.4g}",
    ]
    judged = dict(progress.judged)
    told.append(f"held out {judged.pop('loss'):.4g}")
    told += [f"{name} {'-' if math.isnan(v) else format(v, '.3g')}" for name, v in judged.items()]
    console.print(", ".join(told), highlight=False, soft_wrap=True)


def _range(text: str, option: str) -> Range:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise InputError(f"{option} is {text!r}; write LOW:HIGH, for example 0.1:3") from None


def _whole(name: str, value: str) -> int:
    require(value.isdecimal(), f"architecture option {name} is {value!r}; give a whole number")
    return int(value)
