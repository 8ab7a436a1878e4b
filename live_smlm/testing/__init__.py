"""Contracts that every engine, source and PSF keeps; for our tests and those of plugins.

Each contract is a class of pytest tests: subclass it and say what is under
test. Not imported at run time.
"""
