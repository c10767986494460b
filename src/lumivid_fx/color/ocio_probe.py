"""What spaces and looks make of the same numbers, to tell whether two of them are one.

Names prove nothing: studios have spaces of ours under names of their own, and other spaces under
names of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import PyOpenColorIO
from PyOpenColorIO import Config, GroupTransform

from lumivid_fx.color.config import OCIO_ERRORS
from lumivid_fx.color.display_curves import Pixels
from lumivid_fx.color.scene_spaces import SceneSpace

INTERCHANGE = PyOpenColorIO.ROLE_INTERCHANGE_SCENE

SAME = 2e-4
"""Light that differs by no more than this part is the same: half a step of half float."""

_CODES = np.linspace(0, 1, 257, dtype=np.float32)
_PROBE: Pixels = np.concatenate(
    [
        _CODES[:, None].repeat(3, axis=1),
        np.random.default_rng(709).uniform(0, 1, (256, 3)).astype(np.float32),
    ]
)


def light_of_spaces(config: Any) -> Iterator[tuple[str, Pixels]]:
    """What each scene-referred space makes of the same codes, in ACES2065-1."""
    spaces = PyOpenColorIO.SEARCH_REFERENCE_SPACE_SCENE, PyOpenColorIO.COLORSPACE_ALL
    for space in config.getColorSpaces(*spaces):
        if not space.isData():
            with suppress(*OCIO_ERRORS):  # a table that is missing: nobody can use that space
                yield space.getName(), _through(config, space.getName())


def our_light(space: SceneSpace) -> Pixels:
    """What a space of ours makes of them."""
    light = _PROBE.copy()
    if (to_aces := space.to_aces()) is not None:
        _apply(Config.CreateRaw().getProcessor(to_aces), light)
    return light


def looked_at(look: Any) -> Pixels:
    """What a look makes of light from black to far over white."""
    light: Pixels = (_PROBE * np.geomspace(1e-3, 100, len(_PROBE))[:, None]).astype(np.float32)
    _apply(Config.CreateRaw().getProcessor(look.getTransform() or GroupTransform()), light)
    return light


def difference(ours: Pixels, theirs: Pixels) -> float:
    """Largest difference, as part of the light; of a thousandth of white where there is less."""
    with np.errstate(invalid="ignore"):  # a space that gives no number is like none of ours
        return float((np.abs(ours - theirs) / np.maximum(np.abs(ours), 1e-3)).max())


def _through(config: Any, name: str) -> Pixels:
    light = _PROBE.copy()
    _apply(config.getProcessor(name, INTERCHANGE), light)
    return light


def _apply(processor: Any, light: Pixels) -> None:
    processor.getOptimizedCPUProcessor(PyOpenColorIO.OPTIMIZATION_LOSSLESS).applyRGB(light)
