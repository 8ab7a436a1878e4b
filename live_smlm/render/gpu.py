"""The accumulator of a graphics card: a float texture onto which quads are added.

It belongs to the OpenGL context (a vispy canvas) that was current when it was
made, and to that context's thread. Each molecule is a quad: unlike point
sprites, it may be of any size and is not culled with its middle. Row r of the
picture is row r of the texture from below, so nothing is turned over between.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from vispy import app, gloo

from live_smlm.core import F32, AnyArray, Localizations, require
from live_smlm.render.accumulator import (
    Drawing,
    Mode,
    amounts_of,
    check_sums,
    means,
    widths_of,
)
from live_smlm.render.gpu_quad import BLOCK, FRAGMENT, VERTEX, indices, quads
from live_smlm.render.kernels import LEAST_SIGMA_PIXELS, SIGMAS_DRAWN, normal_quantiles, scattered
from live_smlm.render.viewport import Viewport

_FORMATS = {1: ("red", "r32f"), 2: ("rg", "rg32f")}
_READ = {1: 0x1903, 2: 0x8227}
"""GL_RED and GL_RG: vispy itself reads four planes only, and turns them over."""


@contextmanager
def headless(
    make: Callable[..., app.Canvas] = app.Canvas, size: tuple[int, int] = (16, 16)
) -> Iterator[app.Canvas]:
    """A context without a window or a screen, by EGL; current while it lives.

    Mesa wants to be told that there is no screen, and is; other drivers may know that word
    not, and an EGL_PLATFORM that is set is left alone.
    """
    if "DISPLAY" not in os.environ:
        os.environ.setdefault("EGL_PLATFORM", "surfaceless")
    canvas = make(app=app.Application("egl"), size=size, show=False)
    try:
        canvas.set_current()
        yield canvas
    finally:
        canvas.close()
        _let_go()


def _let_go() -> None:
    """No context is current: one of EGL that stays would keep a window's from becoming it."""
    from vispy.app.backends import _egl  # noqa: PLC0415 - looks for a driver when imported
    from vispy.ext import egl  # noqa: PLC0415 - as above

    egl.eglMakeCurrent(_egl._EGL_DISPLAY, None, None, None)  # noqa: SLF001 - vispy has no word for it


def renderer() -> str:
    """Who draws in the current context, in the driver's words."""
    return str(gloo.gl.glGetParameter(gloo.gl.GL_RENDERER))


def largest_side() -> int:
    """The most pixels along a side of a picture in the current context."""
    return int(gloo.gl.glGetParameter(gloo.gl.GL_MAX_TEXTURE_SIZE))


class _Brush:
    """The program of a context, made once: a card compiles it for longer than it draws."""

    def __init__(self) -> None:
        self.quads = gloo.VertexBuffer(quads(1))
        self.program = gloo.Program(VERTEX, FRAGMENT)
        self.program.bind(self.quads)


_BRUSHES: WeakKeyDictionary[Any, _Brush] = WeakKeyDictionary()


def _brush_of(canvas: Any) -> _Brush:
    if canvas not in _BRUSHES:
        _BRUSHES[canvas] = _Brush()
    return _BRUSHES[canvas]


