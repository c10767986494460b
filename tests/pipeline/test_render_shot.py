"""A shot: its own frames and pixels come back, the same bits however it is cut into runs."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.transfer import LOGC3_REC709
from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.media import Frame, Plate
from lumivid_fx.media.image_file import UNASSOCIATED
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.background import Waits
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.render_shot import (
    FinishedFrame,
    Progress,
    ShotSettings,
    render_shot,
)
from lumivid_fx.pipeline.render_window import Sampling, render_window
from lumivid_fx.pipeline.windows import cut_windows

from .plates import Clip, Pixels, Still, picture

ONE_STEP = ((1.0, 0.0),)
QUICK = ShotSettings(sigmas=ONE_STEP)

Render = Callable[..., Iterator[FinishedFrame]]


@pytest.fixture
def render(quick_model: HdrModel, spaces: ColorSpaces) -> Render:
    """Render frames of a plate with the quick model; all of them if none are named."""

    def run(
        plate: Plate,
        wanted: Iterable[int] | None = None,
        settings: ShotSettings = QUICK,
        *,
        model: HdrModel = quick_model,
        behind: Plate | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
        waits: Waits | None = None,
    ) -> Iterator[FinishedFrame]:
        numbers = plate.frame_numbers if wanted is None else list(wanted)
        noise = SeededNoise(settings.seed)
        other = behind or plate
        return render_shot(
            plate, other, model, settings, noise, spaces, numbers, on_progress, waits=waits
        )

    return run


def pixels_of(frames: Iterable[FinishedFrame]) -> dict[int, Pixels]:
    """The pixels of finished frames, by number."""
    return {f.source.number: f.rgb for f in frames}


def light_of(rgb: Pixels) -> Pixels:
    """Rec.709 light of sRGB codes."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(
    ("height", "width", "count"),
    [(16, 16, 1), (17, 23, 1), (23, 17, 10), (16, 16, 9), (31, 16, 2), (40, 19, 27)],
)
def test_any_size_and_length(render: Render, height: int, width: int, count: int) -> None:
    """Exactly the plate's frames come back, in order, in exactly its size."""
    frames = list(render(Clip(height, width, count, first=1001)))
    assert [f.source.number for f in frames] == list(range(1001, 1001 + count))
    for frame in frames:
        assert frame.rgb.shape == (height, width, 3)
        assert frame.rgb.dtype == np.float32
        assert frame.rgb.flags["C_CONTIGUOUS"]
        assert bool(np.isfinite(frame.rgb).all())


@pytest.mark.parametrize(
    "runs",
    [
        [range(1, 21), range(21, 51)],
        [range(31, 51), range(1, 31)],
        [range(40, 51), range(1, 2), range(2, 40)],
        [[50, 3, 17], [n for n in range(1, 51) if n not in {50, 3, 17}]],
    ],
)
@pytest.mark.parametrize("detail", [0.0, 1.0])
def test_a_shot_in_runs_is_the_same_shot(
    render: Render, runs: list[Iterable[int]], detail: float
) -> None:
    """In two ranges, in another order, or frame by frame: every bit is the same."""
    settings = replace(QUICK, detail=detail)
    whole = pixels_of(render(Clip(16, 24, 50), settings=settings))
    pieces: dict[int, Pixels] = {}
    for run in runs:
        pieces |= pixels_of(render(Clip(16, 24, 50), run, settings))
    assert whole.keys() == pieces.keys()
    assert all(np.array_equal(whole[n], pieces[n]) for n in whole)


def test_seed_and_nothing_else_makes_the_noise(render: Render) -> None:
    """The same seed gives the same bits, another seed another picture."""
    settings = replace(QUICK, detail=0.0)
    one, again = (pixels_of(render(Clip(16, 16, 9), settings=settings)) for _ in range(2))
    torch.manual_seed(77)
    other = pixels_of(render(Clip(16, 16, 9), settings=replace(settings, seed=1)))
    assert all(np.array_equal(one[n], again[n]) for n in one)
    assert all(not np.allclose(one[n], other[n], rtol=0.01) for n in one)


