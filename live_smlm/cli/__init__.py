"""The command line: words in, one clear line out when they cannot be used.

Exit codes: 0 done, 2 something the user gave cannot be used (one line says
what, its value and the cure), 130 interrupted. Anything else is our fault
and shows its traceback.
"""

import sys
from typing import Any

import typer

from live_smlm.cli import (
    build,
    calibrate,
    convert,
    demo,
    engines,
    localize,
    queue,
    recover,
    render,
    report,
    run,
    score,
    settings,
    simulate,
    train,
    view,
    watch,
    web,
    worker,
)
from live_smlm.core import InputError

# Typer brings its own copy of click or uses the installed one, by version; this finds either's.
UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    name="live-smlm",
    help="Live single-molecule localization beside the microscope.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("queue")(queue.queue)
app.command("recover")(recover.recover)
app.command("worker")(worker.worker)
app.command("keys")(worker.keys)
app.command("convert")(convert.convert)
app.command("info")(convert.info)
app.command("render")(render.render)
app.command("report")(report.report)
app.command("view")(view.view)
app.command("watch")(watch.watch)
app.command("web")(web.web)
app.command("config")(settings.settings)
app.command("simulate")(simulate.simulate)
app.command("localize")(localize.localize)
app.command("score")(score.score)
app.command("engines")(engines.engines)
app.command("calibrate")(calibrate.calibrate)
app.command("build")(build.build)
app.command("train")(train.train)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    try:
        code = app(arguments, standalone_mode=False)
    except UsageError as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "live-smlm")
        return _refuse(f"{error.format_message()} (see {command} --help)")
    except InputError as error:
        return _refuse(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
    except (KeyboardInterrupt, typer.Abort):
        return 130
    return code if isinstance(code, int) else 0


def _refuse(message: str) -> int:
    line = " ".join(message.split())
    print(f"live-smlm: {line}", file=sys.stderr)  # noqa: T201 - the command line speaks
    return 2
