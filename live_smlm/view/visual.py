"""The picture on the graphics card: float sums in, colours out, by one small program.

Two layers of molecules, each a grid of pixels somewhere on the sample: the near one
as fine as the screen, and the far one of the whole field, seen where the near one does
not reach (yet). A third, what an engine has drawn, may lie over them with colours of its
own. Contrast, gamma and colours change without any upload.
"""

import numpy as np
from vispy import gloo
from vispy.scene.visuals import create_visual_node
from vispy.visuals import Visual

from live_smlm.render.layer import Picture
from live_smlm.render.viewport import Viewport
from live_smlm.view.over import Laid
from live_smlm.view.sight import Sight
from live_smlm.view.tone import LEVELS, Shading, density, table

_VERTEX = """
attribute vec2 a_corner;
varying vec2 v_at;
void main() {
    gl_Position = vec4(a_corner, 0.0, 1.0);
    v_at = vec2(0.5 + 0.5 * a_corner.x, 0.5 - 0.5 * a_corner.y);
}
"""
# One uniform per statement: vispy sees only the first of several.
_FRAGMENT = """
varying vec2 v_at;
uniform sampler2D u_near;
uniform sampler2D u_near_value;
uniform vec4 u_near_map;
uniform float u_near_density;
uniform sampler2D u_far;
uniform sampler2D u_far_value;
uniform vec4 u_far_map;
uniform float u_far_density;
uniform sampler2D u_over;
uniform vec4 u_over_map;
uniform vec2 u_over_limits;
uniform sampler2D u_over_shades;
uniform float u_over_share;
uniform sampler2D u_shades;
uniform vec2 u_limits;
uniform vec2 u_value_limits;
uniform float u_by_value;
uniform vec3 u_ground;
const float SHADES = 1024.0;  // LEVELS

vec4 shade_at(float level) {
    // The first and the last shade stand half a texel from the ends.
    return texture2D(u_shades, vec2(0.5 / SHADES + level * (1.0 - 1.0 / SHADES), 0.5));
}

bool within(vec2 at) {
    return all(greaterThanEqual(at, vec2(0.0))) && all(lessThan(at, vec2(1.0)));
}

void main() {
    vec2 near = v_at * u_near_map.xy + u_near_map.zw;
    vec2 far = v_at * u_far_map.xy + u_far_map.zw;
    float count = 0.0;
    float value = 0.0;
    if (!within(far)) {
        gl_FragColor = vec4(u_ground, 1.0);
        return;
    }
    if (within(near)) {
        count = texture2D(u_near, near).r * u_near_density;
        if (u_by_value > 0.5) value = texture2D(u_near_value, near).r;
    } else {
        count = texture2D(u_far, far).r * u_far_density;
        if (u_by_value > 0.5) value = texture2D(u_far_value, far).r;
    }
    vec4 shade = shade_at((count - u_limits.x) / (u_limits.y - u_limits.x));
    if (u_by_value > 0.5) {
        float span = u_value_limits.y - u_value_limits.x;
        shade.rgb = shade_at((value - u_value_limits.x) / span).rgb * shade.a;
    }
    vec2 over = v_at * u_over_map.xy + u_over_map.zw;
    if (u_over_share > 0.0 && within(over)) {
        float level = (texture2D(u_over, over).r - u_over_limits.x)
            / (u_over_limits.y - u_over_limits.x);
        level = clamp(level, 0.0, 1.0);
        vec2 at = vec2(0.5 / SHADES + level * (1.0 - 1.0 / SHADES), 0.5);
        shade.rgb = mix(shade.rgb, texture2D(u_over_shades, at).rgb, u_over_share);
    }
    gl_FragColor = vec4(shade.rgb, 1.0);
}
"""
_SUMS = ("near", "near_value", "far", "far_value", "over")
_NOWHERE = (0.0, 0.0, -1.0, -1.0)


