"""How good the molecules are: matching against truth, the challenge's metrics."""
