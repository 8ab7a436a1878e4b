"""What is known of a molecule that a network found: the columns of every such row."""

FIELDS = (
    "probability",
    "x",
    "y",
    "z",
    "photons",
    "background",
    "sigma_x",
    "sigma_y",
    "sigma_z",
    "sigma_photons",
)
"""px from the outer corner of pixel (0, 0), nm for z, effective counts; in this order."""
