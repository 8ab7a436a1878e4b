"""Maximum likelihood with any PSF, compiled: of one molecule, of a group, over several frames."""