def test_only_needed_windows_are_rendered(render: Render) -> None:
    """One frame in the middle costs the windows it lies in; the plate is read once for them."""
    ahead, behind = Clip(16, 16, 200), Clip(16, 16, 200)
    told: list[Progress] = []
    frames = list(render(ahead, [100], behind=behind, on_progress=told.append))
    windows = [w for w in cut_windows(200, 25, 9) if w.first <= 99 <= w.last]
    assert [f.source.number for f in frames] == [100]
    assert behind.reads == [100]
    first, last = windows[0].first, windows[-1].last
    assert ahead.reads == list(range(first + 1, last + 2))
    assert told == [Progress("denoise", 1, 1, n + 1, len(windows)) for n in range(len(windows))]


class ToldClip(Clip):
    """A clip that others can wait for."""

    def __init__(self, count: int) -> None:
        super().__init__(16, 16, count)
        self._read = threading.Condition()

    def read(self, number: int) -> Frame:
        """Make a frame, and tell whoever waits for it."""
        frame = super().read(number)
        with self._read:
            self._read.notify_all()
        return frame

    def wait_for(self, number: int) -> None:
        """Stand still until a frame was read by somebody else."""
        with self._read:
            assert self._read.wait_for(lambda: number in self.reads, timeout=60)


def test_files_are_read_while_the_model_is_at_work(render: Render) -> None:
    """From inside a window's step the whole next window is seen to come, and full frames to merge.

    A render that read when it needs to would stand still here for ever. Nor does it read on and on.
    """
    ahead, behind = ToldClip(60), ToldClip(60)
    windows = cut_windows(60, 25, 9)
    assert len(windows) > 2

    def look(progress: Progress) -> None:
        here = windows[progress.window - 1]
        for later in windows[progress.window : progress.window + 1]:
            ahead.wait_for(later.last + 1)
        behind.wait_for(here.first + 1)
        assert len(ahead.reads) <= here.last + 1 + 25

    waits = Waits()
    frames = list(render(ahead, behind=behind, on_progress=look, waits=waits))
    assert [frame.source.number for frame in frames] == list(range(1, 61))
    assert ahead.reads == behind.reads == list(range(1, 61))
    assert 0 < waits.first <= waits.read


def test_nothing_wanted(render: Render) -> None:
    """No frame asked for, no frame read."""
    plate = Clip(16, 16, 9)
    assert list(render(plate, [])) == []
    assert plate.reads == []


@torch.inference_mode()
def test_model_alone_is_its_windows_crossfaded(render: Render, quick_model: HdrModel) -> None:
    """With detail 0: each window's codes, a linear fade in codes, and LogC3 inverted."""
    plate = Clip(16, 24, 41, first=0)
    finished = pixels_of(render(plate, settings=replace(QUICK, detail=0.0)))
    sampling = Sampling(SeededNoise(0), ONE_STEP, 24.0)
    rendered: list[tuple[int, Tensor]] = []
    for first, last in ((0, 25), (16, 41)):
        shown = np.stack([picture(16, 24, n) for n in range(first, last)])
        codes = torch.from_numpy(shown).movedim(-1, 1)
        result = render_window(quick_model, codes, first, sampling, lambda *_: None)
        rendered.append((first, result.clamp(0.092809, 1)))
    (_, before), (_, after) = rendered
    for number in range(41):
        if number < 16:
            codes = before[number]
        elif number >= 25:
            codes = after[number - 16]
        else:
            share = (number - 15) / 10
            codes = (1 - share) * before[number] + share * after[number - 16]
        light = LOGC3_REC709.inverse(codes).movedim(0, -1).numpy()
        # Fades add in another order: a code's rounding, times 9.3 for light.
        assert np.allclose(finished[number], light, rtol=2e-6, atol=1e-7)