class GpuAccumulator:
    """See `Accumulator` and the module."""

    def __init__(
        self, viewport: Viewport, drawing: Drawing | None = None, *, by: str | None = None
    ) -> None:
        self._canvas: Any = gloo.get_current_canvas()
        require(
            self._canvas is not None,
            "no OpenGL context is current; make a canvas first, or draw on the processor",
        )
        self.viewport = viewport
        self.drawing = drawing or Drawing()
        self._by = by
        self._added = 0
        self._planes = 1 if by is None else 2
        most = largest_side()
        require(
            max(viewport.shape) <= most,
            f"picture has {viewport.shape[0]} x {viewport.shape[1]} pixels, and this graphics "
            f"card takes {most} a side; draw it on the processor",
        )
        short, long = _FORMATS[self._planes]
        shape = (*viewport.shape, self._planes)
        self._texture = gloo.Texture2D(shape, format=short, internalformat=long)
        self._target = gloo.FrameBuffer(color=self._texture)
        self._brush = _brush_of(self._canvas)
        self.reset()

    def add(self, molecules: Localizations, weights: F32 | None = None) -> None:
        """See `Accumulator`."""
        if not len(molecules):
            return
        amounts = amounts_of(molecules, weights, self._by)
        x, y, mode = molecules.x, molecules.y, self.drawing.mode
        if mode is Mode.DITHERED:
            x, y, amounts = self._scattered(molecules, amounts)
        if mode in {Mode.DITHERED, Mode.HISTOGRAM}:
            self._draw(x, y, None, amounts)
        else:
            widths = np.stack(widths_of(molecules, self.drawing), axis=1)
            self._draw(x, y, widths / np.float32(self.viewport.pixel_nm), amounts)
        self._added += len(molecules)

    def image(self) -> F32:
        """See `Accumulator`."""
        image: F32 = self.sums()[0]
        return image

    def values(self) -> F32:
        """See `Accumulator`."""
        require(self._by is not None, "the picture was not told by which value; start a new one")
        return means(self.sums())

    def sums(self) -> F32:
        """See `Accumulator`."""
        rows, columns = self.viewport.shape
        pixels = np.empty((rows, columns, self._planes), np.float32)
        self._make_current()
        with self._target:
            self._canvas.context.flush_commands()
            _read_into(pixels)
        gloo.gl.check_error("reading the sums")
        return np.ascontiguousarray(np.moveaxis(pixels, 2, 0))

    def start(self, sums: F32) -> None:
        """See `Accumulator`."""
        check_sums(sums, (self._planes, *self.viewport.shape))
        self._make_current()
        self._texture.set_data(np.ascontiguousarray(np.moveaxis(sums, 0, 2), np.float32))
        self._added = 0

    def reset(self) -> None:
        """See `Accumulator`."""
        self._make_current()
        with self._target:
            gloo.clear(color=(0, 0, 0, 0))
        # A later size of the texture would silently supersede this one while it waits.
        self._canvas.context.flush_commands()
        self._added = 0

    def _make_current(self) -> None:
        """Draw here, and answer for own errors only."""
        self._canvas.set_current()
        while gloo.gl.glGetError() != gloo.gl.GL_NO_ERROR:
            pass

    def _scattered(self, molecules: Localizations, amounts: F32) -> tuple[F32, F32, F32]:
        """The points of molecules, as the processor scatters them."""
        copies, seed = self.drawing.copies, self.drawing.seed
        widths = widths_of(molecules, self.drawing)
        place = molecules.x, molecules.y
        x, y = scattered(*place, *widths, normal_quantiles(), copies, seed, self._added)
        return x, y, np.repeat(amounts / np.float32(copies), copies, axis=0)

    def _draw(self, x: F32, y: F32, sigma: F32 | None, amounts: F32) -> None:
        """Add molecules that may reach into the picture; sigma in pixels, None for one pixel."""
        top, left = self.viewport.origin_nm
        across = (x.astype(np.float64) - left) / self.viewport.pixel_nm
        along = (y.astype(np.float64) - top) / self.viewport.pixel_nm
        place = np.stack([across, along], axis=1)
        if sigma is None:
            sigma, reach = np.zeros_like(place, np.float32), np.zeros_like(place, np.float32)
        else:
            sigma = np.maximum(sigma, np.float32(LEAST_SIGMA_PIXELS))
            reach = np.float32(SIGMAS_DRAWN) * sigma
        shape = np.array(self.viewport.shape[::-1])
        near = (place >= -reach) & (place < shape + reach) & np.isfinite(reach)
        seen = np.flatnonzero(near.all(axis=1) & np.isfinite(amounts).all(axis=1))
        self._make_current()
        rows, columns = self.viewport.shape
        with self._target:
            gloo.set_viewport(0, 0, columns, rows)
            gloo.set_state(
                preset=None,
                blend=True,
                depth_test=False,
                cull_face=False,
                blend_func=("one", "one"),
                blend_equation="func_add",
            )
            for first in range(0, len(seen), BLOCK):
                part: AnyArray = seen[first : first + BLOCK]
                corners = quads(len(part), place[part], sigma[part], amounts[part])
                self._brush.quads.set_data(corners)
                program = self._brush.program
                program["u_shape"] = (float(columns), float(rows))
                program.draw("triangles", gloo.IndexBuffer(indices(len(part))))
            self._canvas.context.flush_commands()
        gloo.gl.check_error("adding molecules")


def _read_into(pixels: F32) -> None:
    """The current target's floats, row by row from below."""
    rows, columns, planes = pixels.shape
    gl = gloo.gl
    gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
    kinds = (ctypes.c_int,) * 4 + (ctypes.c_uint,) * 2 + (ctypes.c_void_p,)
    read = gl.gl2._get_gl_func("glReadPixels", None, kinds)  # noqa: SLF001 - see _READ
    read(0, 0, columns, rows, _READ[planes], gl.GL_FLOAT, pixels.ctypes.data)
    gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 4)
