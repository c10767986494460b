"""Every error lumivid-fx raises, at a glance.

    LumividError
    ├── InputError     the artist can fix it: a file, a range, a space, a setting
    └── RenderError    the render failed: memory, disk, a model that gave no number

Each message is one sentence that names the file, the frame where there is one, and the remedy.
This module stands alone, so that every room may import it, Nuke's Python (3.10) included.
"""

from __future__ import annotations


class LumividError(Exception):
    """Base of all errors that lumivid-fx raises on purpose."""

    exit_code = 1


class InputError(LumividError):
    """What was asked for cannot be done as asked; the message says what to change."""

    exit_code = 2


class RenderError(LumividError):
    """The render itself failed; frames that were finished before stay on disk."""

    exit_code = 3
