"""What is tried when memory runs out: rungs of a ladder, each needing less than the one above.

    0            as asked; on a GPU by plan
    1            the same, after all that nobody holds was given back: the same bits
    2, 3         on a GPU: planned again for a part of its memory, the next way of the plan
    then         tiles of half the latents' edge, then of a quarter
    then         shorter windows as well, halved down to what still shows motion

Tiles come before windows: what they change is local and small, while a shorter window sees less of
the motion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lumivid_fx.errors import OutOfMemoryError
from lumivid_fx.model.manifest import Manifest
from lumivid_fx.pipeline.preflight import MIN_TILE, choose_windows
from lumivid_fx.pipeline.reference import fit_size
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.windows import round_up_frames

LEAST_LATENTS = 2
"""Shortest window that is fallen back to, in latents after the first: 17 frames where a latent
covers 8. In 9 frames the model sees no motion to speak of."""

SHARES = (0.85, 0.7)
"""Of a GPU's memory that a plan is given after one that was given all of it did not hold."""


@dataclass(frozen=True)
class Rung:
    """One way to render.

    Attributes:
        settings: What it goes by.
        note: What that means for the result, as a sentence for the artist; empty as asked.
        share: Of the GPU's memory that a plan may take.
    """

    settings: ShotSettings
    note: str = ""
    share: float = 1.0


def rungs(
    settings: ShotSettings, *, edge: int, frames: int, ratio: int = 8, planned: bool = False
) -> list[Rung]:
    """The ladder of a render, from what was asked down to the least that makes sense.

    Args:
        settings: As asked, with window and overlap filled in.
        edge: Longest edge of what the model is shown, in latents; see :func:`latent_edge`.
        frames: Frames of the plate.
        ratio: Frames a latent covers.
        planned: Whether renders are fitted to the device by plan.

    Returns:
        Two rungs at least.
    """
    ladder = [
        Rung(settings),
        Rung(settings, "memory ran out: tried again with all of it freed, which changes nothing"),
    ]
    share = 1.0
    for share in SHARES if planned else ():
        note = f"memory ran out: planned again for {share:.0%} of what is free on the GPU"
        ladder.append(Rung(settings, note, share))
    asked = before = min(settings.tile or edge, edge)
    told = ""
    for tile in (max(MIN_TILE, asked // part) for part in (2, 4)):
        if 4 * tile <= 3 * before:  # less than that spares too little to be worth a try
            before, told = tile, f" in tiles of {tile} latents"
            note = f"memory ran out: rendered{told}, which may change soft highlights slightly"
            ladder.append(Rung(replace(settings, tile=tile), note, share))
    least = ladder[-1].settings
    window = min(settings.window or 0, round_up_frames(frames, ratio))
    while (shorter := _halved(window, ratio)) < window:
        window = shorter
        shortened = replace(least, window=window, overlap=None)
        fitted = choose_windows(shortened, window, settings.overlap or 1, ratio)
        note = (
            f"memory ran out: rendered {window} frames at a time{told}, which may change "
            "highlights and how they move"
        )
        ladder.append(Rung(fitted, note, share))
    return ladder


def latent_edge(
    settings: ShotSettings, manifest: Manifest, plate: tuple[int, int], ratio: int, stages: int
) -> int:
    """Longest edge of what the model is shown, in latents.

    Args:
        settings: As asked.
        manifest: The model's.
        plate: Height and width, pixels.
        ratio: Pixels a latent covers along an edge.
        stages: Of the model; with two, pixels are padded so that they can be halved.
    """
    longest = manifest.native_size if settings.model_size is None else settings.model_size or None
    multiple = 1 << (stages - 1)
    return -(-max(fit_size(*plate, longest)) // (ratio * multiple)) * multiple


def exhausted(rung: Rung, device: str, peak: int) -> OutOfMemoryError:
    """What is said when the last rung did not fit either.

    Args:
        rung: The last that was tried.
        device: What it ran on.
        peak: Bytes that tensors took at most; 0 where nobody counts.
    """
    taken = f" ({peak / 2**30:.1f} GiB were taken at the most)" if peak else ""
    tile = f" in tiles of {rung.settings.tile} latents" if rung.settings.tile else ""
    return OutOfMemoryError(
        f"there is not enough memory on {device} to render even {rung.settings.window} frames at a "
        f"time{tile}{taken}; give a smaller model size, or end what else takes memory there, and "
        "submit again, for finished frames stay"
    )


def _halved(window: int, ratio: int) -> int:
    """Half of a window, to the nearest that the model takes, and enough to show motion."""
    half = round((window / 2 - 1) / ratio) * ratio + 1
    return max(half, LEAST_LATENTS * ratio + 1)
