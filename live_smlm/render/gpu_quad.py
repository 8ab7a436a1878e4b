"""The quads of molecules and the two shaders that fill them; no OpenGL is called here.

A pixel gets the integral over it of a Gaussian cut at 3 sigma, as on the
processor. A place is told as whole pixels and a part, so that it stays exact
far from the origin; a width of nothing means one pixel.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from live_smlm.core import F32, F64, AnyArray

BLOCK = 2**14
"""Molecules whose corners 16 bits can count."""
_CORNERS = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
_TRIANGLES = np.array([0, 1, 2, 2, 1, 3], np.uint16)
_PARTS = ("a_corner", "a_whole", "a_part", "a_sigma", "a_amount")

# vispy sees one uniform or varying per statement only.
VERTEX = """
attribute vec2 a_corner;
attribute vec2 a_whole;
attribute vec2 a_part;
attribute vec2 a_sigma;
attribute vec2 a_amount;
uniform vec2 u_shape;
varying vec2 v_whole;
varying vec2 v_part;
varying vec2 v_sigma;
varying vec2 v_amount;
void main() {
    v_whole = a_whole;
    v_part = a_part;
    v_sigma = a_sigma;
    v_amount = a_amount;
    // One pixel more than is lit; a count covers the middle of its own pixel only.
    vec2 gaussian = a_part + a_corner * (3.0 * a_sigma + 1.0);
    vec2 count = vec2(0.5) + 0.4 * a_corner;
    vec2 place = a_whole + (a_sigma.x > 0.0 ? gaussian : count);
    gl_Position = vec4(2.0 * place / u_shape - 1.0, 0.0, 1.0);
}
"""
FRAGMENT = """
varying vec2 v_whole;
varying vec2 v_part;
varying vec2 v_sigma;
varying vec2 v_amount;
const float WITHIN = 0.9973002039367398;  // of a normal, within 3 sigma
float erf(float x) {  // Abramowitz and Stegun 7.1.26, true to 1.5e-7
    float t = 1.0 / (1.0 + 0.3275911 * abs(x));
    float p = 1.061405429;
    p = p * t - 1.453152027;
    p = p * t + 1.421413741;
    p = p * t - 0.284496736;
    p = p * t + 0.254829592;
    return sign(x) * (1.0 - p * t * exp(-x * x));
}
float share(float begin, float sigma) {  // of a cut Gaussian, in the pixel that begins there
    float a = clamp(begin / sigma, -3.0, 3.0);
    float b = clamp((begin + 1.0) / sigma, -3.0, 3.0);
    float half_width = 0.5 * (b - a);
    if (half_width > 0.15) {
        return 0.5 / WITHIN * (erf(0.7071067811865476 * b) - erf(0.7071067811865476 * a));
    }
    // Two points of Gauss and Legendre: the difference of two nearly equal numbers tells less.
    float middle = 0.5 * (a + b);
    float p = middle - 0.5773502691896257 * half_width;
    float q = middle + 0.5773502691896257 * half_width;
    return half_width * 0.3989422804014327 / WITHIN * (exp(-0.5 * p * p) + exp(-0.5 * q * q));
}
void main() {
    // The way here may have rounded a whole number.
    vec2 begin = floor(gl_FragCoord.xy) - floor(v_whole + 0.5) - v_part;
    float level = 1.0;
    if (v_sigma.x > 0.0) {
        level = share(begin.x, v_sigma.x) * share(begin.y, v_sigma.y);
    }
    gl_FragColor = vec4(level * v_amount, 0.0, 0.0);
}
"""


def quads(
    count: int,
    place: F64 | None = None,
    sigma: F32 | None = None,
    amounts: F32 | None = None,
) -> AnyArray:
    """Four corners per molecule; lengths in pixels."""
    corners = np.zeros((count, 4), [(name, np.float32, 2) for name in _PARTS])
    corners["a_corner"] = _CORNERS
    if place is not None and sigma is not None and amounts is not None:
        whole = np.floor(place)
        corners["a_whole"] = whole[:, np.newaxis]
        corners["a_part"] = (place - whole)[:, np.newaxis]
        corners["a_sigma"] = sigma[:, np.newaxis]
        corners["a_amount"][..., : amounts.shape[1]] = amounts[:, np.newaxis]
    return corners.reshape(-1)


@cache
def _all_indices() -> NDArray[np.uint16]:
    firsts = 4 * np.arange(BLOCK, dtype=np.uint16)
    return np.asarray((firsts[:, np.newaxis] + _TRIANGLES).reshape(-1))


def indices(count: int) -> NDArray[np.uint16]:
    """Two triangles per quad."""
    return _all_indices()[: 6 * count]
