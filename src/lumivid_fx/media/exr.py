"""Frames to OpenEXR files: whole or not at all, with all that a comp needs to know beside them.

A frame is written to a hidden file in its own folder, read back at its last line, brought to disk
and only then renamed: a frame that exists is whole. Equal input gives equal bytes; no clock is
written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenImageIO
from fileseq.constants import PAD_STYLE_HASH1
from fileseq.exceptions import FileSeqException
from fileseq.filesequence import FileSequence

from lumivid_fx.color.config import ACES2065_1, WORKING_SPACES
from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.media import attributes as metadata
from lumivid_fx.media.image_file import error_text, open_image
from lumivid_fx.media.plate import FloatImage, Windows, check_size
from lumivid_fx.media.whole_file import require_room, whole_file

COMPRESSIONS = ("zip", "zips", "piz", "dwaa", "dwab", "none")
"""What is offered: OpenImageIO writes zip, without a word, for any name that it does not know."""

HALF_MAX = 65504.0
"""Largest finite half float, IEEE 754-2008 binary16."""

FRAME_ATTRIBUTE = "lumivid/frame"
"""Every frame of ours holds its number under this name; that is how a finished frame is known."""

DIGEST_ATTRIBUTE = "lumivid/digest"
"""SHA-256 of what frames were made with: those that have the same one belong together."""

GENERATED = "lumivid.generated"
"""Channel of a frame's mask, half float: 0 the plate's own pixel, 1 the model's.

