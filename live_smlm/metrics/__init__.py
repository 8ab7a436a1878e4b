"""Numbers that are computed while the acquisition runs: whether the engine can be trusted on this sample."""
