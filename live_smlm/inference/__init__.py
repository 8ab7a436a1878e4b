"""Trained networks: the bundle that holds one, the runtimes that run it, the engine made of both."""
