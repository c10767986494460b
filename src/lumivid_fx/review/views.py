"""What turns light into a picture: OCIO views, and what else the page has to know of the colour."""

from __future__ import annotations

from dataclasses import dataclass

from lumivid_fx.color.config import OUR_CONFIG
from lumivid_fx.color.display_curves import DISPLAY_CURVES
from lumivid_fx.color.shaders import Shader
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError

VIEW_FUNCTION = "ocio_view"
"""What the page calls a view."""

OWN_FUNCTION = "ocio_own_{}"
"""What it calls the way of a layer's light back to the layer's own codes."""

_OURS = "sRGB - Display/Filmic"


@dataclass(frozen=True)
class View:
    """One view.

    Attributes:
        name: As ``Display/View``.
        spaces: The config that has it.
    """

    name: str
    spaces: ColorSpaces

    def shader(self, space: str) -> Shader:
        """The view of a linear space's light; raises InputError where OCIO cannot do it."""
        return self.spaces.view_shader(space, self.name, VIEW_FUNCTION)


def list_views(ocio: str | None) -> list[View]:
    """The SDR views of a config, those of its first display first.

    Without a studio's config they are the built-in one's, with our Filmic after those of sRGB.

    Raises:
        InputError: The config cannot be read, or has no SDR view.
    """
    spaces = ColorSpaces(ocio)
    views = [View(name, spaces) for name in spaces.views() if name not in DISPLAY_CURVES]
    if not views:
        raise InputError(
            f"{spaces.source} has no SDR view to look through; name another config with --ocio"
        )
    if ocio is None:
        after = sum(view.name.startswith("sRGB - Display/") for view in views)
        views.insert(after, View(_OURS, ColorSpaces(OUR_CONFIG)))
    return views
