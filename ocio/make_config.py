"""Write ocio/config.ocio, which a test holds against what this writes.

python ocio/make_config.py
"""

from __future__ import annotations

from pathlib import Path

from lumivid_fx.color.ocio_config import config_text

CONFIG = Path(__file__).with_name("config.ocio")

if __name__ == "__main__":
    CONFIG.write_text(config_text(), "utf-8")
