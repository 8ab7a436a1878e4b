"""The options that several commands share: one way to say things everywhere."""

import json
import os
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console

from live_smlm import config
from live_smlm.core import require

Psf: TypeAlias = Annotated[str, typer.Option("--psf", help=config.PSF_HELP)]
Camera: TypeAlias = Annotated[str, typer.Option("--camera", help=config.CAMERA_HELP)]
PixelNm: TypeAlias = Annotated[
    float, typer.Option("--pixel-nm", help="Pixel pitch in the sample plane, nm")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object")]
Seed: TypeAlias = Annotated[int, typer.Option("--seed", help="The same seed, the same movie")]
Device: TypeAlias = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, cuda:N or auto (and it is said which)")
]
Shadow: TypeAlias = Annotated[
    bool | None, typer.Option("--shadow/--no-shadow", help="Fit a few molecules again to compare")
]
StopRule: TypeAlias = Annotated[
    str | None,
    typer.Option("--stop", help="When it is enough, as 'frc < 30 nm or time > 10 min'"),
]
TakeDriftOff: TypeAlias = Annotated[
    bool, typer.Option("--drift", help="Of a run: take the sample's drift off, as it was measured")
]
Regions: TypeAlias = Annotated[
    str | None,
    typer.Option("--regions", help="Judged apart: 'cell = left,top,right,bottom; …', nm"),
]
StopDryRun: TypeAlias = Annotated[
    bool | None, typer.Option("--stop-dry-run", help="Say when the rule would end it, and go on")
]
Laser: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--laser", help="Keep the density: Laser.Voltage:set_point_per_um2=0.2,highest=10"
    ),
]
Threads: TypeAlias = Annotated[int, typer.Option("--threads", help="Lanes; 0: one per core")]
Desk: TypeAlias = Annotated[
    str | None,
    typer.Option("--desk", help="tcp://host:port where viewers ask; otherwise beside status"),
]
Predict: TypeAlias = Annotated[
    str | None,
    typer.Option("--predict", help="Engine that predicts the picture from what there is of it"),
]
PredictEvery: TypeAlias = Annotated[
    float | None, typer.Option("--predict-every", help="Seconds between two predictions")
]
SnapshotEvery: TypeAlias = Annotated[
    float | None,
    typer.Option("--snapshot-every", help="Write the picture so far every so many seconds"),
]
Web: TypeAlias = Annotated[
    int | None, typer.Option("--web", help="Port of a page that shows the run in a browser")
]
WebHost: TypeAlias = Annotated[
    str | None, typer.Option("--web-host", help="Its address, where others may watch")
]
WebControl: TypeAlias = Annotated[
    bool | None, typer.Option("--web-control", help="Let the page stop the run, by a token")
]
OpenWindow: TypeAlias = Annotated[
    bool, typer.Option("--window/--headless", help="Open the window on it; it stays afterwards")
]

MOST_LANES = 256

console = Console(stderr=True)
"""Progress goes here, so that what a command prints can be piped."""


def lanes(threads: int) -> int:
    """How many threads to use when `--threads` says so."""
    require(
        0 <= threads <= MOST_LANES,
        f"number of lanes is {threads}; give 1 to {MOST_LANES}, or 0 for one per core",
    )
    return threads or os.cpu_count() or 1


def trust_words(trust: Mapping[str, Any]) -> str:
    """The verdict in a line; alarms by name and value, or why nothing is checked."""
    if trust["alarms"]:
        said = (f"{alarm['name']} {alarm['value']:.3g}" for alarm in trust["alarms"])
        return f"ALARM: {', '.join(said)}"
    why = {"too early": trust["shadow"], "not checked": trust["shadow"]}.get(trust["verdict"])
    return trust["verdict"] if why is None else f"{trust['verdict']} ({why})"


def tell(answer: Mapping[str, object], *, as_json: bool) -> None:
    """Print a command's answer: JSON for programs, lines for people."""
    if as_json:
        print(json.dumps(answer))  # noqa: T201 - the command line speaks
        return
    width = max(len(name) for name in answer)
    for name, value in answer.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        print(f"{name:<{width}}  {'-' if shown is None else shown}")  # noqa: T201 - as above
