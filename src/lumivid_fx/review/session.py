"""What the page is told before its first frame: layers, views, and the numbers of the colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lumivid_fx.color.filmic import GREY
from lumivid_fx.color.looks import LAST_STOP, false_colours
from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import SDR_WHITE_NITS
from lumivid_fx.media import format_range
from lumivid_fx.media.exr import HALF_MAX
from lumivid_fx.review.layers import PLATES, Layer, luminance_weights
from lumivid_fx.review.views import View

FPS = 24.0
"""Frames a second where no file says."""


def describe(
    layers: Mapping[str, Layer], space: str, spaces: ColorSpaces, views: Sequence[View]
) -> dict[str, Any]:
    """The session as plain data.

    Args:
        layers: What is looked at.
        space: The linear space that it is shown in.
        spaces: The colour config.
        views: What it can be looked at through.
    """
    plates = layers[PLATES]
    rates = (layer.fps for layer in layers.values() if layer.fps)
    fps = next(rates, None)
    return {
        "space": spaces.resolve(space),
        "fps": float(fps or FPS),
        "fps_told": fps is not None,
        "frames": plates.reel.numbers,
        "layers": [_layer(layer) for layer in layers.values()],
        "views": [view.name for view in views],
        "grey": float(GREY),
        "white_nits": SDR_WHITE_NITS,
        "half_max": HALF_MAX,
        "luminance": luminance_weights(spaces, space),
        "to_rec709": _rows(spaces, space),
        "false_colours": false_colours().tolist(),
        "last_stop": LAST_STOP,
    }


def _layer(layer: Layer) -> dict[str, Any]:
    numbers = layer.reel.numbers
    missing = [n - layer.shift for n in numbers if layer.reel.path(n) is None]
    return {
        "name": layer.name,
        "file": Path(layer.reel.source).name,
        "range": format_range(layer.there),
        "width": layer.windows.data_width,
        "height": layer.windows.data_height,
        "windows": asdict(layer.windows),
        "aspect": layer.aspect,
        "space": layer.space,
        "is_picture": layer.is_picture,
        "shift": layer.shift,
        "first": numbers[0] - layer.shift,
        "last": numbers[-1] - layer.shift,
        "missing": missing,
        "generated": layer.has_generated,
        "ceiling": {
            "light": layer.ceiling.light,
            "matrix": layer.ceiling.matrix.ravel().tolist(),
            "what": layer.ceiling.what,
        },
    }


def _rows(spaces: ColorSpaces, space: str) -> list[float]:
    import numpy as np

    unit = np.eye(3, dtype=np.float32)
    return spaces.convert(unit, space, LINEAR_REC709).T.ravel().tolist()
