"""``python -m lumivid_fx.cli``."""

from __future__ import annotations

from lumivid_fx.cli import main

main()
