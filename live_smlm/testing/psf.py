"""What every PSF must do, as a test class: subclass it and say which PSF."""

import json

import numpy as np
import pytest

from live_smlm.core import F64, PSF, PsfImage


class PsfContract:
    """Subclass and set `psf`; `pixel_size_nm` may be replaced where it needs another one.

    The molecules stand at odd fractions of a pixel, in and out of focus.
    """

    psf: PSF
    pixel_size_nm = 100.0

    def _side(self) -> int:
        return 2 * int(np.ceil(self.psf.extent_nm / self.pixel_size_nm)) + 1

    def _places(self) -> tuple[F64, F64, F64]:
        """x, y near the middle of the patch; z over the inner two thirds of the range."""
        low, high = self.psf.z_range_nm or (-1.0, 1.0)
        z = (low + high) / 2 + np.array([-0.63, -0.21, 0.02, 0.33, 0.66]) * (high - low) / 2
        middle = self._side() / 2 * self.pixel_size_nm
        x = middle + np.array([0.37, -0.11, 0.0, -0.49, 0.23]) * self.pixel_size_nm
        y = middle + np.array([-0.41, 0.17, 0.0, 0.29, 0.5]) * self.pixel_size_nm
        return x, y, z

    def _images(self, x: F64, y: F64, z: F64) -> PsfImage:
        side = self._side()
        return self.psf.images(x, y, z, (side, side), self.pixel_size_nm)

    def test_shapes_follow_the_patch(self) -> None:
        """One image per molecule, rows before columns."""
        x, y, z = self._places()
        image = self.psf.images(x, y, z, (7, 11), self.pixel_size_nm)
        for part in (image.value, image.d_x, image.d_y, image.d_z):
            assert part.shape == (len(x), 7, 11)
            assert part.dtype == np.float64

    def test_light_is_not_negative(self) -> None:
        """Beyond the ringing of an interpolation: 1 % of the brightest pixel."""
        value = self._images(*self._places()).value
        assert value.min() >= -0.01 * value.max()

    def test_most_of_the_light_is_within_the_extent(self) -> None:
        """At most one photon per photon, and 80 % of it."""
        total = self._images(*self._places()).value.sum(axis=(1, 2))
        assert np.all(total <= 1 + 1e-6)
        assert np.all(total >= 0.8)

    def test_a_whole_pixel_shifts_the_image(self) -> None:
        """Along x by columns, along y by rows."""
        x, y, z = self._places()
        still = self._images(x, y, z).value
        tiny = 1e-6 * still.max()
        right = self._images(x + self.pixel_size_nm, y, z).value
        down = self._images(x, y + self.pixel_size_nm, z).value
        assert np.allclose(right[:, :, 1:], still[:, :, :-1], rtol=0, atol=tiny)
        assert np.allclose(down[:, 1:], still[:, :-1], rtol=0, atol=tiny)

    @pytest.mark.parametrize("axis", [0, 1, 2], ids=["x", "y", "z"])
    def test_derivatives_equal_central_differences(self, axis: int) -> None:
        """With a step of 0.1 nm, whose own error is below 1e-5 of the largest derivative."""
        places = np.stack(self._places())
        step = np.zeros((3, 1))
        step[axis] = 0.1
        image = self._images(*places)
        analytic = (image.d_x, image.d_y, image.d_z)[axis]
        after = self._images(*(places + step)).value
        before = self._images(*(places - step)).value
        scale = max(float(np.abs(analytic).max()), 1e-9)
        assert np.abs((after - before) / 0.2 - analytic).max() <= 1e-4 * scale

    def test_z_beyond_the_range_is_taken_at_its_end(self) -> None:
        """Same image, no slope."""
        if self.psf.z_range_nm is None:
            pytest.skip("this PSF says nothing about z")
        ends = np.array(self.psf.z_range_nm)
        middle = np.full(2, self._side() / 2 * self.pixel_size_nm)
        beyond = self._images(middle, middle, ends + np.array([-200.0, 200.0]))
        at_end = self._images(middle, middle, ends)
        assert np.allclose(beyond.value, at_end.value, rtol=0, atol=1e-6 * at_end.value.max())
        assert np.all(beyond.d_z == 0)

    def test_description_survives_json(self) -> None:
        """With the kind's name in it."""
        description = self.psf.describe()
        assert json.loads(json.dumps(description)) == description
        assert description["kind"] == self.psf.name
