"""`live-smlm engines`: what can localize here, and what is missing for the rest."""

import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from live_smlm.cli.words import Json
from live_smlm.engines import registry


def engines(*, as_json: Json = False) -> None:
    """List the engines that are installed."""
    rows = registry.listing()
    if as_json:
        print(json.dumps([asdict(row) for row in rows]))  # noqa: T201 - the command line speaks
        return
    table = Table("engine", "arrow", "devices", "missing here", box=None)
    for row in rows:
        name = f"{row.name} (default)" if row.default else row.name
        table.add_row(name, row.arrow, ", ".join(row.devices), ", ".join(row.missing) or "-")
    Console().print(table)
