"""What is measured on: views of environment maps, and the SDR pictures that two deliveries make.

Delivery A is a plain clip, which sRGB undoes exactly below white; B is camera-like, and sRGB is far
off. B shows what a model has learned, A that it breaks nothing. Stills go through JPEG, and
clips, in which a camera turns, through x264.

The protocol stands still while the training changes, so its curves are its own; of the training it
takes the virtual camera alone.
"""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Generator, Tensor

from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.evaluation.pu21 import NITS_RANGE, WHITE_NITS, Array, luminance
from lumivid_fx.media import open_plate
from lumivid_fx.media.movie_writer import write_movie
from lumivid_fx.train import clips

Light = npt.NDArray[np.float32]

HEIGHT, WIDTH = 480, 640
JPEG_QUALITY, JPEG_420 = 75, 2
MID_GREY = 0.18

FRAMES, FPS, CLIP_HEIGHT, CLIP_WIDTH = 17, Fraction(24), 256, 384
X264_RATE_FACTOR = 28


@dataclass(frozen=True)
class Scene:
    """One picture, or one clip, and the light that it was made of.

    Attributes:
        name: The map's name.
        truth: ``[f] h w 3`` linear Rec.709 at the delivery's exposure, clamped to what PU21 speaks
            of.
        display: ``[f] h w 3`` float32 display codes in [0, 1] as a user gets them.
    """

    name: str
    truth: Light
    display: Light


def hable(light: Light) -> Light:
    """John Hable's filmic curve with bias 2 and white 11.2 ("Uncharted 2: HDR Lighting", GDC 2010).

    Scene light to display light: 0.18 -> 0.1283, 5.6 -> 1, clipped there.
    """

    def shoulder(x: Array) -> Array:
        return (x * (0.15 * x + 0.05) + 0.004) / (x * (0.15 * x + 0.5) + 0.06) - 0.02 / 0.30

    peak = shoulder(np.array([11.2], np.float32))
    shown: Light = np.clip(shoulder(light * np.float32(2)) / peak, 0, 1).astype(np.float32)
    return shown


@dataclass(frozen=True)
class Delivery:
    """A way from scene light to an SDR picture.

    Attributes:
        name: One letter.
        about: What it does, for the report.
        exposure: Factor on the light of a view ``h w 3``, or of a whole clip.
        curve: Exposed light to display-linear light.
        view: SDR view that undoes the curve below white.
    """

    name: str
    about: str
    exposure: Callable[[Light], float]
    curve: Callable[[Light], Light]
    view: str

    def deliver(self, name: str, light: Light) -> Scene:
        """Expose a view's light ``h w 3``, and make the SDR still of it."""
        exposed, shown = self.show(light)
        return Scene(name, exposed, through_jpeg(shown))

    def deliver_clip(self, name: str, light: Light) -> Scene:
        """Expose a clip's light ``f h w 3``, and make the SDR movie of it."""
        exposed, shown = self.show(light)
        return Scene(name, exposed, through_x264(shown))

    def show(self, light: Light) -> tuple[Light, Light]:
        """Expose light, and put it on a display: clamped light, and codes before any file."""
        exposed = light * np.float32(self.exposure(light))
        floor, ceiling = (n / WHITE_NITS for n in NITS_RANGE)
        return np.clip(exposed, floor, ceiling), linear_to_srgb(self.curve(exposed))


def _clip_at_95_percent(light: Light) -> float:
    return 1 / max(float(np.percentile(light.max(axis=-1), 95)), 1e-6)


def _mean_to_grey(light: Light) -> float:
    return MID_GREY / float(np.exp(np.log(luminance(light).clip(1e-6)).mean()))


DELIVERIES = (
    Delivery(
        "A",
        "hard clip, 95th percentile of max(R, G, B) at 1.0, sRGB, 8 bit",
        _clip_at_95_percent,
        lambda light: light.clip(0, 1),
        "srgb",
    ),
    Delivery(
        "B",
        "geometric mean at 0.18, Hable's filmic curve (bias 2, white 11.2), sRGB, 8 bit",
        _mean_to_grey,
        hable,
        "hable",
    ),
)
HARD_CLIP, CAMERA = DELIVERIES


