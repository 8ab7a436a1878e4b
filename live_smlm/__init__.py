"""Live single-molecule localization beside the microscope.

Importing this package is cheap and needs neither torch, vispy, zmq nor
pycromanager; each room imports what it needs when it is entered.
"""

__version__ = "0.1.0"
