"""What an operator sees of a run: it subscribes to the run, and computes nothing for it.

Qt, pyqtgraph and vispy are imported here alone, and only once a window opens.
"""
