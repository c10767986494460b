"""lumivid-fx: scene-linear HDR plates from SDR footage, for compositing.

>>> import lumivid_fx
>>> lumivid_fx.render("clip.mp4", "out/plate.####.exr")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lumivid_fx.pipeline.render_files import RenderReport, render
    from lumivid_fx.pipeline.render_shot import ShotSettings

__version__ = "0.1.0"

__all__ = ["RenderReport", "ShotSettings", "__version__", "render"]

_ROOMS = {
    "RenderReport": "lumivid_fx.pipeline.render_files",
    "ShotSettings": "lumivid_fx.pipeline.render_shot",
    "render": "lumivid_fx.pipeline.render_files",
}


def __getattr__(name: str) -> Any:
    """Import the render strand when it is first asked for: it brings torch."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ROOMS[name]), name)
