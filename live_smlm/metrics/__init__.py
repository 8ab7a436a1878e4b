"""Numbers that are made while a run goes on: how good its image is; whether to trust its engine."""
