"""What is measured on: views of environment maps, and the SDR pictures that two deliveries make.

Delivery A is a plain clip, which sRGB undoes exactly below white; B is camera-like, and no view
undoes it. B shows what a model has learned, A that it breaks nothing. Both go through JPEG.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Generator, Tensor

from lumivid_fx.evaluation.metrics import NITS_RANGE, WHITE_NITS, Array, luminance
from lumivid_fx.train import clips, degradations

Light = npt.NDArray[np.float32]

HEIGHT, WIDTH = 480, 640
JPEG_QUALITY, JPEG_420 = 75, 2


@dataclass(frozen=True)
class Scene:
    """One picture and the light that it was made of.

    Attributes:
        name: The map's name.
        truth: ``h w 3`` linear Rec.709 at the delivery's exposure, clamped to what PU21 speaks of.
        display: ``h w 3`` float32, 8-bit display codes divided by 255.
    """

    name: str
    truth: Light
    display: Light


@dataclass(frozen=True)
class Delivery:
    """A way from scene light to an SDR picture.

    Attributes:
        name: One letter.
        about: What it does, for the report.
        exposure: Factor on the light of a view ``h w 3``.
        curve: Exposed light to display-linear light.
        view: SDR view that undoes the curve below white; None where there is none.
    """

    name: str
    about: str
    exposure: Callable[[Light], float]
    curve: degradations.ToneCurve
    view: str | None

    def deliver(self, name: str, light: Light) -> Scene:
        """Expose a view's light ``h w 3``, and make the SDR picture of it."""
        exposed = light * np.float32(self.exposure(light))
        shown = degradations.srgb_encode(self.curve(torch.from_numpy(exposed))).numpy()
        floor, ceiling = (n / WHITE_NITS for n in NITS_RANGE)
        return Scene(name, np.clip(exposed, floor, ceiling), through_jpeg(shown))


def _clip_at_95_percent(light: Light) -> float:
    return 1 / max(float(np.percentile(light.max(axis=-1), 95)), 1e-6)


def _mean_to_grey(light: Light) -> float:
    return degradations.MID_GREY / float(np.exp(np.log(luminance(light).clip(1e-6)).mean()))


DELIVERIES = (
    Delivery(
        "A",
        "hard clip, 95th percentile of max(R, G, B) at 1.0, sRGB, 8 bit, JPEG q75 4:2:0",
        _clip_at_95_percent,
        lambda light: light.clamp(0, 1),
        "srgb",
    ),
    Delivery(
        "B",
        "geometric mean at 0.18, Hable's filmic curve (bias 2, white 11.2), sRGB, 8 bit, "
        "JPEG q75 4:2:0",
        _mean_to_grey,
        degradations.hable,
        None,
    ),
)


def through_jpeg(codes: Light) -> Light:
    """Round codes ``h w 3`` in [0, 1] to 8 bits, and to what JPEG leaves of them."""
    file = io.BytesIO()
    picture = Image.fromarray(np.rint(codes * 255).astype(np.uint8))
    picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=JPEG_420)
    return np.asarray(Image.open(file), np.float32) / np.float32(255)


def held_out_view(environment: Tensor) -> Light:
    """Look 20 degrees right of a map's brightest azimuth, level, 90 degrees wide: ``h w 3``.

    The brightest azimuth is the column that sends the most light, each pixel weighed by its solid
    angle.
    """
    rows, columns = environment.shape[1:]
    latitude = (0.5 - (torch.arange(rows) + 0.5) / rows) * math.pi
    light = (environment.mean(dim=0) * torch.cos(latitude)[:, None]).sum(dim=0)
    azimuth = ((int(light.argmax()) + 0.5) / columns * 2 - 1) * math.pi
    angles = (azimuth + math.radians(20), 0.0, 0.0, math.radians(90))
    move = clips.CameraMove(*(torch.tensor([angle]) for angle in angles))
    return _picture(clips.render_view(environment, move, HEIGHT, WIDTH))


def random_views(maps: Sequence[Path], count: int = 60, seed: int = 0) -> list[Light]:
    """Draw views ``h w 3`` at half the size, as many from each map as from any other."""
    generator = Generator().manual_seed(seed)
    views = []
    for place, path in enumerate(maps[:count]):
        environment = clips.load_environment(path)
        for _ in range(place, count, len(maps)):
            move = clips.random_move(1, generator)
            views.append(_picture(clips.render_view(environment, move, HEIGHT // 2, WIDTH // 2)))
    return views


def _picture(frames: Tensor) -> Light:
    return np.ascontiguousarray(frames[0].permute(1, 2, 0).numpy())


def fit_log_lut(views: Sequence[Light], delivery: Delivery) -> Light:
    """Fit the best that one curve can do: the mean log light of each 8-bit code, over all channels.

    Args:
        views: Light ``h w 3`` of scenes that are not measured on.
        delivery: What the pictures to be undone went through.

    Returns:
        Light of each of the 256 codes; a code that never came up lies between its neighbours.
    """
    count, total = np.zeros(256), np.zeros(256)
    for view in views:
        scene = delivery.deliver("", view)
        codes = to_codes(scene.display).ravel()
        count += np.bincount(codes, minlength=256)
        total += np.bincount(codes, np.log(scene.truth).ravel(), minlength=256)
    seen = np.flatnonzero(count)
    logs = np.interp(np.arange(256), seen, total[seen] / count[seen])
    return np.exp(logs).astype(np.float32)


def to_codes(display: Array) -> npt.NDArray[np.intp]:
    """Display codes in [0, 1] as whole numbers of 8 bits."""
    return np.rint(display * 255).astype(np.intp)