def test_last_frame_is_repeated_for_the_model(render: Render) -> None:
    """Twelve frames render as the first twelve of seventeen whose last six are one."""

    class Held(Clip):
        """A clip that stands still from its twelfth frame on."""

        def read(self, number: int) -> Frame:
            return replace(super().read(min(number, 12)), number=number)

    settings = replace(QUICK, detail=0.0)
    short = pixels_of(render(Clip(16, 16, 12), settings=settings))
    held = pixels_of(render(Held(16, 16, 17), range(1, 13), settings))
    assert all(np.array_equal(short[n], held[n]) for n in short)


def test_departure_5_no_light_below_zero(render: Render, quick_model: HdrModel) -> None:
    """The toe ends at zero light, and each frame says how many samples that changed."""
    plate = Clip(16, 16, 9)
    codes = torch.from_numpy(np.stack([picture(16, 16, n) for n in range(1, 10)])).movedim(-1, 1)
    sampling = Sampling(SeededNoise(0), ONE_STEP, 24.0)
    results = render_window(quick_model, codes, 0, sampling, lambda *_: None)
    black = 0.092809  # LogC3's code of zero light; diffusers goes down to code 0, light -0.0173
    assert int((results < black).sum()) > 0
    frames = render(plate, settings=replace(QUICK, detail=0.0))
    for frame, result in zip(frames, results, strict=True):
        assert float(frame.rgb.min()) >= 0
        assert frame.clipped.below == int((result < black).sum())
        assert frame.clipped.above == int((result > 1).sum())
        assert frame.clipped.total == 3 * 16 * 16


def test_well_exposed_pixels_are_the_plates(render: Render) -> None:
    """With its view named, an SDR plate comes back as its own light, to half a half's rounding."""
    rgb = np.random.default_rng(0).uniform(0.02, 0.93, (24, 32, 3)).astype(np.float32)
    (frame,) = render(Still(rgb), settings=replace(QUICK, source_view="srgb"))
    assert np.allclose(frame.rgb, light_of(rgb), rtol=2**-12)


def test_a_scene_linear_plate_keeps_its_light(render: Render, spaces: ColorSpaces) -> None:
    """Light above white and below zero survives a render from ACEScg to ACEScg."""
    generator = np.random.default_rng(1)
    rgb = np.exp2(generator.uniform(-9, 5, (24, 32, 3))).astype(np.float32)
    rgb[:4, :, 1] *= -0.05
    settings = replace(QUICK, output_space="acescg")
    (frame,) = render(Still(rgb, "acescg"), settings=settings)
    assert float(spaces.convert(rgb, "acescg", "lin_rec709").max()) > 10
    assert float(rgb.min()) < -0.5
    # LogC3's codes in float32, relative to the pixel's brightest channel: primaries mix them.
    error = np.abs(frame.rgb - rgb).max(axis=-1)
    assert bool((error <= 1e-4 * np.abs(rgb).max(axis=-1)).all())


def test_a_scene_linear_plate_that_ends_at_white_is_opened(render: Render) -> None:
    """SDR made linear clipped at 1: there the model may speak, and never below white."""
    rgb = np.full((24, 32, 3), 0.3, np.float32)
    rgb[6:14, 8:20] = 1.0
    (frame,) = render(Still(rgb, "lin_rec709"), settings=QUICK)
    assert np.allclose(frame.rgb[:4], 0.3, rtol=1e-5)  # LogC3 there and back in float32
    assert float(frame.rgb[6:14, 8:20].min()) >= 1 - 1e-5
    over = rgb.copy()
    over[8, 10] = 3.0
    (kept,) = render(Still(over, "lin_rec709"), settings=QUICK)
    assert np.allclose(kept.rgb, over, rtol=1e-5)