def through_jpeg(codes: Light) -> Light:
    """Round codes ``h w 3`` in [0, 1] to 8 bits, and to what JPEG leaves of them."""
    file = io.BytesIO()
    picture = Image.fromarray(np.rint(codes * 255).astype(np.uint8))
    picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=JPEG_420)
    back: Light = np.asarray(Image.open(file), np.float32) / np.float32(255)
    return back


def through_x264(codes: Light) -> Light:
    """Send codes ``f h w 3`` in [0, 1] through an 8-bit 4:2:0 movie, and read it as it is shown."""
    with tempfile.TemporaryDirectory() as folder:
        movie = Path(folder, "delivery.mp4")
        write_movie(movie, codes, FPS, quality=X264_RATE_FACTOR)
        with open_plate(str(movie)) as plate:
            frames = [plate.read(number).rgb for number in plate.frame_numbers]
    return np.stack(frames).clip(0, 1)  # ringing goes beyond what a display can show


def brightest_azimuth(environment: Tensor) -> float:
    """Azimuth in radians of the column that sends the most light, by the solid angle of pixels."""
    rows, columns = environment.shape[1:]
    latitude = (0.5 - (torch.arange(rows) + 0.5) / rows) * math.pi
    light = (environment.mean(dim=0) * torch.cos(latitude)[:, None]).sum(dim=0)
    return ((int(light.argmax()) + 0.5) / columns * 2 - 1) * math.pi


def held_out_view(environment: Tensor) -> Light:
    """Look 20 degrees right of a map's brightest azimuth, level, 90 degrees wide: ``h w 3``."""
    azimuth = brightest_azimuth(environment) + math.radians(20)
    view: Light = _look(environment, [azimuth], [0], [0], [90], (HEIGHT, WIDTH))[0]
    return view


def turning_view(environment: Tensor) -> Light:
    """Pan past a map's brightest azimuth, a degree a frame, tilting and rolling: ``f h w 3``.

    70 degrees wide, from 28 to 12 degrees right of it, so that what is brightest comes into view.
    """
    path = np.linspace(-1, 1, FRAMES)
    yaw = brightest_azimuth(environment) + np.radians(20 - 8 * path)
    return _look(
        environment, yaw, 2 * path, np.sin(3 * path), np.full(FRAMES, 70), (CLIP_HEIGHT, CLIP_WIDTH)
    )


def _look(
    environment: Tensor,
    yaw: Iterable[float],
    pitch: Iterable[float],
    roll: Iterable[float],
    fov: Iterable[float],
    size: tuple[int, int],
) -> Light:
    """Yaw in radians, the others in degrees, a number a frame."""
    angles = [list(yaw), *(list(np.radians(list(a))) for a in (pitch, roll, fov))]
    move = clips.CameraMove(*(torch.tensor(a, dtype=torch.float32) for a in angles))
    return _pictures(clips.render_view(environment, move, *size))


def random_views(maps: Sequence[Path], count: int = 60, seed: int = 0) -> list[Light]:
    """Draw views ``h w 3`` at half the size, as many from each map as from any other."""
    generator = Generator().manual_seed(seed)
    views = []
    for place, path in enumerate(maps[:count]):
        environment = clips.load_environment(path)
        for _ in range(place, count, len(maps)):
            move = clips.random_move(1, generator)
            frames = clips.render_view(environment, move, HEIGHT // 2, WIDTH // 2)
            views.append(_pictures(frames)[0])
    return views


def _pictures(frames: Tensor) -> Light:
    return np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy())


def fit_log_lut(scenes: Iterable[Scene]) -> Light:
    """Fit the best that one curve can do: the mean log light of each 8-bit code, over all channels.

    Args:
        scenes: Scenes that are not measured on, through the delivery that is to be undone.

    Returns:
        Light of each of the 256 codes; a code that never came up lies between its neighbours.
    """
    count, total = np.zeros(256), np.zeros(256)
    for scene in scenes:
        codes = to_codes(scene.display).ravel()
        count += np.bincount(codes, minlength=256)
        total += np.bincount(codes, np.log(scene.truth).ravel(), minlength=256)
    seen = np.flatnonzero(count)
    logs = np.interp(np.arange(256), seen, total[seen] / count[seen])
    light: Light = np.exp(logs).astype(np.float32)
    return light


def to_codes(display: Array) -> npt.NDArray[np.intp]:
    """Display codes in [0, 1] as whole numbers of 8 bits."""
    return np.rint(display * 255).astype(np.intp)
