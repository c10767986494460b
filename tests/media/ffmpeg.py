"""Images and movies written by the `ffmpeg` program, which shares no code with what reads them.

It is the build that imageio-ffmpeg brings, newer than the libraries inside PyAV.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def run(*arguments: str, data: bytes | None = None) -> str:
    """Run ffmpeg, and give what it says."""
    done = subprocess.run(
        [FFMPEG, "-hide_banner", "-nostdin", "-y", *arguments] if data is None
        else [FFMPEG, "-hide_banner", "-y", *arguments],
        input=data, capture_output=True, check=False,
    )  # fmt: skip
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said
    return said


def raw_input(size: tuple[int, int], pix_fmt: str, rate: str = "24") -> list[str]:
    """Arguments that read raw frames of `h, w` from standard input."""
    height, width = size
    return ["-f", "rawvideo", "-pix_fmt", pix_fmt, "-s", f"{width}x{height}", "-r", rate, "-i", "-"]


def encode_still(
    path: Path, rgb: npt.NDArray[Any], pix_fmt: str, *options: str, tags: str = ""
) -> Path:
    """Write `h w 3` codes of 8 or 16 bits as one image, in a pixel format of ffmpeg's."""
    given = "rgb24" if rgb.dtype == np.uint8 else "rgb48le"
    filters = f"format={pix_fmt}" + (f",setparams={tags}" if tags else "")
    size = rgb.shape[0], rgb.shape[1]
    run(*raw_input(size, given), "-vf", filters, "-frames:v", "1", "-update", "1", *options,
        str(path), data=rgb.tobytes())  # fmt: skip
    return path
