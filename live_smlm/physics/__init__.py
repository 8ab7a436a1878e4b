"""Light, cameras and molecules: one truth for simulation, fitting and bounds."""
