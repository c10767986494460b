"""Trims of finished plates: an exposure, or the ASC CDL or CLF that another package wrote.

An exposure is one gain on scene-linear light: slope 2 to the power of the stops, offset 0, power 1,
saturation 1. It means the same in every linear space. Any other trim means something only in the
space it was made in, which neither kind of file has to name: who applies it names that space. It is
applied as OpenColorIO does, CDL without a clamp, so that light above 1 and below 0 goes through.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PyOpenColorIO
from PyOpenColorIO import CDLTransform, Config, FileTransform, GroupTransform

from lumivid_fx.color.config import OCIO_ERRORS, brief
from lumivid_fx.color.display_curves import Pixels
from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.errors import InputError

CDL_FORMATS = {
    ".cc": "ColorCorrection",
    ".ccc": "ColorCorrectionCollection",
    ".cdl": "ColorDecisionList",
}
CLF_FORMATS = {".clf": "Academy/ASC Common LUT Format", ".ctf": "Color Transform Format"}
TRIM_FORMATS = CDL_FORMATS | CLF_FORMATS
"""What OpenColorIO calls each kind of file, by its ending."""

_SCENE_LINEAR = "scene-linear light"


@dataclass(frozen=True)
class Trim:
    """A change of light, point by point.

    Attributes:
        name: What to call it: ``+1.5 stops``, or the file's name.
        gain: What red, green and blue are multiplied by, where that is all it does; else None.
        content: What tells it from every other trim.
    """

    name: str
    gain: tuple[float, float, float] | None
    content: str
    _processor: Any = field(repr=False, compare=False)

    @property
    def stops(self) -> float | None:
        """The exposure that it is; None where it is something else."""
        if self.gain is None or len(set(self.gain)) > 1 or not self.gain[0] > 0:
            return None
        return float(np.log2(self.gain[0]))

    def apply(self, rgb: Pixels) -> Pixels:
        """Apply it to values ``... 3`` of the space that it was made in."""
        if self.gain is not None:
            return rgb * np.array(self.gain, np.float32)
        out = np.array(rgb, np.float32, order="C", copy=True)
        if out.size:
            self._processor.applyRGB(out)
        return out


def exposure(stops: float) -> Trim:
    """The trim that multiplies light by 2 to the power of `stops`."""
    transform = _gain(stops)
    return Trim(f"{stops:+g} stops", (2.0**stops,) * 3, repr(stops), _cpu(transform))


def trim_text(stops: float, suffix: str) -> str:
    """Write an exposure as a CDL or CLF.

    Args:
        stops: The exposure.
        suffix: One of :data:`TRIM_FORMATS`.

    Raises:
        InputError: It is none of them.
    """
    kind = TRIM_FORMATS.get(suffix.lower())
    if kind is None:
        raise InputError(
            f"a trim cannot be written as {suffix or 'a file without an ending'!r}; use one of "
            f"{', '.join(TRIM_FORMATS)}"
        )
    transform = _gain(stops)
    group = GroupTransform([transform])
    about = f"Exposure of {stops:+g} stops: slope 2^stops on scene-linear light, in any gamut."
    if suffix.lower() in CLF_FORMATS:
        of_file = group.getFormatMetadata()
        of_file.setID(transform.getFormatMetadata().getID())
        for name, value in (
            ("Description", about),
            ("InputDescriptor", _SCENE_LINEAR),
            ("OutputDescriptor", _SCENE_LINEAR),
        ):
            of_file.addChildElement(name, value)
    else:
        of_node = transform.getFormatMetadata()
        of_node.addChildElement("Description", about)
        of_node.addChildElement("InputDescription", _SCENE_LINEAR)
        group = GroupTransform([transform])
    return str(group.write(kind, Config.CreateRaw()))


def read_trim(path: Path) -> Trim:
    """Read a CDL or CLF.

    Raises:
        InputError: It is missing, no such file, or holds several corrections.
    """
    suffix = path.suffix.lower()
    if suffix not in TRIM_FORMATS:
        raise InputError(f"{path} is no trim; give one of {', '.join(TRIM_FORMATS)}")
    if not path.is_file():
        raise InputError(f"{path} does not exist; check the path")
    PyOpenColorIO.ClearAllCaches()  # else a file that was edited stays as it was first read
    try:
        transform = _only_correction(path) if suffix in CDL_FORMATS else FileTransform(str(path))
        processor = _cpu(transform)
    except OCIO_ERRORS as error:
        raise InputError(
            f"{path} cannot be read as {TRIM_FORMATS[suffix]} ({brief(error)}); export it again"
        ) from error
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return Trim(path.name, _plain_gain(processor), content, processor)


def apply_trim(
    spaces: ColorSpaces, rgb: Pixels, space: str, trim: Trim, trim_space: str | None = None
) -> Pixels:
    """Apply a trim to pixels of a scene-linear space.

    Args:
        spaces: The colour config.
        rgb: Pixels ``... 3``.
        space: Their space, scene-linear.
        trim: What to apply.
        trim_space: Space that the trim was made in; None for an exposure, which needs none.

    Raises:
        InputError: The trim is no exposure, and its space is not named.
    """
    if trim_space is not None:
        inside = trim.apply(spaces.convert(rgb, space, trim_space))
        return spaces.convert(inside, trim_space, space)
    if trim.stops is None:
        raise InputError(
            f"{trim.name} does more than expose, which means something only in the space it was "
            "made in; name that with --trim-space, such as acescct or acescg"
        )
    return trim.apply(rgb)


class CubeError(NamedTuple):
    """How far a LUT is off, in codes from 0 to 1, of the worst channel.

    Attributes:
        greys: At most, over all greys.
        colours: On average, over colours.
        worst_colours: The 99.9th percentile of the same: where the view clips, between two samples.
    """

    greys: float
    colours: float
    worst_colours: float


def cube_text(
    spaces: ColorSpaces, trim: Trim, view: str, *, input_space: str, size: int = 33
) -> str:
    """Bake trim and view as a 3D LUT for a viewing box, in the .cube form.

    Args:
        spaces: The colour config.
        trim: An exposure.
        view: SDR view that the box shows.
        input_space: What is fed to the box: codes of a log space, which spread light evenly.
        size: Samples along each edge.

    Raises:
        InputError: Unknown view or space, or a space that is linear.
    """
    if spaces.is_scene_linear(input_space):
        raise InputError(
            f"{input_space} is linear, and a LUT of it would have no samples in the shadows; name "
            "the log space that the box is fed, such as logc3_rec709 or acescct"
        )
    steps = np.linspace(0, 1, size, dtype=np.float32)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red runs fastest
    grid = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    rows = _viewed(spaces, grid, trim, view, input_space)
    lines = [
        f'TITLE "LumiVid {trim.name}, {view}"',
        f"# in: codes 0 to 1 of {spaces.resolve(input_space)}",
        f"# trim: {trim.name} on scene-linear light; out: codes of the view {view}",
        f"LUT_3D_SIZE {size}",
        *("{:.7f} {:.7f} {:.7f}".format(*row) for row in rows.tolist()),
    ]
    return "\n".join(lines) + "\n"


def cube_error(
    path: Path, spaces: ColorSpaces, trim: Trim, view: str, *, input_space: str
) -> CubeError:
    """How far a baked LUT is from what it stands for, by OpenColorIO's tetrahedra.

    Colours are random, with channels up to a quarter of the codes apart: in LogC3, by a contrast of
    about 8 to 1.
    """
    PyOpenColorIO.ClearAllCaches()
    tetrahedral = PyOpenColorIO.INTERP_TETRAHEDRAL
    lut = _cpu(FileTransform(str(path), interpolation=tetrahedral))
    greys = np.linspace(0, 1, 4097, dtype=np.float32)[:, None].repeat(3, axis=1)
    random = np.random.default_rng(0)
    colours = random.uniform(0, 1, (50_000, 1)) + random.uniform(-0.125, 0.125, (50_000, 3))
    errors = []
    for codes in (greys, colours.clip(0, 1).astype(np.float32)):
        shown = codes.copy()
        lut.applyRGB(shown)
        errors.append(np.abs(shown - _viewed(spaces, codes, trim, view, input_space)).max(axis=1))
    grey, colour = errors
    worst = float(np.percentile(colour, 99.9))
    return CubeError(float(grey.max()), float(colour.mean()), worst)


def _viewed(spaces: ColorSpaces, codes: Pixels, trim: Trim, view: str, input_space: str) -> Pixels:
    light = spaces.convert(codes, input_space, LINEAR_REC709)
    return spaces.linear_to_display(apply_trim(spaces, light, LINEAR_REC709, trim), view)


def _gain(stops: float) -> Any:
    slope = 2.0**stops
    transform = CDLTransform(slope=[slope] * 3)
    transform.setStyle(PyOpenColorIO.CDL_NO_CLAMP)
    transform.getFormatMetadata().setID(f"lumivid_exposure_{stops:+g}_stops")
    return transform


def _only_correction(path: Path) -> Any:
    group = CDLTransform.CreateGroupFromFile(str(path))
    if len(group) != 1:
        raise InputError(
            f"{path} holds {len(group)} corrections; export the one of this shot alone"
        )
    correction = group[0]
    correction.setStyle(PyOpenColorIO.CDL_NO_CLAMP)
    return correction


def _cpu(transform: Any) -> Any:
    processor = Config.CreateRaw().getProcessor(transform)
    return processor.getOptimizedCPUProcessor(PyOpenColorIO.OPTIMIZATION_LOSSLESS)


def _plain_gain(processor: Any) -> tuple[float, float, float] | None:
    """What a processor multiplies each channel by, where it does nothing else."""
    random = np.random.default_rng(0)
    light = np.concatenate(
        [np.ones((1, 3)), np.eye(3), -np.ones((1, 3)), random.uniform(-1, 60, (256, 3))]
    ).astype(np.float32)
    out = light.copy()
    processor.applyRGB(out)
    gain = out[0].astype(np.float64)
    # 1e-6: a few roundings of float32.
    if not np.allclose(out, light * gain, rtol=1e-6, atol=1e-6):
        return None
    red, green, blue = (float(value) for value in gain)
    return red, green, blue
