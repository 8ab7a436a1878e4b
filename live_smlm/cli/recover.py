"""`live-smlm recover RUN`: finish what a run left undone."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from live_smlm.cli.words import Json, console, tell
from live_smlm.session.recover import recover as recover_run


def recover(
    folder: Annotated[Path, typer.Argument(help="Folder of the run")], *, as_json: Json = False
) -> None:
    """Localize deferred and lost frames from the raw record; complete the run's record."""
    quiet = not console.is_terminal
    with Progress(console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("frames", total=None)
        record = recover_run(folder, lambda count: bar.advance(task, count))
    answer = {"finish": record["finish"], "reason": record["reason"], **record["frames"]}
    tell({**answer, "molecules": record["molecules"]}, as_json=as_json)
