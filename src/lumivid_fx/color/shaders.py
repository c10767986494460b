"""Colour transforms as text that a graphics card compiles: GLSL ES 3.0, which browsers speak.

OpenColorIO writes the text, and the tables it looks things up in. How near a card comes to what the
CPU answers, :meth:`Shader.codes`, has to be measured on that card: :func:`probe_light` is what to
show both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import PyOpenColorIO
from PyOpenColorIO import GpuShaderDesc

from lumivid_fx.color.filmic import GREY

FloatArray = npt.NDArray[np.float32]

_PROBE_STOPS = np.linspace(-12, 12, 241)
"""Stops from mid grey at which :func:`probe_light` looks, a tenth apart."""

_PROBE_HUES = np.array(
    [
        *((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0)),
        *((1, 0.8, 0.6), (0.6, 0.8, 1), (1, 0.3, 0.1), (0.2, 0.5, 0.1), (0.1, 0.2, 0.7)),
        *((1, 0.5, -0.05), (-0.02, 0.6, 0.4), (-1, -1, -1), (0, 0, 0)),
    ]
)
"""White, primaries and their sums, tints, colours outside the gamut, light below zero, black."""


@dataclass(frozen=True, slots=True)
class Table:
    """A texture that a shader samples.

    Attributes:
        sampler: Its name in the text.
        width: Texels across.
        height: Texels down.
        depth: Layers, or 0 where the texture is flat.
        channels: 1 or 3 numbers a texel.
        smooth: Whether the card interpolates between texels.
        values: Texels, x fastest, as they are uploaded.
    """

    sampler: str
    width: int
    height: int
    depth: int
    channels: int
    smooth: bool
    values: FloatArray


@dataclass(frozen=True)
class Shader:
    """One transform as a function of GLSL ES 3.0, ``vec4 function(vec4)``.

    Attributes:
        function: Its name; every other name in the text begins with it.
        text: The function and all that it calls.
        tables: What it samples.
    """

    function: str
    text: str
    tables: tuple[Table, ...]
    _cpu: Any

    def codes(self, rgb: FloatArray) -> FloatArray:
        """What OpenColorIO's CPU makes of ``(..., 3)`` RGB: the truth to measure a card by."""
        out = np.array(rgb, np.float32, order="C", copy=True)
        if out.size:
            self._cpu.applyRGB(out)
        return out


def bake_shader(config: Any, transform: Any, function: str) -> Shader:
    """Let OpenColorIO write a transform as a shader; raises as OpenColorIO does."""
    processor = config.getProcessor(transform)
    lossless = PyOpenColorIO.OPTIMIZATION_LOSSLESS
    description = GpuShaderDesc.CreateShaderDesc(
        language=PyOpenColorIO.GPU_LANGUAGE_GLSL_ES_3_0,
        functionName=function,
        resourcePrefix=f"{function}_",
    )
    description.setAllowTexture1D(False)  # GLSL ES has none
    processor.getOptimizedGPUProcessor(lossless).extractGpuShaderInfo(description)
    return Shader(
        function,
        description.getShaderText(),
        (*map(_flat_table, description.getTextures()), *map(_cube, description.get3DTextures())),
        processor.getOptimizedCPUProcessor(lossless),
    )


def _flat_table(texture: Any) -> Table:
    single = texture.channel == GpuShaderDesc.TEXTURE_RED_CHANNEL
    return Table(
        texture.samplerName,
        texture.width,
        texture.height,
        0,
        1 if single else 3,
        texture.interpolation != PyOpenColorIO.INTERP_NEAREST,
        np.array(texture.getValues(), np.float32).ravel(),
    )


def _cube(texture: Any) -> Table:
    edge = texture.edgeLen
    smooth = texture.interpolation not in (
        PyOpenColorIO.INTERP_NEAREST,
        PyOpenColorIO.INTERP_TETRAHEDRAL,  # the shader itself looks up the four corners
    )
    values = np.array(texture.getValues(), np.float32).ravel()
    return Table(texture.samplerName, edge, edge, edge, 3, smooth, values)


def probe_light() -> FloatArray:
    """Light `n 3` from 12 stops under mid grey to 12 over, in the hues that views differ in."""
    light = GREY * np.exp2(_PROBE_STOPS)[:, None, None] * _PROBE_HUES
    return np.ascontiguousarray(light.reshape(-1, 3), np.float32)
