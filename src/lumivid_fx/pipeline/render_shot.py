"""One shot, start to end: a plate in, finished frames out, one at a time.

Two readers walk the plate, each on a thread of its own: one ahead, for the model's windows at the
model's size; one behind, for the merge at full size. Two windows' small frames and a few full ones
are held at once, so memory does not grow with the length of the shot.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import ClipCount
from lumivid_fx.media import Frame, Plate
from lumivid_fx.media.image_file import UNASSOCIATED
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.background import ReadAhead, Waits, how_many
from lumivid_fx.pipeline.detail import WindowDetail, window_detail
from lumivid_fx.pipeline.ingest import Ingest, Pixels, SmallFrame, SmallFrames
from lumivid_fx.pipeline.mask import ShotMask
from lumivid_fx.pipeline.noise import NoiseSource
from lumivid_fx.pipeline.render_window import StepCallback
from lumivid_fx.pipeline.shot_windows import RenderedWindows, ShotWindows
from lumivid_fx.pipeline.spread import Step, spread
from lumivid_fx.pipeline.windows import Window

FULL_FRAMES = 2
"""Frames of the plate's size that wait in a queue: one is had while another is read or written."""


@dataclass(frozen=True)
class ShotSettings:
    """What a user decides about a render.

    Attributes:
        input_space: Space of the plate's pixels; None takes the plate's own guess.
        output_space: Scene-linear space of the result.
        source_view: SDR view the plate was made with, or is to be put through; None is unknown.
        seed: Seed of the noise.
        sigmas: Noise levels of each stage; None takes the model's.
        reference_strength: 1 holds the plate, 0 lets go of it.
        detail: 1 keeps the plate's well-exposed pixels, 0 is the model alone.
        exposure: Stops added to the result.
        model_size: Longest side the model sees, pixels; None takes the model's own, 0 the plate's.
        tile: Edge of a tile in latents; None for no tiles.
        vae_tile: Edge of the VAE's tiles in latents; None takes the model's, and `tile` at most.
        vae_frames: Length of the VAE's tiles in latents; None takes the model's.
        tilers: ``seamless``, or ``reference`` for the reference code's own tiles.
        high_quality: Show the model every frame twice; takes twice the time, and flickers less.
        mask: Image sequence or still that limits where the model speaks: 0 is the plate, 1 the
            model.
        window: Frames rendered at once; None takes the model's.
        overlap: Frames two windows share; None takes the model's.
        fps: Frames a second; None takes the plate's, or 24.
        generated: Whether frames say how much of each pixel is the model's.
    """

    input_space: str | None = None
    output_space: str = LINEAR_REC709
    source_view: str | None = None
    seed: int = 0
    sigmas: tuple[tuple[float, ...], ...] | None = None
    reference_strength: float = 1.0
    detail: float = 1.0
    exposure: float = 0.0
    model_size: int | None = None
    tile: int | None = None
    vae_tile: int | None = None
    vae_frames: int | None = None
    tilers: str = "seamless"
    high_quality: bool = False
    mask: str | None = None
    window: int | None = None
    overlap: int | None = None
    fps: float | None = None
    generated: bool = False


@dataclass(frozen=True)
class Progress:
    """Where a render is.

    Attributes:
        phase: What is being done, in a word or two.
        done: Steps of this window done, and `steps` in all.
        steps: See `done`.
        window: Number of the window, from 1, of `windows` to render.
        windows: See `window`.
    """

    phase: str
    done: int
    steps: int
    window: int
    windows: int


ProgressCallback = Callable[[Progress], None]
"""Called after every sampler step; raise to cancel."""


@dataclass(frozen=True)
class FinishedFrame:
    """A frame of the result.

    Attributes:
        source: The plate's frame, with its alpha, windows and metadata.
        rgb: ``h w 3`` float32 light in the output space, multiplied by alpha where there is one.
        clipped: The model's samples of this frame that were above its curve or below zero light,
            and were clamped to it.
        generated: ``h w`` float32 in [0, 1], how much of each pixel is the model's: 0 the plate's
            own, 1 the model's. Not multiplied by alpha. None unless it was asked for.
    """

    source: Frame
    rgb: Pixels
    clipped: ClipCount
    generated: Pixels | None = None


