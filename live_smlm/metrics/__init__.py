"""Numbers that are made while a run goes on: whether its engine can be trusted on this sample."""
