"""Configs, and pixels sent through them, for the tests of this folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PyOpenColorIO

COMMITTED = Path(__file__).parents[2] / "ocio" / "config.ocio"
"""The config as it is in the repository."""

STUDIO_CONFIGS = (
    "ocio://studio-config-v1.0.0_aces-v1.3_ocio-v2.1",
    "ocio://studio-config-v2.1.0_aces-v1.3_ocio-v2.3",
    "ocio://studio-config-v4.0.0_aces-v2.0_ocio-v2.5",
    "ocio://studio-config-v5.0.0_aces-v2.1_ocio-v2.6",
)
CG_CONFIG = "ocio://cg-config-v1.0.0_aces-v1.3_ocio-v2.1"

REC709 = "Linear Rec.709 (sRGB)"
LOSSLESS = PyOpenColorIO.OPTIMIZATION_LOSSLESS

Pixels = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]


@cache
def read(source: str = str(COMMITTED)) -> Any:
    """A config, read once; nobody may change it."""
    return PyOpenColorIO.Config.CreateFromFile(source)


def send(config: Any, pixels: npt.ArrayLike, *where: Any, how: Any = LOSSLESS) -> Numbers:
    """Send pixels through a config: a transform, or a space and another."""
    out = np.array(pixels, np.float32, order="C")
    config.getProcessor(*where).getOptimizedCPUProcessor(how).applyRGB(out)
    return out.astype(np.float64)


def view(
    config: Any, pixels: npt.ArrayLike, display: str, name: str, how: Any = LOSSLESS
) -> Numbers:
    """Show linear Rec.709 light by a view."""
    shown = PyOpenColorIO.DisplayViewTransform(src=REC709, display=display, view=name)
    return send(config, pixels, shown, how=how)


def look(config: Any, pixels: npt.ArrayLike, name: str, how: Any = LOSSLESS) -> Numbers:
    """Put linear Rec.709 light through a look."""
    transform = PyOpenColorIO.LookTransform(src=REC709, dst=REC709, looks=name)
    return send(config, pixels, transform, how=how)


def greys(values: npt.ArrayLike) -> Pixels:
    """The same number in three channels."""
    return np.asarray(values, np.float32)[..., None].repeat(3, axis=-1)
