"""Raw half floats to EXR and back, in the folder of a job whose pixels come or go by wire.

in/<frame>.f16          as it came: ``h w c``, little endian, top line first
plate/plate.####.exr    the same for the renderer
out/plate.####.exr      the result
out/<frame>.f16         the result as it goes out; removed once the client has it
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lumivid_fx.errors import InputError
from lumivid_fx.media import Frame, Windows, open_plate
from lumivid_fx.media.exr import FRAME_ATTRIBUTE, OutputPattern, is_finished, write_exr
from lumivid_fx.media.plate import check_size
from lumivid_fx.media.timecode import exact_rate
from lumivid_fx.media.whole_file import whole_file
from lumivid_fx.protocol.messages import MAX_FRAME, PixelSource

Halves = npt.NDArray[np.float16]

_WIRE = np.dtype("<f2")


@dataclass(frozen=True)
class Picture:
    """A frame as it goes out.

    Attributes:
        samples: ``h w c`` half floats of the display window, top line first.
        sha256: Of their bytes.
    """

    samples: Halves
    sha256: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        height, width, channels = self.samples.shape
        return height, width, channels


def plate_of(folder: Path) -> str:
    """The pattern of a plate that came in."""
    return str(folder / "plate" / "plate.####.exr")


def result_of(folder: Path) -> str:
    """The pattern of a result that goes out."""
    return str(folder / "out" / "plate.####.exr")


def pixels_of(folder: Path, number: int) -> Path:
    """The file of a frame's half floats on their way out."""
    return folder / "out" / f"{number}.f16"


def take_in(folder: Path, source: PixelSource, on_frame: Callable[[int], None]) -> str:
    """Make EXRs of the frames that a client sent; those that are there already are kept.

    Args:
        folder: Of the job.
        source: What was sent.
        on_frame: Called before each frame with its number; raise to cancel.

    Returns:
        The plate, as :func:`lumivid_fx.media.open_plate` takes it.

    Raises:
        InputError: A frame is missing, of another size, or holds NaN or infinity.
        DiskFullError: There is no room for it.
    """
    pattern = OutputPattern(plate_of(folder))
    for number in range(source.first, source.first + source.count):
        on_frame(number)
        path = pattern.path(number)
        if is_finished(path):
            continue
        samples = _read(folder / "in" / f"{number}.f16", source, number)
        alpha = np.ascontiguousarray(samples[..., 3]) if source.channels == 4 else None
        write_exr(
            path,
            np.ascontiguousarray(samples[..., :3]),
            alpha,
            windows=Windows.whole(source.width, source.height),
            attributes={FRAME_ATTRIBUTE: number},
            chromaticities=None,
            interop_id=None,
            fps=None if source.fps is None else exact_rate(source.fps),
        )
    return pattern.target


def _read(path: Path, source: PixelSource, number: int) -> npt.NDArray[np.float32]:
    try:
        sent = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"frame {number} of the plate that was sent is not here ({error.strerror}); send it "
            "again"
        ) from error
    if len(sent) != source.frame_bytes:
        raise InputError(
            f"frame {number} of the plate that was sent has {len(sent)} bytes, and "
            f"{source.frame_bytes} were promised; send it again"
        )
    raw = np.frombuffer(sent, _WIRE)
    bad = int(np.count_nonzero(~np.isfinite(raw)))
    if bad:
        raise InputError(
            f"frame {number} of the plate that was sent holds {bad} samples that are NaN or "
            "infinite; repair the frame or leave it out of the range"
        )
    return raw.reshape(source.height, source.width, source.channels).astype(np.float32)


def read_picture(path: Path) -> Picture:
    """Read a frame of the result as it goes out.

    Raises:
        InputError: There is no such file, it is damaged, or it is more than may be sent.
    """
    with open_plate(str(path)) as plate:
        samples = _display_window(plate.read(plate.first_frame), str(path))
    return Picture(samples, hashlib.sha256(samples.tobytes()).hexdigest())


def write_pixels(path: Path, picture: Picture) -> None:
    """Write half floats as they go out.

    Raises:
        DiskFullError: There is no room for them.
    """
    with whole_file(path, str(path)) as beside:
        beside.write_bytes(picture.samples.data)


def _display_window(frame: Frame, where: str) -> Halves:
    """What a viewer shows of a frame, for a picture without windows can mean nothing else.

    Data beyond the display window is left out, and where there is none, all channels are 0.
    """
    seen, channels = frame.windows, 3 if frame.alpha is None else 4
    check_size(seen.display_width, seen.display_height, where)
    shape = (seen.display_height, seen.display_width, channels)
    size = math.prod(shape) * _WIRE.itemsize
    if size > MAX_FRAME:
        raise InputError(
            f"{where} takes {size} bytes as pixels, and at most {MAX_FRAME} are sent; have the "
            "worker write to a path instead"
        )
    rows = _shared(seen.data_y, seen.data_height, seen.display_y, seen.display_height)
    columns = _shared(seen.data_x, seen.data_width, seen.display_x, seen.display_width)
    shown = np.zeros(shape, _WIRE)
    shown[rows[1], columns[1], :3] = frame.rgb[rows[0], columns[0]]
    if frame.alpha is not None:
        shown[rows[1], columns[1], 3] = frame.alpha[rows[0], columns[0]]
    return shown


def _shared(data: int, data_size: int, display: int, display_size: int) -> tuple[slice, slice]:
    """Along one axis, the same samples in the data and in the display window."""
    start = max(data, display)
    stop = max(start, min(data + data_size, display + display_size))
    return slice(start - data, stop - data), slice(start - display, stop - display)
