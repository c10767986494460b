"""Real images and movies for the tests of the media room, written by OpenImageIO and PyAV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import OpenImageIO

Array = npt.NDArray[Any]

KINDS = {
    "float16": "half",
    "float32": "float",
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint",
}
"""numpy's names for sample types, in OpenImageIO's."""

RAW = {"qp": "0"}
"""Option that makes x264 lossless, so that codes come back as they went in."""

HEVC_RAW = {"x265-params": "lossless=1:log-level=none"}


def write_image(
    path: Path,
    pixels: Array,
    *,
    channels: Sequence[str] | None = None,
    origin: tuple[int, int] = (0, 0),
    display: tuple[int, int, int, int] | None = None,
    attributes: Mapping[str, object] | None = None,
) -> Path:
    """Write `h w c` by OpenImageIO; an attribute may be a pair of its type and its value."""
    height, width, depth = pixels.shape
    spec = OpenImageIO.ImageSpec(width, height, depth, KINDS[pixels.dtype.name])
    if channels:
        spec.channelnames = tuple(channels)
    spec.x, spec.y = origin
    if display:
        spec.full_x, spec.full_y, spec.full_width, spec.full_height = display
    for key, value in (attributes or {}).items():
        if isinstance(value, tuple):
            spec.attribute(key, OpenImageIO.TypeDesc(value[0]), value[1])
        else:
            spec.attribute(key, value)
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output is not None
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(np.ascontiguousarray(pixels)), output.geterror()
    assert output.close()
    return path


def encode_movie(
    path: Path,
    frames: Sequence[Sequence[Array]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = 24,
    options: Mapping[str, str] | None = None,
    tags: Mapping[str, int] | None = None,
    times: Sequence[int] | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    metadata: Mapping[str, str] | None = None,
    muxer: Mapping[str, str] | None = None,
) -> Path:
    """Encode frames by PyAV, each given as its planes of codes.

    Args:
        path: Where to; its ending picks the container.
        frames: Planes as :func:`av.VideoFrame.format` lists its components.
        codec: FFmpeg's encoder.
        pix_fmt: What the planes are.
        rate: Frames per second.
        options: For the encoder.
        tags: `colorspace`, `color_range` and the like, by number.
        times: When each frame is shown, in frames; one after the other if None.
        rotation: Display rotation in degrees, anticlockwise.
        aspect: Of a pixel.
        metadata: Of the container.
        muxer: Options of the container.
    """
    height, width = frames[0][0].shape
    with av.open(str(path), "w", options=dict(muxer or {})) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options=dict(options or {}))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for key, value in (tags or {}).items():
            setattr(stream.codec_context, key, value)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for number, planes in enumerate(frames):
            frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], pix_fmt)
            fill(frame, planes)
            for key, value in (tags or {}).items():
                setattr(frame, key, value)
            frame.pts = number if times is None else times[number]
            frame.time_base = 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def fill(frame: av.VideoFrame, planes: Sequence[Array]) -> None:
    """Put codes into a frame's planes, each in the frame's own byte order."""
    for part, codes in zip(frame.format.components, planes, strict=True):
        plane = frame.planes[part.plane]
        wide = ">u2" if frame.format.is_big_endian else "<u2"
        dtype = np.dtype("u1" if part.bits == 8 else wide)
        rows = np.zeros((plane.height, plane.line_size // dtype.itemsize), dtype)
        rows[: codes.shape[0], : codes.shape[1]] = codes
        plane.update(rows.tobytes())


def flat(
    size: tuple[int, int], codes: Sequence[int], bits: int = 8, halved: int = 2
) -> list[Array]:
    """Planes of one colour: luma `h w`, then chroma halved in both directions (1: full size)."""
    height, width = size
    small = (-(-height // halved), -(-width // halved))
    dtype = np.uint8 if bits == 8 else np.uint16
    return [np.full(size if part == 0 else small, code, dtype) for part, code in enumerate(codes)]


def ramp(height: int = 24, width: int = 40, channels: int = 3) -> npt.NDArray[np.float32]:
    """Smooth light from below 0 to above 1, different in each channel."""
    y, x, c = (axis.astype(np.float32) for axis in np.mgrid[0:height, 0:width, 0:channels])
    return np.asarray(-0.25 + (x / width + y / height) * (1 + c), np.float32)


def noise(dtype: type[np.unsignedinteger], channels: int, seed: int = 0) -> Array:
    """Codes of the full range of an unsigned type."""
    random = np.random.default_rng(seed)
    return random.integers(0, np.iinfo(dtype).max, (17, 31, channels), dtype, endpoint=True)
