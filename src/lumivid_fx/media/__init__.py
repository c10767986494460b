"""Files to arrays and back, with all that stands beside the pixels.

A plate is opened with :func:`open_plate` and read one :class:`Frame` at a time; frames go back to
disk with :func:`lumivid_fx.media.exr.write_exr`. This is the only room that names OpenImageIO and
PyAV; PyAV is imported only when a movie is opened.
"""

from __future__ import annotations

from lumivid_fx.media.frame_range import format_range, parse_range
from lumivid_fx.media.plate import Frame, Plate, Windows, open_plate

__all__ = ["Frame", "Plate", "Windows", "format_range", "open_plate", "parse_range"]
