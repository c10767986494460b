"""Table 1 and figure 4: what each encoding does to light on its way through the frozen VAE.

Frames are views of the maps at their own, unexposed scale; SDR is Reinhard's x / (1 + x) in sRGB.
So the pixel column comes to the paper's figures; the other SDR of the paper, a clip, is beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Generator, Tensor

from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.evaluation import paper
from lumivid_fx.evaluation.divergence import (
    LATENT_RANGE,
    Shares,
    divergence,
    gaussian_divergence,
    histogram,
)
from lumivid_fx.evaluation.encodings import ENCODINGS, Encoding
from lumivid_fx.evaluation.protocol import Light
from lumivid_fx.evaluation.pu21 import luminance, pu21_psnr, pu21_ssim, ssim
from lumivid_fx.evaluation.scores import mean
from lumivid_fx.evaluation.table import Cell, Column, Table
from lumivid_fx.evaluation.workbench import Workbench
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.vae import decode, encode
from lumivid_fx.train import clips

FRAMES, HEIGHT, WIDTH = 130, 160, 256
"""As many frames as the paper, of a size that latents of 32 pixels divide."""

BATCH, EVERY = 10, 3
"""Frames at once; of these every third goes through the VAE, which takes nearly all the time."""

STOPS = np.arange(-8.0, 8.0)
"""Lower ends of the stops of luminance, over linear 1.0, in which figure 4 counts the error."""


@dataclass
class Trip:
    """What an encoding did, gathered frame by frame.

    Attributes:
        codes: Histogram of its codes.
        latents: Samples ``n c`` of normalised latents, a batch each.
        scores: SSIM of codes, PU21-PSNR and PU21-SSIM of light, after the round trip, by frame.
        error: Sum of |log2| errors of luminance, and their count, by stop of luminance: ``2 n``.
    """

    codes: Shares = field(default_factory=lambda: np.zeros(256))
    latents: list[Light] = field(default_factory=list)
    scores: list[tuple[float, float, float]] = field(default_factory=list)
    error: Shares = field(default_factory=lambda: np.zeros((2, len(STOPS))))

    def latent_samples(self) -> Light:
        """All of `latents`."""
        return np.concatenate(self.latents)

    def latent_shares(self) -> Shares:
        """Histogram of `latents`, all channels together."""
        return histogram(self.latent_samples(), *LATENT_RANGE)

    def error_by_stop(self) -> Shares:
        """Mean error in stops by stop of luminance; NaN where there is no such light."""
        total, count = self.error
        known: Shares = np.where(count > 0, total / np.maximum(count, 1), math.nan)
        return known


@dataclass
class Analysis:
    """All encodings, and the SDR pictures of the same frames.

    Attributes:
        trips: By encoding.
        reinhard: SDR by Reinhard's operator.
        clipped: Histogram of SDR by a clip at 1.0.
        light: Histogram of the light itself, from 0 to 4.
    """

    trips: dict[str, Trip]
    reinhard: Trip
    clipped: Shares
    light: Shares


def analyse(bench: Workbench) -> Analysis:
    """Send the frames through each encoding and the VAE, and back."""
    found = Analysis({e.name: Trip() for e in ENCODINGS}, Trip(), np.zeros(256), np.zeros(256))
    done = 0
    for light in _batches(bench):
        bench.tell("table 1: encodings through the VAE", done, FRAMES)
        array = light.numpy()
        share = len(light) / FRAMES
        found.light += share * histogram(array, 0, 4)
        found.clipped += share * histogram(linear_to_srgb(array.clip(0, 1)))
        sdr = torch.from_numpy(linear_to_srgb(array / (1 + array)))
        found.reinhard.codes += share * histogram(sdr.numpy())
        found.reinhard.latents.append(_samples(_encode(bench.model, sdr[::EVERY])))
        for encoding in ENCODINGS:
            _travel(bench.model, encoding, light, share, found.trips[encoding.name])
        done += len(light)
    return found


def _batches(bench: Workbench) -> Iterator[Tensor]:
    """Views ``b 3 h w``, as many from each map as from any other, the held-out ones included."""
    paths = clips.find_maps(bench.maps)
    generator = Generator().manual_seed(0)
    views = []
    for place, path in enumerate(paths[:FRAMES]):
        environment = clips.load_environment(path)
        for _ in range(place, FRAMES, len(paths)):
            move = clips.random_move(1, generator)
            views.append(clips.render_view(environment, move, HEIGHT, WIDTH))
    yield from torch.cat(views).split(BATCH)


def _encode(model: HdrModel, codes: Tensor) -> Tensor:
    """Codes ``b 3 h w`` in [0, 1] as stills to latents ``b c 1 h w``."""
    with torch.inference_mode():
        return encode(model, (codes.float() * 2 - 1)[:, :, None].to(model.device))


def _samples(latents: Tensor) -> Light:
    return latents.movedim(1, -1).flatten(0, -2).cpu().numpy()


def _travel(model: HdrModel, encoding: Encoding, light: Tensor, share: float, trip: Trip) -> None:
    codes = encoding.codes(light)
    trip.codes += share * histogram(codes.numpy())
    codes, light = codes[::EVERY], light[::EVERY]
    latents = _encode(model, codes)
    with torch.inference_mode():
        back = ((decode(model, latents)[:, :, 0].cpu() + 1) / 2).clamp(0, 1)
    trip.latents.append(_samples(latents))
    light_back = encoding.light(back)
    for sent, came, truth, result in zip(codes, back, light, light_back, strict=True):
        pair = [x.permute(1, 2, 0).numpy() for x in (truth, result)]
        same = mean(ssim(a.numpy(), b.numpy(), peak=1) for a, b in zip(sent, came, strict=True))
        trip.scores.append((same, pu21_psnr(pair[1], pair[0]), pu21_ssim(pair[1], pair[0])))
        levels = [np.maximum(luminance(x), 2.0**-10) for x in pair]
        stops = np.abs(np.log2(levels[1] / levels[0])).ravel()
        place = np.floor(np.log2(levels[0])).ravel() - STOPS[0]
        inside = (place >= 0) & (place < len(STOPS))
        which = place[inside].astype(np.intp)
        trip.error[0] += np.bincount(which, stops[inside], minlength=len(STOPS))
        trip.error[1] += np.bincount(which, minlength=len(STOPS))


COLUMNS = (
    Column("encoding", "Encoding"),
    Column("kl", "KL pixels", 3, "down"),
    Column("kl_clip", "KL pixels, SDR a clip", 3, "down"),
    Column("kl_latent", "KL latents", 3, "down"),
    Column("kl_gauss", "KL latents, Gaussian", 3, "down"),
    Column("ssim", "SSIM", 4, "up"),
    Column("psnr", "PU21-PSNR", 2, "up"),
    Column("pu_ssim", "PU21-SSIM", 4, "up"),
)


def table_1(bench: Workbench, found: Analysis) -> Table:
    """Our VAE's rows, then the paper's."""
    rows: list[dict[str, Cell]] = []
    sdr_shares, sdr_samples = found.reinhard.latent_shares(), found.reinhard.latent_samples()
    for name, trip in found.trips.items():
        same, psnr, pu_ssim = (mean(s[i] for s in trip.scores) for i in range(3))
        rows.append(
            {
                "encoding": name,
                "kl": divergence(trip.codes, found.reinhard.codes),
                "kl_clip": divergence(trip.codes, found.clipped),
                "kl_latent": divergence(trip.latent_shares(), sdr_shares),
                "kl_gauss": gaussian_divergence(trip.latent_samples(), sdr_samples),
                "ssim": same,
                "psnr": psnr,
                "pu_ssim": pu_ssim,
            }
        )
    rows += [{"encoding": f"paper: {name}", **cells} for name, cells in paper.TABLE_1.items()]
    notes = (
        f"{FRAMES} views of {WIDTH} x {HEIGHT} pixels of all maps at their own scale, curves on "
        "Rec.709 light; every third goes through the VAE. KL is KL(encoded HDR || SDR) in nats "
        "over 256 bins; SDR is Reinhard's "
        "x / (1 + x) in sRGB, and a plain clip in the column that says so (the paper's Table 4 "
        "has 0.302, 0.377 and 2.983 there).",
        "The paper's figures for ACES are those of linear light over 16, not of a tone curve. "
        f"Figures of latents and of the round trip are those of {bench.model.manifest.name}'s own "
        "VAE at these few pixels. Where a VAE has learned an encoding, as the embedded one has "
        "LogC3 beside SDR, that encoding is helped; the paper's had seen SDR alone. All are "
        "clipped to what they hold here, where the paper let HLG overflow.",
    )
    return Table("table1", "Table 1. Encodings through the frozen VAE", COLUMNS, rows, notes)
