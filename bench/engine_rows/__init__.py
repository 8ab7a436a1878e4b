"""Claims of papers and what came of them, a module for each engine; see `bench/engines.py`."""
