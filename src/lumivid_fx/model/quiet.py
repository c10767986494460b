"""What the libraries below are told before they are imported; it takes none of them to say so."""

from __future__ import annotations

import os

QUIET_LIBRARIES = {
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_OFFLINE": "1",  # a model is a folder; nothing is ever downloaded
}
"""Environment under which they keep to themselves what only we can act upon."""


def quieten_libraries() -> None:
    """Set that environment, as far as the user has not set it otherwise."""
    for name, value in QUIET_LIBRARIES.items():
        os.environ.setdefault(name, value)
