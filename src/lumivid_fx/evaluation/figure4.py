"""Figure 4: the four pictures that say why LogC3. Matplotlib draws, and is imported only then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from lumivid_fx.errors import InputError
from lumivid_fx.evaluation.divergence import LATENT_RANGE, Shares
from lumivid_fx.evaluation.encodings import ENCODINGS
from lumivid_fx.evaluation.table_encodings import STOPS, Analysis
from lumivid_fx.media.whole_file import whole_file

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which the colour-blind tell apart."""


def write_figure_4(path: Path, found: Analysis, model: str) -> None:
    """Draw distributions of codes and latents, the error by luminance, and the curves.

    Args:
        path: A PNG.
        found: What Table 1 was made of.
        model: The model's name.

    Raises:
        InputError: Matplotlib is not installed, or the file cannot be made there.
        DiskFullError: There is no room.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise InputError(
            "figure 4 needs matplotlib, which is not installed; install lumivid-fx[evaluation]"
        ) from error
    figure = Figure(figsize=(12, 8), layout="constrained")
    (pixels, latents), (errors, curves) = figure.subplots(2, 2)
    codes = (np.arange(256) + 0.5) / 256
    pixels.fill_between(codes, _smooth(found.reinhard.codes), color="0.75", label="SDR")
    pixels.plot(4 * codes, _smooth(found.light) / 4, color="purple", lw=1, label="light, to 4.0")
    places = LATENT_RANGE[0] + (LATENT_RANGE[1] - LATENT_RANGE[0]) * codes
    latents.fill_between(places, found.reinhard.latent_shares(), color="0.75", label="SDR")
    light = torch.logspace(-3, 2, 400, dtype=torch.float64)
    for encoding, colour in zip(ENCODINGS, COLOURS, strict=True):
        trip = found.trips[encoding.name]
        line = {"color": colour, "lw": 1.4, "label": encoding.name}
        pixels.plot(codes, _smooth(trip.codes), **line)
        latents.plot(places, trip.latent_shares(), **line)
        errors.plot(STOPS + 0.5, trip.error_by_stop(), marker=".", **line)
        curves.plot(light.numpy(), encoding.codes(light).numpy(), **line)
    pixels.set(title="(a) codes", xlabel="code", xlim=(0, 1.5), ylabel="share of samples, log")
    pixels.set_yscale("log")
    pixels.set_ylim(1e-5, 1)
    latents.set(title=f"(b) latents of {model}", xlabel="standard deviations")
    latents.set_yscale("log")
    latents.set_ylim(1e-6, 1)
    errors.set(
        title="(c) error after the VAE, by luminance",
        xlabel="stops over linear 1.0",
        ylabel="mean |log2| error, stops",
    )
    errors.set_yscale("log")
    errors.axvline(0, color="0.8", lw=1)
    curves.set(title="(d) curves", xlabel="linear light", ylabel="code", xscale="log")
    for axes in (pixels, latents, errors, curves):
        axes.legend(fontsize=8, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    with whole_file(path, str(path)) as beside:
        # Without the version of the library in it, the file is the same each time.
        figure.savefig(beside, dpi=100, metadata={"Software": None})


def _smooth(shares: Shares) -> Shares:
    """A mean over five bins: 8-bit sources leave combs."""
    return np.convolve(shares, np.full(5, 0.2), mode="same")
