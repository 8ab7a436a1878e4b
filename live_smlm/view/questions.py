"""What is asked before something that cannot be undone, and told when it could not be done."""

from enum import Enum

from PySide6.QtWidgets import QMessageBox, QWidget


class Leave(Enum):
    """What is to become of a run whose window is left."""

    RUNNING = "running"
    STOPPED = "stopped"
    NOT = "not left"


def how_to_leave(window: QWidget) -> Leave:
    """Of a run that goes on."""
    box = QMessageBox(window)
    box.setWindowTitle("A run goes on")
    box.setText("A run goes on. It needs no window.")
    leave = box.addButton("Leave it running", QMessageBox.ButtonRole.AcceptRole)
    stop = box.addButton("Stop it", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(leave)
    box.exec()
    if box.clickedButton() is stop:
        return Leave.STOPPED
    return Leave.RUNNING if box.clickedButton() is leave else Leave.NOT


def may_abort(window: QWidget) -> bool:
    """Whether a run is to end without what waits."""
    answer = QMessageBox.question(
        window,
        "Abort the run?",
        "Frames that were captured but not yet localized are given up "
        "(they stay in the raw record, where there is one).\n\nAbort now?",
    )
    return answer is QMessageBox.StandardButton.Yes


def not_saved(window: QWidget, why: str) -> None:
    """Of a picture."""
    QMessageBox.warning(window, "The picture was not saved", why)
