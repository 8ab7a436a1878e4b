"""Colours and sizes for a dark room: little light, few colours, one accent.

Sizes are in points of the screen; Qt scales them on fine screens.
"""

from live_smlm.view.news import Grade

GROUND = "#0c0d0f"
PANEL = "#141619"
RAISED = "#1d2024"
EDGE = "#2a2e34"
TEXT = "#d6d9dd"
FAINT = "#8b929b"
ACCENT = "#5aa9d6"
GRADES = {
    Grade.GOOD: "#63b37c",
    Grade.NEUTRAL: FAINT,
    Grade.CAUTION: "#e0b050",
    Grade.ALARM: "#ee6a5f",
}
LINES = (ACCENT, "#e0b050", "#b98ad0")
"""Of several lines in a chart."""
MARK = "#f2f4f6"
"""Of what is drawn over the picture."""
MARGIN = 8
FONT = "DejaVu Sans, Noto Sans, Segoe UI, Helvetica Neue, sans-serif"

SHEET = f"""
* {{ font-family: {FONT}; font-size: 12px; color: {TEXT}; }}
QMainWindow, QDialog, QScrollArea, QMessageBox {{ background: {GROUND}; }}
QMainWindow::separator {{ background: {GROUND}; width: 5px; height: 5px; }}
QDockWidget {{ color: {FAINT}; }}
QDockWidget::title {{ background: {GROUND}; padding: 5px 8px 3px 8px; text-align: left; }}
QWidget#panel {{ background: {PANEL}; border: 1px solid {EDGE}; border-radius: 4px; }}
QWidget#inner, QWidget#inner QScrollArea {{ background: transparent; border: none; }}
QLabel {{ background: transparent; }}
QLabel#faint, QLabel#caption {{ color: {FAINT}; }}
QLabel#caption {{ font-size: 11px; }}
QLabel#number {{ font-size: 19px; font-weight: 500; }}
QLabel#verdict {{ font-size: 21px; font-weight: 600; }}
QLabel#value {{ font-size: 16px; font-weight: 500; }}
QLabel#title {{ font-size: 15px; font-weight: 600; }}
QLabel#section {{ color: {FAINT}; font-size: 11px; font-weight: 600; padding: 0; }}
QPushButton, QToolButton {{ background: {RAISED}; border: 1px solid {EDGE}; border-radius: 4px;
  padding: 5px 12px; min-height: 18px; }}
QToolButton {{ padding: 4px 7px; }}
QToolButton#tight {{ padding: 4px 3px; }}
QPushButton:hover, QToolButton:hover {{ border-color: {ACCENT}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {ACCENT}; }}
QPushButton:disabled, QToolButton:disabled {{ color: #565c64; background: {PANEL}; }}
QToolButton:checked {{ background: #24435a; border-color: {ACCENT}; }}
QPushButton#start {{ background: #1f3d2a; border-color: #35684a; font-weight: 600; }}
QPushButton#start:disabled, QPushButton#stop:disabled {{ background: {PANEL};
  border-color: {EDGE}; }}
QPushButton#stop {{ background: #4a2522; border-color: #8a423b; font-weight: 600; }}
QComboBox, QLineEdit, QSpinBox, QDoubleSpinBox {{ background: {RAISED};
  border: 1px solid {EDGE}; border-radius: 3px; padding: 2px 6px; min-height: 20px;
  selection-background-color: #2d5975; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; border: none; }}
QComboBox:focus, QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus {{
  border-color: {ACCENT}; }}
QLineEdit[wrong="true"] {{ border-color: {GRADES[Grade.ALARM]}; }}
QComboBox::drop-down {{ border: none; width: 18px; }}
QComboBox::down-arrow {{ image: none; width: 0; height: 0; margin-right: 8px;
  border-left: 4px solid {RAISED}; border-right: 4px solid {RAISED};
  border-top: 5px solid {FAINT}; }}
QComboBox QAbstractItemView {{ background: {RAISED}; border: 1px solid {EDGE};
  selection-background-color: #2d5975; }}
QCheckBox {{ background: transparent; spacing: 6px; }}
QCheckBox::indicator {{ width: 13px; height: 13px; border: 1px solid #4a515a; border-radius: 3px;
  background: {RAISED}; }}
QCheckBox::indicator:checked {{ background: {ACCENT}; border-color: {ACCENT}; }}
QSlider::groove:horizontal {{ background: {EDGE}; height: 3px; border-radius: 1px; }}
QSlider::handle:horizontal {{ background: {FAINT}; width: 12px; height: 12px; margin: -5px 0;
  border-radius: 6px; }}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{ background: {ACCENT}; }}
QProgressBar {{ background: {RAISED}; border: 1px solid {EDGE}; border-radius: 3px;
  height: 8px; }}
QProgressBar::chunk {{ background: {ACCENT}; border-radius: 2px; }}
QProgressBar[reached="true"]::chunk {{ background: {GRADES[Grade.GOOD]}; }}
QListWidget {{ background: {PANEL}; border: 1px solid {EDGE}; border-radius: 4px; }}
QListWidget::item {{ padding: 4px 6px; }}
QFrame#verdict {{ border-radius: 4px; }}
QFrame#verdict[alarm="true"] {{ background: #3a1512; border: 1px solid #8a423b; }}
QTabBar {{ qproperty-drawBase: 0; }}
QTabBar::tab {{ background: transparent; color: {FAINT}; padding: 5px 12px;
  border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {TEXT}; border-bottom-color: {ACCENT}; }}
QScrollBar:vertical {{ background: transparent; width: 8px; }}
QScrollBar::handle:vertical {{ background: {EDGE}; border-radius: 4px; min-height: 24px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {EDGE}; padding: 3px; }}
"""
