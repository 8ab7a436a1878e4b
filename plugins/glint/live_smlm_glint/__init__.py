"""glint."""
