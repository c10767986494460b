"""The figures that the paper prints, to stand beside ours. Source: LumiVid, arXiv 2604.11788v1.

They were made with LTX's 22B model on other material (130 training frames; 48 or 58 ARRI clips at
1080p; 30 UPIQ images), so they say where the real weights stand, not what ours should reach.
"""

from __future__ import annotations

from lumivid_fx.evaluation.table import Cell

Rows = dict[str, dict[str, Cell]]

TABLE_1: Rows = {
    "LogC3": {"kl": 0.215, "kl_latent": 0.007, "ssim": 0.9747, "psnr": 34.70, "pu_ssim": 0.9677},
    "PQ": {"kl": 0.289, "kl_latent": 0.011, "ssim": 0.9749, "psnr": 35.73, "pu_ssim": 0.9668},
    "HLG": {"kl": 0.373, "kl_latent": 3.419, "ssim": 0.8658, "psnr": 22.86, "pu_ssim": 0.8653},
    "ACES": {"kl": 3.338, "kl_latent": 0.016, "ssim": 0.7823, "psnr": 16.42, "pu_ssim": 0.6393},
}

TABLE_2: dict[str, Rows] = {
    "ARRI video": {
        "LumiVid": {"aligned": 36.20, "lpips": 0.020, "jod": 7.86},
        "HDRTVNet": {"aligned": 26.48, "lpips": 0.089, "jod": 6.94},
        "X2HDR": {"aligned": 20.68, "lpips": 0.250, "jod": 3.54},
    },
    "UPIQ images": {
        "LumiVid": {"aligned": 30.05, "lpips": 0.071, "jod": 8.22},
        "HDRTVNet": {"aligned": 22.59, "lpips": 0.071, "jod": 4.48},
        "LEDiff": {"aligned": 14.94, "lpips": 0.212, "jod": 0.40},
        "X2HDR": {"aligned": 17.47, "lpips": 0.177, "jod": 6.06},
    },
}

TABLE_3: Rows = {
    "LumiVid": {"f2f": 45.63, "flicker": 0.0245, "jod": 7.86},
    "HDRTVNet": {"f2f": 44.59, "flicker": 0.0162, "jod": 6.94},
    "X2HDR": {"f2f": 36.36, "flicker": 0.1630, "jod": 3.54},
}

TABLE_4: Rows = {
    "LogC3": {
        "kl": 0.302,
        "aligned": 36.97,
        "lpips": 0.020,
        "f2f": 47.08,
        "flicker": 0.004,
        "jod": 7.86,
    },
    "PQ": {
        "kl": 0.377,
        "aligned": 36.72,
        "lpips": 0.019,
        "f2f": 46.46,
        "flicker": 0.009,
        "jod": 7.62,
    },
    "ACES": {
        "kl": 2.983,
        "aligned": 39.30,
        "lpips": 0.016,
        "f2f": 47.91,
        "flicker": 0.003,
        "jod": 7.40,
    },
}

TABLE_5: Rows = {
    "full": {"aligned": 36.97, "lpips": 0.020, "f2f": 47.08, "flicker": 0.004, "jod": 7.86},
    "none": {"aligned": 39.00, "lpips": 0.015, "f2f": 47.05, "flicker": 0.005, "jod": 7.43},
    "blur only": {"aligned": 33.12, "lpips": 0.028, "f2f": 45.77, "flicker": 0.014, "jod": 6.90},
}
