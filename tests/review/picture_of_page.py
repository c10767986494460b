"""The picture in ``docs/review.md``: the shipped clip, rendered by the embedded model, on the page.

python -m tests.review.picture_of_page docs/images/review.png
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image
from tests.review.browser import browser_page, look, reviewed, settle

import lumivid_fx
from lumivid_fx.demo import CLIP

FRAMES = "1-9"
SIZE = 1200, 800


def draw(target: Path) -> None:
    """Render a few frames, open their review beside the clip, and take its picture."""
    with tempfile.TemporaryDirectory() as folder:
        plates = str(Path(folder) / "hdr.####.exr")
        lumivid_fx.render(
            str(CLIP), plates, frames=FRAMES, settings=lumivid_fx.ShotSettings(generated=True)
        )
        with reviewed(plates, "--source", str(CLIP)) as address, browser_page(*SIZE) as page:
            page.goto(address)
            settle(page)
            look(page, exposure=-2, compare="wipe", wipe=0.5, view=3)
            page.mouse.move(400, 200)
            settle(page)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(target, optimize=True)


def main() -> None:
    """Draw it where the command says."""
    parser = argparse.ArgumentParser(description="Take the picture of the review page.")
    parser.add_argument("target", type=Path)
    draw(parser.parse_args().target)


if __name__ == "__main__":
    main()
