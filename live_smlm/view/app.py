"""Opens the window and stays until it is closed."""

import signal
import sys

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from live_smlm.config import RunConfig
from live_smlm.core import InputError
from live_smlm.view import theme
from live_smlm.view.form import UsualEngine, usual_engine
from live_smlm.view.window import FindRun, Window

_SHARE = 0.9
"""Of the screen that the window takes at first."""


def application() -> QApplication:
    """Qt's, dark."""
    running = QApplication.instance()
    app = running if isinstance(running, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("live-smlm")
    app.setStyle("Fusion")
    app.setPalette(_palette())
    app.setStyleSheet(theme.SHEET)
    return app


def show(
    find: FindRun,
    where: str | None = None,
    *,
    form: RunConfig | None = None,
    usual: UsualEngine = usual_engine,
) -> int:
    """Show the run of a folder or at an address, or the form of a new one; until closed."""
    app = application()
    window = Window(find, form=form, usual=usual)
    screen = app.primaryScreen().availableGeometry()
    window.resize(round(_SHARE * screen.width()), round(_SHARE * screen.height()))
    try:
        if where is not None:
            window.join(where)
    except InputError:
        window.close()
        raise
    window.show()
    # Ctrl-C closes the window and leaves the run alone.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: window.leave_running())
    try:
        return app.exec()
    finally:
        signal.signal(signal.SIGINT, before)


def _palette() -> QPalette:
    palette = QPalette()
    roles = QPalette.ColorRole
    colours = {
        roles.Window: theme.GROUND,
        roles.WindowText: theme.TEXT,
        roles.Base: theme.PANEL,
        roles.AlternateBase: theme.RAISED,
        roles.Text: theme.TEXT,
        roles.Button: theme.RAISED,
        roles.ButtonText: theme.TEXT,
        roles.PlaceholderText: theme.FAINT,
        roles.ToolTipBase: theme.RAISED,
        roles.ToolTipText: theme.TEXT,
        roles.Highlight: "#2d5975",
        roles.HighlightedText: theme.MARK,
        roles.Link: theme.ACCENT,
    }
    for role, colour in colours.items():
        palette.setColor(role, QColor(colour))
    for role in (roles.Text, roles.ButtonText, roles.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor("#565c64"))
    return palette
