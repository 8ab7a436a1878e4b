"""A sample on structured light, in depth: a constant under the molecules misleads."""

SCENE = {
    "psf": "astigmatic:sx0_nm=130,sy0_nm=130,gx_nm=250,gy_nm=-250,d_nm=400",
    "source": "background=15,background_amplitude=0.9,background_scale_nm=1200,z_range_nm=400,"
    "density=0.03,photons=2500,exposure_ms=40",
}