def test_nothing_clipped_invents_nothing(render: Render) -> None:
    """A plate below the clip stays below white, whatever the model dreams."""
    rgb = np.random.default_rng(0).uniform(0.02, 0.93, (24, 32, 3)).astype(np.float32)
    for settings in (QUICK, replace(QUICK, source_view="srgb")):
        (frame,) = render(Still(rgb), settings=settings)
        order = np.argsort(rgb.ravel())
        assert bool((np.diff(frame.rgb.ravel()[order]) >= 0).all())
    assert float(frame.rgb.max()) < 0.86


def test_clipped_pixels_are_not_below_white(render: Render) -> None:
    """Where the plate is white the result is white or more."""
    rgb = picture(24, 32, 1)
    rgb[6:14, 8:20] = 1.0
    (frame,) = render(Still(rgb), settings=replace(QUICK, source_view="srgb"))
    # LogC3 there and back in float32.
    assert float(frame.rgb[6:14, 8:20].min()) >= 1 - 1e-5


@pytest.mark.parametrize("stops", [1, -3])
def test_exposure(render: Render, stops: int) -> None:
    """A stop is a factor of two, exactly."""
    plain = pixels_of(render(Clip(16, 16, 2)))
    moved = pixels_of(render(Clip(16, 16, 2), settings=replace(QUICK, exposure=stops)))
    assert all(np.array_equal(plain[n] * 2.0**stops, moved[n]) for n in plain)


def test_output_space(render: Render, spaces: ColorSpaces) -> None:
    """The same light in other primaries."""
    plain = pixels_of(render(Clip(16, 16, 2)))
    wide = pixels_of(render(Clip(16, 16, 2), settings=replace(QUICK, output_space="acescg")))
    for number, rgb in plain.items():
        assert np.array_equal(wide[number], spaces.convert(rgb, "lin_rec709", "acescg"))


def test_a_small_model_render_carries_a_large_plate(render: Render) -> None:
    """The model may work at a fraction of the plate's size; pixels it need not touch are kept."""
    rgb = np.random.default_rng(0).uniform(0.02, 0.93, (64, 96, 3)).astype(np.float32)
    settings = replace(QUICK, source_view="srgb", model_size=32)
    (frame,) = render(Still(rgb), settings=settings)
    assert np.allclose(frame.rgb, light_of(rgb), rtol=2**-12)
    blown = rgb.copy()
    blown[20:40, 30:60] = 1.0
    (frame,) = render(Still(blown), settings=settings)
    assert float(frame.rgb[20:40, 30:60].min()) >= 1 - 1e-5


def test_tiles_change_little(render: Render) -> None:
    """A render in tiles is another one, near the whole one's mean and everywhere finite."""
    settings = replace(QUICK, detail=0.0)
    (whole,) = render(Still(picture(72, 136, 1)), settings=settings)
    (tiled,) = render(Still(picture(72, 136, 1)), settings=replace(settings, tile=10))
    assert not np.array_equal(whole.rgb, tiled.rgb)
    ratio = np.median(tiled.rgb) / np.median(whole.rgb)
    # Random weights attend over the whole picture; a tile is a third of it.
    assert 0.5 < ratio < 2


def test_fps_of_the_plate(render: Render) -> None:
    """The plate's own rate is taken, 24 where it has none, and the user's above both."""

    def at(plate_fps: Fraction | None, fps: float | None) -> Pixels:
        plate = Clip(16, 16, 9)
        plate.fps = plate_fps
        return pixels_of(render(plate, [5], replace(QUICK, detail=0.0, fps=fps)))[5]

    assert np.array_equal(at(None, None), at(Fraction(24), None))
    assert np.array_equal(at(Fraction(24), 60.0), at(Fraction(60), None))
    assert not np.array_equal(at(Fraction(24), None), at(Fraction(60), None))


