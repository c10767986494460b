"""The picture page: every held-out scene as SDR, as ours and as the truth, at three exposures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lumivid_fx.color.display_curves import linear_to_srgb, srgb_to_linear
from lumivid_fx.evaluation.alignment import exposure_match
from lumivid_fx.evaluation.metrics import highlights, stops_apart
from lumivid_fx.evaluation.protocol import CAMERA, Light, Scene
from lumivid_fx.evaluation.pu21 import pu21_psnr
from lumivid_fx.evaluation.rendering import render_pictures
from lumivid_fx.evaluation.table import write_text
from lumivid_fx.evaluation.workbench import Workbench
from lumivid_fx.media.contact_sheet import contact_sheet
from lumivid_fx.media.whole_file import whole_file

STOPS = (-4, 0, 3)
"""Exposures: into the highlights, as delivered, into the shadows."""

WIDTH = 900
"""Of a sheet, pixels: under a megabyte each."""

FOLDER, PAGE = "pictures", "pictures.md"


def write_pictures(bench: Workbench, out: Path, command: str) -> None:
    """Write ``pictures.md``, and a PNG for each scene into a folder beside it.

    Args:
        bench: The material.
        out: Folder, made if missing.
        command: What made it, for the page.

    Raises:
        InputError: A file cannot be made there.
        DiskFullError: There is no room.
    """
    entries: list[tuple[float, str]] = []
    for done, scene in enumerate(bench.stills(CAMERA)):
        bench.tell("pictures", done, len(bench.names))
        ours = render_pictures(scene.display, bench.model, bench.spaces)
        plain, ours = (_match(x, scene) for x in (srgb_to_linear(scene.display), ours))
        pictures = {"SDR": plain, "ours": ours, "truth": scene.truth}
        write_sheet(out / FOLDER / f"{scene.name}.png", pictures, CAMERA.name)
        before, after = (pu21_psnr(x, scene.truth) for x in (plain, ours))
        error, bias = stops_apart(ours, scene.truth, highlights(scene.display))
        bright = f"highlights off by {error:.2f} stops (bias {bias:+.2f})"
        if math.isnan(error):
            bright = "nothing clipped"
        entries.append(
            (
                after - before,
                f"### {scene.name}\n\nPU21-PSNR {after:.1f} dB, {after - before:+.1f} on the SDR; "
                f"{bright}.\n\n"
                f"![{scene.name}]({FOLDER}/{scene.name}.png)\n",
            )
        )
    entries.sort(reverse=True)
    head = (
        "# Pictures\n\n"
        f"Held-out scenes through delivery B ({CAMERA.about}, JPEG), rendered by "
        f"{bench.model.manifest.name} (digest `{bench.model.digest[:12]}`), which was told nothing "
        "of the view. Rows: SDR linearised, ours, the truth; each after one factor of exposure. "
        "Columns: seen 4 stops darker, as delivered, 3 stops brighter. Ordered by what the model "
        f"gains on the SDR: the last one is the worst case.\n\n```\n{command}\n```\n"
    )
    write_text(out / PAGE, "\n".join([head, *(text for _, text in entries)]))


def _match(result: Light, scene: Scene) -> Light:
    return result * np.float32(exposure_match(result, scene.truth, scene.display))


def write_sheet(path: Path, pictures: Mapping[str, Light], title: str) -> None:
    """Write a PNG with a row for each picture, at the exposures :data:`STOPS`.

    Args:
        path: The file; its folder is made if missing.
        pictures: ``h w 3`` linear Rec.709 light of one size, by label.
        title: Written in the corner.
    """
    rows = []
    for label, light in pictures.items():
        seen = [linear_to_srgb(np.clip(light * np.float32(2.0**s), 0, 1)) for s in STOPS]
        rows.append((label, [np.rint(codes * 255).astype(np.uint8) for codes in seen]))
    headings = [f"{s:+d} stops" if s else "0 stops" for s in STOPS]
    sheet = contact_sheet(rows, headings, title, width=WIDTH)
    with whole_file(path, str(path)) as beside:
        sheet.save(beside, optimize=True)
