"""liteloc."""