def test_unmultiplied_alpha_is_multiplied(render: Render) -> None:
    """Light goes into an EXR multiplied by alpha, which a PNG's is not; an EXR's is already."""
    plain = pixels_of(render(Clip(16, 16, 2)))
    loose = {UNASSOCIATED: 1}
    for frame in render(Clip(16, 16, 2, alpha=True, attributes=loose)):
        alpha = frame.source.alpha
        assert alpha is not None
        assert np.array_equal(frame.rgb, plain[frame.source.number] * alpha[..., None])
    for frame in render(Clip(16, 16, 2, alpha=True)):
        assert np.array_equal(frame.rgb, plain[frame.source.number])


def test_a_model_that_gives_no_numbers(render: Render, quick_model: HdrModel) -> None:
    """NaN ends the render with the window's number, before any of its frames is given."""
    broken = replace(quick_model, context=torch.full_like(quick_model.context, float("nan")))
    with pytest.raises(RenderError, match="model tiny gave values that are no numbers in window 1"):
        next(render(Clip(16, 16, 2), model=broken))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            ShotSettings(sigmas=((1.0, 0.0), (0.9, 0.0))),
            "2 sigma schedules, and the model tiny has 1",
        ),
        (ShotSettings(sigmas=((1.0, 0.5),)), r"settings: sigmas \[1.0, 0.5\] must fall strictly"),
        (ShotSettings(window=24), "a window of 24 frames and an overlap of 9 do not fit"),
        (ShotSettings(tile=8), "tiles of 8 latents cannot overlap by 8"),
        (ShotSettings(input_space="no_space"), "colour space 'no_space' is not in"),
        (ShotSettings(source_view="no_view"), "view 'no_view' is not in"),
    ],
)
def test_settings_that_do_not_fit(render: Render, settings: ShotSettings, told: str) -> None:
    """Each is one sentence of the artist's business."""
    with pytest.raises(InputError, match=told):
        list(render(Clip(80, 80, 2), settings=settings))


class CancelledError(Exception):
    """The artist's patience is over."""


def test_cancel_keeps_what_is_finished(render: Render) -> None:
    """What the progress callback raises comes out; frames given before are whole."""

    def stop(progress: Progress) -> None:
        if progress.window == 2:
            raise CancelledError

    got: dict[int, Pixels] = {}

    def collect() -> None:
        for frame in render(Clip(16, 16, 50), on_progress=stop):
            got[frame.source.number] = frame.rgb

    whole = pixels_of(render(Clip(16, 16, 50)))
    with pytest.raises(CancelledError):
        collect()
    # Window 2 begins at frame 17: those before it were final after window 1.
    assert list(got) == list(range(1, 17))
    assert all(np.array_equal(got[n], whole[n]) for n in got)


def held_bytes(model: HdrModel) -> int:
    """Bytes of all tensors alive but the model's."""
    own = {id(t) for m in (model.transformer, model.vae) for t in m.state_dict().values()}
    alive = (x for x in gc.get_objects() if type(x) is Tensor and id(x) not in own)
    return sum(x.numel() * x.element_size() for x in alive)


def test_memory_does_not_grow_with_the_shot(render: Render, quick_model: HdrModel) -> None:
    """Of 241 frames no more is held than of 113: two windows, and a few full frames."""

    def most(count: int) -> tuple[int, int]:
        plate = Clip(24, 24, count)
        tensors, frames = [0], [0]

        def look(progress: Progress) -> None:
            if progress.window in {2, progress.windows // 2, progress.windows - 1}:
                tensors.append(held_bytes(quick_model))

        for frame in render(plate, on_progress=look):
            frames.append(plate.held)
            assert frame.rgb.shape == (24, 24, 3)
        return max(tensors), max(frames)

    gc.collect()
    short, long = most(113), most(241)
    # The frame just given, the one before it that the loop still names, two that wait, one that is
    # read meanwhile, and one that the reader ahead makes small.
    assert max(long[1], short[1]) <= 6
    assert long[0] <= 1.05 * short[0]