Nuke makes of it the channel ``generated`` of a layer ``lumivid``. No single letter such as ``Y``,
which DWA compresses with loss as a part of the picture.
"""

Samples = npt.NDArray[np.float16] | npt.NDArray[np.float32]

_COLOUR = frozenset({"chromaticities", "colorInteropID"})
_RATES = frozenset({"framesPerSecond", "FramesPerSecond"})


class OutputPattern:
    """Where the frames of a shot go.

    Args:
        target: A pattern such as ``out/plate.####.exr`` or ``out/plate.%04d.exr``, or a folder.
        stem: What frames in a folder are called: ``<folder>/<stem>.####.exr``.
        still: Whether there is one frame only, which needs no frame token in its name.

    Raises:
        InputError: The name does not end in `.exr`, or has no frame token for several frames.
    """

    def __init__(self, target: str, *, stem: str = "plate", still: bool = False) -> None:
        path = Path(target)
        if target.endswith(("/", os.sep)) or not path.suffix or path.is_dir():
            target = str(path / f"{stem}.####.exr")
        elif path.suffix.lower() != ".exr":
            raise InputError(
                f"{target} does not end in .exr, which is what is written; name frames "
                f"{path.stem}.####.exr, or end a folder's name with a slash"
            )
        misplaced = InputError(
            f"{target} cannot be read as a sequence; put the frame token right before .exr, as in "
            "plate.####.exr"
        )
        try:
            self._sequence = FileSequence(Path(target).name, pad_style=PAD_STYLE_HASH1)
        except FileSeqException as error:
            raise misplaced from error
        self._has_token = bool(self._sequence.padding())
        if not self._has_token and set(path.name) & {"#", "%"}:
            raise misplaced
        if not self._has_token and not still:
            raise InputError(f"{target} is one name for several frames; write {path.stem}.####.exr")
        self.target = target

    def path(self, number: int) -> Path:
        """The file of one frame."""
        if not self._has_token:
            return Path(self.target)
        return Path(self.target).with_name(self._sequence.frame(number))


def write_exr(
    path: Path,
    rgb: FloatImage,
    alpha: FloatImage | None,
    *,
    windows: Windows,
    attributes: Mapping[str, object],
    chromaticities: Sequence[float] | None,
    interop_id: str | None,
    fps: Fraction | None,
    compression: str = "zip",
    half: bool = True,
    layers: Mapping[str, FloatImage] | None = None,
) -> int:
    """Write one frame as EXR with channels R, G, B and perhaps A; the folder is made if missing.

    Args:
        path: The file, replaced if it exists.
        rgb: `h w 3` float32 as large as the data window.
        alpha: `h w` float32, or None.
        windows: Data and display window.
        attributes: What a :class:`Frame` carried, and `lumivid/*` about the making; its own
            chromaticities and colour space are left out, for the pixels are in new ones.
        chromaticities: xy of red, green, blue and white, 8 numbers.
        interop_id: Colour space for `colorInteropID`, such as `lin_rec709_scene`.
        fps: Frames per second.
        compression: One of :data:`COMPRESSIONS`.
        half: 16-bit samples, rounded to nearest even; 32-bit samples if False.
        layers: Further channels, `h w` float32 each, by names such as ``lumivid.generated``.

    Returns:
        How many samples were beyond the format's range, infinities included, and were clamped.

    Raises:
        InputError: The compression is unknown, or the file cannot be made where it was asked for.
        DiskFullError: The disk took only part of it.
        RenderError: The frame holds NaN, or was not written whole for another reason.
    """
    number = attributes.get(FRAME_ATTRIBUTE)
    where = str(path) if number is None else f"{path} (frame {number})"
    if compression not in COMPRESSIONS:
        raise InputError(
            f"compression {compression!r} is not written; use one of {', '.join(COMPRESSIONS)}"
        )
    planes = {} if alpha is None else {"A": alpha}
    planes |= layers or {}
    samples, clamped = _samples(rgb, [*planes.values()], half, where)
    if samples.shape[:2] != (windows.data_height, windows.data_width):
        raise ValueError(f"{where}: pixels {samples.shape} do not fill the data window {windows}")
    spec = _spec(windows, ["R", "G", "B", *planes], half)
    for name, value in attributes.items():
        replaced = name in _COLOUR or (fps is not None and name in _RATES)
        if not replaced and not metadata.describes_storage(name):
            metadata.to_spec(spec, name, value)
    if chromaticities is not None:
        metadata.to_spec(spec, "chromaticities", tuple(float(xy) for xy in chromaticities))
    if interop_id is not None:
        metadata.to_spec(spec, "colorInteropID", interop_id)
    if fps is not None:
        metadata.to_spec(spec, "framesPerSecond", fps)
    spec.attribute("compression", compression)
    if _is_aces_container(spec, chromaticities, compression, half):
        spec.attribute("acesImageContainerFlag", 1)
    _write_whole(path, spec, samples, where)
    return clamped


def _samples(
    rgb: FloatImage, planes: Sequence[FloatImage], half: bool, where: str
) -> tuple[Samples, int]:
    pixels = (
        np.concatenate([rgb, *(plane[..., None] for plane in planes)], axis=-1) if planes else rgb
    )
    limit = np.float32(HALF_MAX) if half else np.finfo(np.float32).max
    clamped = 0
    # Whole frames are within the limit: one look at each end tells, for NaN is neither.
    if not (pixels.max(initial=0) <= limit and pixels.min(initial=0) >= -limit):
        bad = int(np.count_nonzero(np.isnan(pixels)))
        if bad:
            raise RenderError(
                f"{where} was not written, for {bad} of its samples are NaN; check the plate and "
                "the model, and render the frame again"
            )
        clamped = int(np.count_nonzero(np.abs(pixels) > limit))
        pixels = np.clip(pixels, -limit, limit)
    if not half:
        return np.ascontiguousarray(pixels), clamped
    import torch  # rounds to the nearest half, ties to even, as numpy does, in a tenth of the time

    whole = np.require(pixels, requirements=["C", "W"])  # what torch takes
    return torch.from_numpy(whole).half().numpy(), clamped


def _spec(windows: Windows, channels: Sequence[str], half: bool) -> OpenImageIO.ImageSpec:
    kind = OpenImageIO.HALF if half else OpenImageIO.FLOAT
    spec = OpenImageIO.ImageSpec(windows.data_width, windows.data_height, len(channels), kind)
    spec.channelnames = tuple(channels)
    spec.alpha_channel = channels.index("A") if "A" in channels else -1
    spec.x, spec.y = windows.data_x, windows.data_y
    spec.full_x, spec.full_y = windows.display_x, windows.display_y
    spec.full_width, spec.full_height = windows.display_width, windows.display_height
    spec.attribute("DateTime", "")  # else the hour of writing; a plate's own is an attribute
    return spec


def _is_aces_container(
    spec: OpenImageIO.ImageSpec,
    chromaticities: Sequence[float] | None,
    compression: str,
    half: bool,
) -> bool:
    """Whether a file holds to all of SMPTE ST 2065-4, and may say so.

    It is half floats of R, G, B and perhaps A alone, in lines that are not compressed, with the
    primaries of ACES2065-1. OpenImageIO looks at it again, and writes no flag that is a lie.
    """
    return (
        half
        and compression == "none"
        and tuple(spec.channelnames) in (("R", "G", "B"), ("R", "G", "B", "A"))
        and chromaticities is not None
        and tuple(chromaticities) == WORKING_SPACES[ACES2065_1].chromaticities
    )


def _write_whole(path: Path, spec: OpenImageIO.ImageSpec, samples: Samples, where: str) -> None:
    with whole_file(path, where) as beside:
        failure = _write(beside, spec, samples)
        if failure is not None:
            require_room(beside)  # OpenImageIO does not say that a disk is full, so we ask it
            raise RenderError(
                f"{where} was not written whole ({failure}); check that disk and render again, for "
                "finished frames stay"
            )


def _write(path: Path, spec: OpenImageIO.ImageSpec, samples: Samples) -> str | None:
    """Write an EXR and look at it again; why it is not whole, or None where it is."""
    output = OpenImageIO.ImageOutput.create(str(path))
    if output is None:
        return error_text(OpenImageIO)
    done = output.open(str(path), spec) and output.write_image(samples)
    said = error_text(output)
    if output.close() and done and _is_whole(path):
        return None
    return said or error_text(output) or "the disk took part of it"


def _is_whole(path: Path) -> bool:
    """Whether an EXR opens and its last line decodes; lines are stored from first to last."""
    try:
        with open_image(path, str(path)) as image:
            spec = image.spec()
            end = spec.y + spec.height
            last = image.read_scanlines(0, 0, end - 1, end, 0, 0, spec.nchannels, OpenImageIO.HALF)
            return last is not None and not error_text(image)
    except InputError:
        return False


def read_attributes(path: Path) -> dict[str, object]:
    """Every attribute in an EXR's header, `lumivid/*` included.

    Raises:
        InputError: The file is missing, empty, or no EXR.
    """
    with open_image(path, str(path)) as image:
        return metadata.from_spec(image.spec())


def read_channel(path: Path, name: str) -> FloatImage | None:
    """One channel beside the colour, `h w` float32; None where the file has none of that name.

    Raises:
        InputError: The file is missing, empty, damaged, or no EXR.
    """
    with open_image(path, str(path)) as image:
        spec = image.spec()
        check_size(spec.width, spec.height, str(path))
        names = list(spec.channelnames)
        if name not in names:
            return None
        at = names.index(name)
        samples: FloatImage | None = image.read_image(0, 0, at, at + 1, OpenImageIO.FLOAT)
        if samples is None:
            raise InputError(f"{path} is cut short or damaged; copy or render it again")
        return samples[..., 0]


def is_finished(path: Path) -> bool:
    """Whether a file is a whole frame of ours: a foreign, empty or cut file is not."""
    try:
        return FRAME_ATTRIBUTE in read_attributes(path) and _is_whole(path)
    except InputError:
        return False
