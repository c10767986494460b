"""What each phase of a window's render takes, worked out and not run.

A window goes through encode, stage 1, upsample, encode again, stage 2 and decode; each phase has
the weights that it works with, room for its tensors, and arithmetic. The sizes of tiles are those
that the render itself would cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lumivid_fx.model.shape import ModelShape
from lumivid_fx.pipeline.preflight import choose_windows
from lumivid_fx.pipeline.reference import fit_size
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.tiles import Span, cut_axis
from lumivid_fx.pipeline.vae import LOOK_BACK, TIME_OVERLAP
from lumivid_fx.pipeline.windows import cut_windows, round_up_frames

OVERLAP = 8
"""Latents that two tiles share along an edge, as :func:`.tiles.cut_tiles` has it."""

HELD = 10
"""Latents of a window in float32 that live through a stage: noise, target, reference, velocities
of both and their sums over tiles."""


@dataclass(frozen=True)
class Tiling:
    """How a window is cut.

    Attributes:
        tile: Edge of the transformer's tiles in latents, None for no tiles.
        vae_tile: Edge of the VAE's.
        vae_frames: Length of the VAE's.
    """

    tile: int | None
    vae_tile: int
    vae_frames: int


@dataclass(frozen=True)
class Demand:
    """What a render asks of a model, a window at a time.

    Attributes:
        height: Of what the model sees, in latents of the last stage.
        width: Likewise.
        frames: Latents in time of a window.
        windows: How many there are.
        steps: Sampler steps of each stage.
        outputs: Groups of tokens whose velocity is wanted: 2 below full reference strength.
        tile: Edge of a tile that the user named.
        vae_tile: Likewise of the VAE's.
        vae_frames: Likewise their length.
    """

    height: int
    width: int
    frames: int
    windows: int
    steps: tuple[int, ...]
    outputs: int = 1
    tile: int | None = None
    vae_tile: int | None = None
    vae_frames: int | None = None

    def size(self, stage: int) -> tuple[int, int]:
        """Height and width of a stage in latents: all but the last one are half as large."""
        half = 2 ** (len(self.steps) - 1 - stage)
        return self.height // half, self.width // half


@dataclass(frozen=True)
class Phase:
    """A phase of a window's render.

    Attributes:
        name: Which.
        part: ``transformer``, ``vae`` or ``upsampler``: whose weights work.
        working: Bytes of tensors at once at the most, without weights.
        flops: Of one pass over all tiles.
        passes: How often it goes over them.
        tiles: How many there are; the transformer's blocks take their turns for each.
    """

    name: str
    part: str
    working: int
    flops: float
    passes: int = 1
    tiles: int = 1


def demand_of(
    settings: ShotSettings, shape: ModelShape, height: int, width: int, frames: int
) -> Demand:
    """What rendering a plate asks.

    Args:
        settings: What the user decided.
        shape: The model's.
        height: Of the plate, pixels.
        width: Likewise.
        frames: Of the plate.

    Raises:
        InputError: Windows that do not fit the model.
    """
    manifest, ratio = shape.manifest, shape.temporal_ratio
    filled = choose_windows(settings, manifest.window_frames, manifest.overlap_frames, ratio)
    length, overlap = filled.window or 0, filled.overlap or 0
    windows = cut_windows(frames, length, overlap, ratio)
    shown = max(window.padded for window in windows)
    if settings.high_quality:
        shown = round_up_frames(2 * shown - 1, ratio)
    sigmas = settings.sigmas or manifest.sigmas
    longest = manifest.native_size if settings.model_size is None else settings.model_size or None
    multiple = 1 << (len(sigmas) - 1)
    rows, columns = (
        -(-size // (shape.spatial_ratio * multiple)) * multiple
        for size in fit_size(height, width, longest)
    )
    return Demand(
        rows,
        columns,
        (shown - 1) // ratio + 1,
        len(windows),
        tuple(len(stage) - 1 for stage in sigmas),
        2 if settings.reference_strength < 1 else 1,
        settings.tile,
        settings.vae_tile,
        settings.vae_frames,
    )


def phases(shape: ModelShape, demand: Demand, tiling: Tiling) -> list[Phase]:
    """All phases of a window, in order."""
    found = []
    for stage, steps in enumerate(demand.steps):
        height, width = demand.size(stage)
        held = HELD * 4 * shape.channels * demand.frames * height * width
        number = f" {stage + 1}" if len(demand.steps) > 1 else ""
        if stage:
            before = demand.size(stage - 1)
            cost = shape.upsample(demand.frames, *before)
            found.append(Phase("upsample", "upsampler", cost.peak + held, cost.flops))
        found.append(_encode(shape, demand, tiling, (height, width), f"encode{number}", held))
        grid = _tiles(height, tiling.tile), _tiles(width, tiling.tile)
        rows, columns = map(_longest, grid)
        cost = shape.velocity(demand.frames, rows, columns, demand.outputs)
        count = len(grid[0]) * len(grid[1])
        name = f"stage{number}" if number else "denoise"
        found.append(Phase(name, "transformer", cost.peak + held, count * cost.flops, steps, count))
    spans = cut_axis(demand.frames, tiling.vae_frames, TIME_OVERLAP)
    grid = _tiles(demand.height, tiling.vae_tile), _tiles(demand.width, tiling.vae_tile)
    cost = shape.decode(_longest(spans), *map(_longest, grid))
    count = len(spans) * len(grid[0]) * len(grid[1])
    held = 2 * 4 * shape.channels * demand.frames * demand.height * demand.width
    found.append(Phase("decode", "vae", cost.peak + held, count * cost.flops))
    return found


def _encode(
    shape: ModelShape,
    demand: Demand,
    tiling: Tiling,
    size: tuple[int, int],
    name: str,
    held: int,
) -> Phase:
    grid = [_tiles(edge, tiling.vae_tile) for edge in size]
    clips = encoder_clips(demand.frames, tiling.vae_frames)
    cost = shape.encode(max(clips), *map(_longest, grid))
    share = sum(clips) / max(clips) * len(grid[0]) * len(grid[1])
    return Phase(name, "vae", cost.peak + held, share * cost.flops)


def encoder_clips(count: int, frames: int) -> list[int]:
    """Latents of each clip that the encoder is shown, what it looks back on included."""
    return [
        min(count, start + frames) - max(0, start - LOOK_BACK) for start in range(0, count, frames)
    ]


def _tiles(edge: int, tile: int | None) -> list[Span]:
    return cut_axis(edge, tile or edge, OVERLAP)


def _length(span: Span) -> int:
    return span.stop - span.start


def _longest(spans: Sequence[Span]) -> int:
    return max(map(_length, spans))
