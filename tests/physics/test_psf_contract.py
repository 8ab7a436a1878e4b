"""Every PSF of ours keeps the contract."""

from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.sampling import sample
from live_smlm.testing.psf import PsfContract

ASTIGMATIC = AstigmaticPSF(
    sx0_nm=130, sy0_nm=130, gx_nm=250, gy_nm=-250, d_nm=400, ax=0.05, bx=0.02
)


class TestGaussian(PsfContract):
    psf = GaussianPSF(sigma_nm=130)


class TestAstigmatic(PsfContract):
    psf = ASTIGMATIC


class TestSplineOfAstigmatic(PsfContract):
    psf = sample(ASTIGMATIC, 100.0)


class TestSplineOfDoubleHelix(PsfContract):
    psf = sample(PupilPSF(model="scalar", mask="double_helix"), 100.0)


class TestScalarPupil(PsfContract):
    psf = PupilPSF(model="scalar", zernike={5: 0.8, 8: 0.3, 11: -0.2})


class TestVectorialPupil(PsfContract):
    psf = PupilPSF(mask="tetrapod", z_min_nm=-1500, z_max_nm=1500)


class TestPupilBeyondTheCriticalAngle(PsfContract):
    psf = PupilPSF(na=1.49, n_medium=1.33, z_stage_nm=600, z_min_nm=0, z_max_nm=1000)
