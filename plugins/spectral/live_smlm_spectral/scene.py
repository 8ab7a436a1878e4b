"""Two samples, each labelled by a dye of its own; beside the image all spectra."""

SCENE = {
    "source": "dyes=two,density=0.05,photons=2000,background=6,exposure_ms=20",
}
