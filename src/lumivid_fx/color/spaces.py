"""Colour spaces and SDR views of one OpenColorIO config, the built-in one or a studio's own."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PyOpenColorIO
from PyOpenColorIO import BuiltinTransform, ColorSpaceTransform, DisplayViewTransform

from lumivid_fx.color.config import (
    ACES2065_1,
    ACESCG,
    BUILTIN_NAMES,
    DEFAULT_CONFIG,
    LINEAR_P3D65,
    LINEAR_REC709,
    LINEAR_REC2020,
    LOGC3_REC709,
    OCIO_ERRORS,
    SCENE_LINEAR,
    SHORT_NAMES,
    WORKING_SPACES,
    brief,
    files_of,
    find_space,
    load_config,
)
from lumivid_fx.color.display_curves import DISPLAY_CURVES, Pixels
from lumivid_fx.color.shaders import Shader, bake_shader
from lumivid_fx.errors import InputError

__all__ = [
    "ACES2065_1",
    "ACESCG",
    "DEFAULT_CONFIG",
    "LINEAR_P3D65",
    "LINEAR_REC709",
    "LINEAR_REC2020",
    "LOGC3_REC709",
    "SCENE_LINEAR",
    "SHORT_NAMES",
    "ColorSpaces",
    "Pixels",
    "chromaticities_to_space",
]


def chromaticities_to_space(chroma: Sequence[float]) -> str | None:
    """Name the linear space that has these primaries and this white, each within 1e-3.

    Args:
        chroma: CIE xy of red, green, blue and white, as an EXR's ``chromaticities`` holds them.

    Returns:
        The short name of one of the five working spaces, or None where it is none of them.
    """
    for short, space in WORKING_SPACES.items():
        if len(chroma) == 8 and np.allclose(chroma, space.chromaticities, rtol=0, atol=1e-3):
            return short
    return None


class ColorSpaces:
    """The colour spaces and SDR views of one OpenColorIO config.

    Pixels are (..., 3) RGB. Every method gives a new C-contiguous float32 array and leaves its
    argument as it was.

    Attributes:
        source: Path or ``ocio://`` address of the config.
    """

    def __init__(self, config: str | None = None) -> None:
        """Load a config: the path of a studio's own, or None for the built-in studio config.

        Raises:
            InputError: The config is missing or is not one that OpenColorIO can read.
        """
        self.source = DEFAULT_CONFIG if config is None else config
        self._config = load_config(self.source)

    def files(self) -> list[Path]:
        """The files that the config is made of; none for the built-in one."""
        return files_of(self._config, self.source)

    def names(self) -> list[str]:
        """List the short names that this config has, then the config's own active spaces."""
        short = [name for name in SHORT_NAMES if find_space(self._config, name)]
        return list(dict.fromkeys([*short, *self._config.getColorSpaceNames()]))

    def resolve(self, name: str) -> str:
        """Give the config's own name of a space.

        Args:
            name: A short name, or a name, alias or role of the config; case is ignored.

        Raises:
            InputError: The config has no such space; the message lists near matches.
        """
        space = find_space(self._config, name)
        if space is not None:
            return str(space.getName())
        if name.lower() in {*WORKING_SPACES, LOGC3_REC709}:
            raise InputError(
                f"colour space {name!r} is not in {self.source} and cannot be derived, because the "
                "config has no 'aces_interchange' role; add that role, naming its ACES2065-1 space"
            )
        near = self._near_matches(name) or self.names()[: len(SHORT_NAMES)]
        raise InputError(
            f"colour space {name!r} is not in {self.source}; the nearest are {', '.join(near)}"
        )

    def convert(self, rgb: Pixels, source: str, target: str) -> Pixels:
        """Take pixels from one space to another; light below 0 and above 1 survives.

        That is, wherever the space's own curve goes on there: OpenColorIO has Canon's as tables,
        which end at the codes and the light they list.

        Raises:
            InputError: A space is unknown, or the config cannot go from one to the other.
        """
        transform = ColorSpaceTransform(src=self.resolve(source), dst=self.resolve(target))
        return self._apply(transform, rgb, f"{source!r} to {target!r}")

    def is_scene_linear(self, name: str) -> bool:
        """Tell whether a space holds linear scene light, by its encoding or by its transform."""
        scene = PyOpenColorIO.REFERENCE_SPACE_SCENE
        return bool(self._config.isColorSpaceLinear(self.resolve(name), scene))

    def chromaticities(self, name: str) -> tuple[float, ...] | None:
        """Give CIE xy of red, green, blue and white of a linear space, as an EXR header wants them.

        The five working spaces have their published values. Any other is measured: its unit
        vectors in ACES2065-1, seen from D65 by Bradford's adaptation, as OpenColorIO goes there.
        Camera makers adapt by other methods too: theirs come out within 6e-3 of what they print,
        and a space of another white as if balanced to D65.

        Returns:
            Eight numbers, or None for a space that is not scene-linear.
        """
        if not self.is_scene_linear(name):
            return None
        if short := self._working_space(name):
            return WORKING_SPACES[short].chromaticities
        unit = np.concatenate([np.eye(3), np.ones((1, 3))]).astype(np.float32)
        to_xyz = BuiltinTransform("UTILITY - ACES-AP0_to_CIE-XYZ-D65_BFD")
        xyz = self._apply(to_xyz, self.convert(unit, name, ACES2065_1), f"{name!r} to CIE XYZ")
        return tuple((xyz[:, :2] / xyz.sum(axis=1, keepdims=True)).ravel().tolist())

    def interop_id(self, name: str) -> str | None:
        """Give the Color Interop Forum's id of a space, or None where it has none."""
        own = self._config.getColorSpace(self.resolve(name)).getInteropID()
        if own or not self.is_scene_linear(name):
            return str(own) or None
        short = self._working_space(name)
        return WORKING_SPACES[short].interop_id if short else None

    def views(self) -> list[str]:
        """List the SDR views: three plain curves, then each ``Display/View`` of the config."""
        return [*DISPLAY_CURVES, *self._display_views()]

    def display_to_linear(self, rgb: Pixels, view: str) -> Pixels:
        """Undo an SDR view.

        Args:
            rgb: Code values of the view's display, nominally in [0, 1].
            view: One of :meth:`views`; case is ignored.

        Returns:
            Linear Rec.709. Codes that no light has under the view, as some saturated ones under
            ACES, give the light that OpenColorIO's inverse takes for them.

        Raises:
            InputError: No such view; the message lists those there are.
        """
        if curve := DISPLAY_CURVES.get(view.lower()):
            return curve.to_linear(_float_rgb(rgb))
        return self._through_view(rgb, view, PyOpenColorIO.TRANSFORM_DIR_INVERSE)

    def linear_to_display(self, rgb: Pixels, view: str) -> Pixels:
        """Render linear Rec.709 by an SDR view, clamped to [0, 1]: the picture the model sees.

        The code values are those of the view's own display, so a view that is meant for the model
        should be one of an sRGB or Rec.709 display.

        Raises:
            InputError: No such view; the message lists those there are.
        """
        if curve := DISPLAY_CURVES.get(view.lower()):
            code = curve.to_code(_float_rgb(rgb))
        else:
            code = self._through_view(rgb, view, PyOpenColorIO.TRANSFORM_DIR_FORWARD)
        return code.clip(0, 1, out=code)

    def is_picture(self, name: str) -> bool:
        """Tell whether a space holds codes of a finished picture: no scene light, and no log."""
        space = self._config.getColorSpace(self.resolve(name))
        coded_scene = space.isData() or space.getEncoding() in ("log", "scene-linear")
        return not (coded_scene or self.is_scene_linear(name))

    def view_shader(self, source: str, view: str, function: str) -> Shader:
        """Write an SDR view of light or codes in a space as a function for a graphics card.

        Args:
            source: The space.
            view: One of :meth:`views`, but no plain curve.
            function: What to call it.

        Raises:
            InputError: No such space or view, or OpenColorIO cannot do it.
        """
        forward = PyOpenColorIO.TRANSFORM_DIR_FORWARD
        return self._shader(self._view(source, view, forward), function, f"view {view!r}")

    def space_shader(self, source: str, target: str, function: str) -> Shader:
        """Write the way from one space to another so; raises as :meth:`view_shader`."""
        transform = ColorSpaceTransform(src=self.resolve(source), dst=self.resolve(target))
        return self._shader(transform, function, f"{source!r} to {target!r}")

    def _shader(self, transform: Any, function: str, what: str) -> Shader:
        try:
            return bake_shader(self._config, transform, function)
        except OCIO_ERRORS as error:
            raise self._unable(what, error) from error

    def _through_view(self, rgb: Pixels, name: str, direction: Any) -> Pixels:
        return self._apply(self._view(LINEAR_REC709, name, direction), rgb, f"view {name!r}")

    def _view(self, source: str, name: str, direction: Any) -> Any:
        known = {full.lower(): pair for full, pair in self._display_views().items()}
        if name.lower() not in known:
            raise InputError(
                f"view {name!r} is not in {self.source}; use one of {', '.join(self.views())}"
            )
        display, view = known[name.lower()]
        return DisplayViewTransform(
            src=self.resolve(source), display=display, view=view, direction=direction
        )

    def _display_views(self) -> dict[str, tuple[str, str]]:
        """The config's displays and views by ``Display/View``, without raw data and HDR ones."""
        views = {}
        for display in self._config.getDisplays():
            for view in self._config.getViews(display):
                name = self._config.getDisplayViewColorSpaceName(display, view)
                by_display = name == PyOpenColorIO.OCIO_VIEW_USE_DISPLAY_NAME
                space = self._config.getColorSpace(display if by_display else name)
                if space and not space.isData() and space.getEncoding() != "hdr-video":
                    views[f"{display}/{view}"] = (display, view)
        return views

    def _working_space(self, name: str) -> str | None:
        """The short name of the working space that a linear space is, whatever it is called."""
        unit = np.eye(3, dtype=np.float32)
        for short in WORKING_SPACES:
            # 1e-4: no two of the five are so near, and float32 rounding is far below it.
            if find_space(self._config, short) and np.allclose(
                self.convert(unit, name, short), unit, rtol=0, atol=1e-4
            ):
                return short
        return None

    def _near_matches(self, name: str) -> list[str]:
        labels = {label.lower(): label for label in self._config.getRoleNames()}
        for space in self._config.getColorSpaces():
            labels |= {label.lower(): label for label in (space.getName(), *space.getAliases())}
        labels |= {label.lower(): label for label in self.names()}
        wanted = (name.lower(), BUILTIN_NAMES.get(name.lower(), name).lower())
        near = (m for w in wanted for m in difflib.get_close_matches(w, labels, n=5, cutoff=0.5))
        return list(dict.fromkeys(labels[match] for match in near))

    def _apply(self, transform: Any, rgb: Pixels, what: str) -> Pixels:
        out = _float_rgb(rgb)
        try:
            # Lossless: the default's fast log and power cost up to 2e-5 of a code value.
            processor = self._config.getProcessor(transform)
            cpu = processor.getOptimizedCPUProcessor(PyOpenColorIO.OPTIMIZATION_LOSSLESS)
            if out.size:
                cpu.applyRGB(out)
        except OCIO_ERRORS as error:
            raise self._unable(what, error) from error
        return out

    def _unable(self, what: str, error: Exception) -> InputError:
        return InputError(
            f"{self.source} cannot do {what} ({brief(error)}); mend it or choose another"
        )


def _float_rgb(rgb: Pixels) -> Pixels:
    """A fresh C-contiguous float32 copy: OpenColorIO edits in place, even what is read-only."""
    if rgb.ndim == 0 or rgb.shape[-1] != 3:
        raise ValueError(f"colour needs an array of shape (..., 3), got {rgb.shape}")
    if not np.issubdtype(rgb.dtype, np.floating):
        raise TypeError(f"colour needs a floating array, got {rgb.dtype}")
    return np.array(rgb, dtype=np.float32, order="C", copy=True)
