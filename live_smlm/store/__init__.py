"""What stays on disk: tables of localizations and movies."""
