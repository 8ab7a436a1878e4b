"""A finished run on one page: what was seen, how good it is, and why it ended."""
