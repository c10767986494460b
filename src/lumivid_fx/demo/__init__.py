"""A clip that ships with the package, and a first render of it: ``python -m lumivid_fx.demo``."""

from __future__ import annotations

from pathlib import Path

CLIP = Path(__file__).parent / "clip.mp4"
"""33 frames, 512 x 288, 24 a second, of a place whose light is known: see README.md beside it."""
