"""Trained networks: the bundle that holds one, runtimes that run it, the engine made of both."""
