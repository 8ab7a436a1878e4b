"""`live-smlm config`: what a configuration may say."""

from typing import Annotated

import typer

from live_smlm import config
from live_smlm.core import require


def settings(
    *, example: Annotated[bool, typer.Option("--example", help="Print a commented one")] = False
) -> None:
    """Print a configuration with every key, its meaning and its default."""
    require(example, "nothing to do; say --example")
    print(config.example())  # noqa: T201 - the command line speaks
