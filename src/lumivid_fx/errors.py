"""Every error lumivid-fx raises, at a glance.

    LumividError
    ├── InputError           the artist can fix it: a file, a range, a space, a setting
    │   ├── RangeError       the plate does not hold those frames, or it is no range
    │   └── LimitError       more, or larger, than is rendered
    ├── RenderError          the render failed: a model that gave no number, a worker that died
    │   ├── DiskFullError    the disk took only part of a file
    │   └── OutOfMemoryError even the smallest tiles and windows did not fit
    ├── CancelledError       somebody stopped it; finished frames stay
    └── WireError            what broke between a client and its worker
        └── NotAdmittedError the worker does not know this key, or is not the one it claims to be

Each message is one sentence that names the file, the frame where there is one, and the remedy. It
is one line: what is no print in it, as a line break in a file's name, is told by its escape.
This module stands alone, so that every room may import it, Nuke's Python (3.10) included.
"""

from __future__ import annotations


def _printed(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


class LumividError(Exception):
    """Base of all errors that lumivid-fx raises on purpose.

    Attributes:
        code: The wire protocol's code for it, such as ``E_INPUT``; empty where none was given.
    """

    exit_code = 1
    code = ""

    def __str__(self) -> str:
        said = super().__str__()
        return said if said.isprintable() else "".join(map(_printed, said))


class InputError(LumividError):
    """What was asked for cannot be done as asked; the message says what to change."""

    exit_code = 2


class RangeError(InputError):
    """A frame range that cannot be read, or that the plate does not hold."""

    code = "E_RANGE"


class LimitError(InputError):
    """A plate of more frames, or larger ones, than is rendered at once."""

    code = "E_LIMIT"


class RenderError(LumividError):
    """The render itself failed; frames that were finished before stay on disk."""

    exit_code = 3


class DiskFullError(RenderError):
    """The disk took only part of a file; frames that were finished before stay on it."""

    code = "E_DISK_FULL"


class OutOfMemoryError(RenderError):
    """The render does not fit into memory."""

    code = "E_OOM"


class CancelledError(LumividError):
    """A render was stopped because somebody asked for it."""

    exit_code = 130
    code = "E_CANCELLED"


class WireError(LumividError):
    """What passes between a client and its worker broke; the job itself may well go on."""

    exit_code = 4


class NotAdmittedError(WireError):
    """The worker has not admitted this client's key, or its own key is another than expected."""

    exit_code = 5
    code = "E_AUTH"
