"""From measured beads to a PSF."""