def render_shot(
    ahead: Plate,
    behind: Plate,
    model: HdrModel | RenderedWindows,
    settings: ShotSettings,
    noise: NoiseSource,
    spaces: ColorSpaces,
    wanted: Collection[int],
    on_progress: ProgressCallback,
    *,
    mask: ShotMask | None = None,
    waits: Waits | None = None,
    more: Sequence[HdrModel] = (),
) -> Iterator[FinishedFrame]:
    """Render the wanted frames of a plate, in order.

    Args:
        ahead: The whole plate, for the windows.
        behind: The same plate opened again, for the merge.
        model: The model, or its windows from elsewhere.
        settings: What the user decided.
        noise: Where noise comes from; `settings.seed` is not looked at here.
        spaces: The colour config.
        wanted: Frame numbers to render; the windows they lie in are rendered whole.
        on_progress: Progress and cancel.
        mask: Where the model speaks; None is everywhere.
        waits: Where to note how long frames were waited for.
        more: The same model on further devices, over which windows are spread.

    Yields:
        Finished frames; when one arrives it is final.

    Raises:
        InputError: A setting does not fit the model, or a frame cannot be read.
        RenderError: The model gave values that are no numbers.
    """
    shot = ShotWindows.of(ahead, model, settings, noise, spaces)
    indices = sorted(map(ahead.frame_numbers.index, wanted))
    needed = [w for w in shot.windows if any(w.first <= i <= w.last for i in indices)]
    small = SmallFrames(shot.height, shot.width)

    def reduced(index: int) -> tuple[int, SmallFrame]:
        return index, shot.reduce(ahead.read(ahead.frame_numbers[index]))

    def full(number: int) -> tuple[Frame, Tensor | None]:
        return behind.read(number), None if mask is None else mask.read(number)

    seen = sorted({i for w in needed for i in range(w.first, w.last + 1)})
    whole = [behind.frame_numbers[index] for index in indices]
    window_length = max((w.last + 1 - w.first for w in needed), default=1)
    waits = waits or Waits()
    with (
        ReadAhead(reduced, seen, how_many(small.frame_bytes, window_length)) as coming,
        ReadAhead(full, whole, how_many(frame_bytes(behind), FULL_FRAMES)) as frames,
    ):

        def shown() -> Iterator[tuple[int, _Shown]]:
            for place, window in enumerate(needed):
                small.drop_before(window.first)
                while window.last not in small.frames:
                    index, frame = next(coming)
                    small.frames[index] = frame
                waits.first = waits.first or coming.waited
                bright = any(small.frames[i].holds_more for i in window.frames)
                yield place, _Shown(window, *small.stack(window), bright)

        def work(on: HdrModel | RenderedWindows, item: tuple[int, _Shown], step: Step) -> _Rendered:
            place, window = item

            def tell(phase: str, done: int, steps: int) -> None:
                progress = Progress(phase, done, steps, place + 1, len(needed))
                step(lambda: on_progress(progress))

            return _render(window, shot, on, tell)

        live: list[_Rendered] = []
        workers = [partial(work, on) for on in (model, *more)]
        for place, rendered in enumerate(spread(workers, shown())):
            window = rendered.window
            live = [*(r for r in live if r.window.last >= window.first), rendered]
            until = needed[place + 1].first if place + 1 < len(needed) else window.last + 1
            while indices and indices[0] < until:
                yield _merge(indices.pop(0), live, *next(frames), shot.ingest, settings)
            waits.read = coming.waited + frames.waited


def frame_bytes(plate: Plate) -> int:
    """Memory of one frame of a plate, with alpha or without."""
    return plate.width * plate.height * 4 * 4


@dataclass(frozen=True)
class _Shown:
    """A window as the model is shown it.

    Attributes:
        window: Which.
        display: Display codes ``f 3 h w``.
        covered: Share of each sample that was clipped at full size.
        exposed: Share that was well exposed.
        holds_more: Whether its plate holds more than white by itself.
    """

    window: Window
    display: Tensor
    covered: Tensor
    exposed: Tensor
    holds_more: bool


@dataclass(frozen=True)
class _Rendered:
    """A window that has been through the model.

    Attributes:
        window: Which.
        detail: What its frames need when they are merged.
        clipped: Of each frame.
        holds_more: Whether its plate holds more than white by itself, so that nothing clipped.
    """

    window: Window
    detail: WindowDetail
    clipped: list[ClipCount]
    holds_more: bool


def _render(
    shown: _Shown, shot: ShotWindows, model: HdrModel | RenderedWindows, step: StepCallback
) -> _Rendered:
    window, display, ingest = shown.window, shown.display, shot.ingest
    if isinstance(model, HdrModel):
        codes = shot.codes(window, display, model, step)
    else:
        codes = model.codes(window)
    # A generator's negative light is noise: it ends at zero, as the plate's own need not.
    black = float(model.transfer.forward(torch.zeros(())))
    clipped = [
        ClipCount(int((frame > 1).sum()), int((frame < black).sum()), frame.numel())
        for frame in codes
    ]
    known = ingest.known_small if ingest.has_known else None
    codes = ingest.from_model(codes.clamp(black, 1))
    detail = window_detail(
        codes,
        display,
        shown.covered,
        shown.exposed,
        known,
        model.transfer,
        grain_px=model.manifest.grain_px,
        grain_frames=model.manifest.grain_frames,
        rise=model.manifest.highlight_rise,
        least=model.manifest.highlight_least,
    )
    return _Rendered(window, detail, clipped, shown.holds_more)


def _merge(
    index: int,
    live: list[_Rendered],
    frame: Frame,
    mask: Tensor | None,
    ingest: Ingest,
    settings: ShotSettings,
) -> FinishedFrame:
    display, known = ingest.display(frame), ingest.known(frame)
    trust = None if known is None else ingest.trust_white(known)
    total, generated = torch.zeros_like(display), torch.zeros_like(display[0])
    clipped = ClipCount()
    for rendered in live:
        window = rendered.window
        if window.first <= index <= window.last:
            own = trust * 0 if trust is not None and rendered.holds_more else trust
            codes, taken = rendered.detail.merge(
                index - window.first, display, known, settings.detail, own
            )
            if mask is not None:
                curve = rendered.detail.curve
                plate = known if curve is None else curve(display)
                if plate is not None:
                    codes, taken = torch.lerp(plate, codes, mask), taken * mask
            total = total + codes * window.weight(index)
            generated = generated + taken[0] * window.weight(index)
            clipped = clipped + rendered.clipped[index - window.first]
    light = ingest.transfer.inverse(total) * 2.0**settings.exposure
    native = np.ascontiguousarray(light.permute(1, 2, 0).numpy())
    rgb = ingest.spaces.convert(native, LINEAR_REC709, settings.output_space)
    if frame.alpha is not None and UNASSOCIATED in frame.attributes:
        rgb = rgb * frame.alpha[..., None]
    return FinishedFrame(frame, rgb, clipped, generated.numpy() if settings.generated else None)
