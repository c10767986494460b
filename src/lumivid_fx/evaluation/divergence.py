"""How far codes of HDR pictures lie from those of SDR pictures: KL, in pixels and in latents."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lumivid_fx.evaluation.pu21 import Array

BINS, FLOOR = 256, 1e-6
"""Bins of a histogram, and what is added to the share of each."""

LATENT_RANGE = (-6.0, 6.0)
"""Range of the latents' histogram, in standard deviations; what lies outside counts at its ends."""

Shares = npt.NDArray[np.float64]


def histogram(values: Array, low: float = 0.0, high: float = 1.0) -> Shares:
    """Share of samples in each of :data:`BINS` bins; samples outside count in the outermost."""
    counts, _ = np.histogram(np.clip(values, low, high), bins=BINS, range=(low, high))
    shares: Shares = counts / max(1, counts.sum())
    return shares


def divergence(ours: Shares, theirs: Shares) -> float:
    """Kullback-Leibler divergence KL(ours || theirs) of two histograms, in nats.

    With `theirs` the SDR codes and Reinhard's operator as the tone curve it comes to the figures of
    Table 1 of LumiVid (arXiv 2604.11788); the other way round it does not.
    """
    p, q = (x + FLOOR for x in (ours, theirs))
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


def gaussian_divergence(ours: Array, theirs: Array) -> float:
    """Mean over channels of the KL divergence between normal distributions fitted to each.

    Args:
        ours: Samples ``n c``.
        theirs: Samples ``m c``.
    """
    mean, mean_theirs = (np.asarray(x, np.float64).mean(axis=0) for x in (ours, theirs))
    spread, spread_theirs = (np.asarray(x, np.float64).var(axis=0) for x in (ours, theirs))
    gap = (spread + (mean - mean_theirs) ** 2) / spread_theirs
    return float(0.5 * np.mean(np.log(spread_theirs / spread) + gap - 1))
