"""Small scenes and scales, for tests of networks and of their training."""

from live_smlm.core import CameraModel
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.training.network import Scales
from live_smlm.training.scene import Scene

SCMOS = CameraModel(shape=(32, 32), pixel_size_nm=100.0, read_noise_e=1.6, quantum_efficiency=0.8)
EMCCD = CameraModel(
    shape=(32, 32),
    pixel_size_nm=100.0,
    gain_e_per_adu=45.0,
    read_noise_e=74.0,
    quantum_efficiency=0.9,
    em_gain=300.0,
)
SCALES = Scales(
    photons=1000.0, z_nm=500.0, background=20.0, offset=10.0, scale=60.0, brightest=10.0
)
DEEP = Scene(
    psf=AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0),
    cameras=(SCMOS, EMCCD),
    density_per_um2=(0.5, 2.0),
    photons=(1000.0, 3000.0),
    background=(5.0, 20.0),
    z_nm=(-500.0, 500.0),
)
"""An astigmatic PSF, two kinds of camera, wide ranges."""
FLAT = Scene(
    psf=GaussianPSF(130.0),
    cameras=(SCMOS,),
    density_per_um2=(1.0, 1.0),
    photons=(2000.0, 2000.0),
    background=(10.0, 10.0),
    spread=0.0,
)
"""A round PSF; every molecule is alike."""