class PictureVisual(Visual):  # type: ignore[misc] # vispy is untyped
    """Fills its canvas with what a sight shows of two layers."""

    def __init__(self, ground: tuple[float, float, float]) -> None:
        super().__init__(vcode=_VERTEX, fcode=_FRAGMENT)
        self._draw_mode = "triangle_strip"
        self.set_gl_state("opaque", depth_test=False, cull_face=False)
        corners = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
        program = self.shared_program
        program["a_corner"] = gloo.VertexBuffer(corners)
        program["u_ground"] = ground
        self._textures = {name: _sums() for name in _SUMS}
        for name, texture in self._textures.items():
            program[f"u_{name}"] = texture
        self._shades, self._over_shades = _colours(), _colours()
        program["u_shades"], program["u_over_shades"] = self._shades, self._over_shades
        for name in ("near", "far"):
            program[f"u_{name}_density"] = 1.0
        for name in ("near", "far", "over"):
            program[f"u_{name}_map"] = _NOWHERE
        program["u_limits"] = program["u_over_limits"] = (0.0, 1.0)
        program["u_over_share"] = 0.0
        program["u_value_limits"] = (0.0, 1.0)
        program["u_by_value"] = 0.0
        self._grids: dict[str, Viewport] = {}
        self._sight: Sight | None = None
        self.freeze()

    def upload(self, name: str, picture: Picture) -> None:
        """Take a new picture for the layer `near` or `far`."""
        self._textures[name].set_data(picture.image[..., np.newaxis])
        if picture.values is not None:
            known = np.nan_to_num(picture.values)
            self._textures[f"{name}_value"].set_data(known[..., np.newaxis])
        self._grids[name] = picture.viewport
        self.shared_program[f"u_{name}_density"] = density(picture.viewport.pixel_nm)
        self._place()

    def lay_over(self, laid: Laid | None) -> None:
        """Lay a picture of an engine over the molecules, or none."""
        program = self.shared_program
        program["u_over_share"] = 0.0 if laid is None else laid.share
        if laid is None:
            return
        self._textures["over"].set_data(laid.picture.image[..., np.newaxis])
        self._over_shades.set_data(table(laid.shading)[np.newaxis])
        program["u_over_limits"] = laid.shading.limits
        self._grids["over"] = laid.picture.viewport
        self._place()

    def look(self, sight: Sight) -> None:
        """Show this part of the sample from now on."""
        self._sight = sight
        self._place()

    def shade(self, shading: Shading) -> None:
        """Use these colours from now on."""
        program = self.shared_program
        self._shades.set_data(table(shading)[np.newaxis])
        program["u_limits"] = shading.limits
        program["u_by_value"] = 0.0 if shading.value_limits is None else 1.0
        program["u_value_limits"] = shading.value_limits or (0.0, 1.0)

    def forget(self) -> None:
        """Show nothing."""
        self._grids = {}
        self.lay_over(None)
        for name in ("near", "far", "over"):
            self.shared_program[f"u_{name}_map"] = _NOWHERE

    def _place(self) -> None:
        """Tell the program where on each layer the screen's corners are."""
        if self._sight is None:
            return
        for name, grid in self._grids.items():
            self.shared_program[f"u_{name}_map"] = _mapping(self._sight, grid)

    def _prepare_transforms(self, view: object) -> None:
        """The quad fills the canvas, whatever the scene's transforms."""

    def _compute_bounds(self, axis: int, view: object) -> None:
        """It is everywhere."""


def _mapping(sight: Sight, grid: Viewport) -> tuple[float, float, float, float]:
    """Scale and offset (x, y each) from shares of the screen to shares of the grid."""
    top, left = sight.place((0.0, 0.0))
    height, width = (n * grid.pixel_nm for n in grid.shape)
    rows, columns = (n * sight.nm_per_point for n in sight.size)
    return (
        columns / width,
        rows / height,
        (left - grid.origin_nm[1]) / width,
        (top - grid.origin_nm[0]) / height,
    )


def _colours() -> gloo.Texture2D:
    return gloo.Texture2D(
        np.zeros((1, LEVELS, 4), np.uint8), interpolation="linear", wrapping="clamp_to_edge"
    )


def _sums() -> gloo.Texture2D:
    return gloo.Texture2D(
        np.zeros((1, 1, 1), np.float32),
        format="red",
        internalformat="r32f",
        interpolation="nearest",
        wrapping="clamp_to_edge",
    )


PictureNode = create_visual_node(PictureVisual)
