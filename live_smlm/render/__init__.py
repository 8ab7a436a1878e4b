"""Pictures from molecules; no GUI."""
