"""A sample in depth through an objective with aberrations that nobody told the engine."""

SCENE = {
    "psf": "pupil:zernike=6:1.0,z_min_nm=-600,z_max_nm=600",
    "source": "aberrations=8:0.3/11:0.3,z_range_nm=400,density=0.05,photons=3000,exposure_ms=25",
}
