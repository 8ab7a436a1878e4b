"""Maximum likelihood with any PSF, compiled: single molecules, groups that overlap, molecules over several frames."""
