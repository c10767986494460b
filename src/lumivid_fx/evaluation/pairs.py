"""Pictures on disk against references on disk: stills, sequences, or folders of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lumivid_fx.color.spaces import LINEAR_REC709, ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.evaluation.perceptual import Perceptual
from lumivid_fx.evaluation.protocol import Light
from lumivid_fx.evaluation.scores import Score, Shown, score
from lumivid_fx.evaluation.table import Column, Table
from lumivid_fx.evaluation.table_motion import row_of
from lumivid_fx.evaluation.workbench import Tell
from lumivid_fx.media import Plate, open_plate
from lumivid_fx.media.frame_range import find_sources
from lumivid_fx.media.image_file import IMAGE_FORMATS


@dataclass(frozen=True)
class Pair:
    """What is compared with what.

    Attributes:
        name: Of both, without frame numbers.
        prediction: Scene-linear still or sequence.
        reference: The same of the truth.
        source: The SDR picture or movie that the prediction was made of, or None.
    """

    name: str
    prediction: str
    reference: str
    source: str | None


def find_pairs(predictions: str, references: str, source: str | None = None) -> list[Pair]:
    """Pair what lies in two places.

    Args:
        predictions: A still, a pattern such as ``out/plate.####.exr``, or a folder.
        references: The same; in a folder of several, pairs are found by name.
        source: The same of the SDR pictures, or a movie; None where they are not at hand.

    Raises:
        InputError: A folder is empty, or one has what the other has not.
    """
    ours, theirs = _sources(predictions), _sources(references)
    shown = None if source is None else _sources(source)
    if all(len(each) == 1 for each in (ours, theirs, shown or ours)):
        name, prediction = next(iter(ours.items()))
        given = None if shown is None else next(iter(shown.values()))
        return [Pair(name, prediction, next(iter(theirs.values())), given)]
    for place, there in ((references, theirs), (source, shown)):
        lacking = [] if there is None else [name for name in ours if name not in there]
        if lacking:
            raise InputError(
                f"{place} has nothing called {lacking[0]}, which {predictions} has; give both the "
                "same names"
            )
    return [
        Pair(name, prediction, theirs[name], None if shown is None else shown[name])
        for name, prediction in ours.items()
    ]


def _sources(given: str) -> dict[str, str]:
    if not Path(given).is_dir():
        return {Path(given).name.split(".")[0]: given}
    found = find_sources(given, IMAGE_FORMATS)
    if not found:
        raise InputError(f"{given} holds no pictures; give a file, a pattern or another folder")
    return found


def compare(
    pair: Pair, spaces: ColorSpaces, perceptual: Perceptual, fps: float | None = None
) -> Score:
    """Measure one pair, a frame at a time.

    Args:
        pair: What to compare.
        spaces: The colour config; both sides are brought to linear Rec.709.
        perceptual: JOD and LPIPS.
        fps: Frames a second; None takes the prediction's own, or 24.

    Raises:
        InputError: A side cannot be read or is not scene-linear, or they differ in size or length.
    """
    with open_plate(pair.prediction) as ours, open_plate(pair.reference) as theirs:
        for plate in (ours, theirs):
            if not spaces.is_scene_linear(plate.space_or(None)):
                raise InputError(
                    f"{plate.source} is in {plate.space}, not scene-linear; give EXR files, and "
                    "SDR pictures by --source"
                )
        shown = None if pair.source is None else open_plate(pair.source)
        try:
            _check(ours, theirs, *([shown] if shown else []))

            def frames() -> Iterator[Shown]:
                for index, number in enumerate(ours.frame_numbers):
                    yield Shown(
                        _light(ours, number, spaces),
                        _light(theirs, theirs.first_frame + index, spaces),
                        None if shown is None else shown.read(shown.first_frame + index).rgb,
                    )

            rate = fps or float(ours.fps or 24)
            return score(frames, perceptual, rate if len(ours.frame_numbers) > 1 else None)
        finally:
            if shown is not None:
                shown.close()


def _light(plate: Plate, number: int, spaces: ColorSpaces) -> Light:
    rgb = plate.read(number).rgb
    return rgb if plate.space == LINEAR_REC709 else spaces.convert(rgb, plate.space, LINEAR_REC709)


def _check(*plates: Plate) -> None:
    first = plates[0]
    for other in plates[1:]:
        if (other.width, other.height) != (first.width, first.height):
            raise InputError(
                f"{other.source} is {other.width} x {other.height} pixels and {first.source} is "
                f"{first.width} x {first.height}; give pictures of one size"
            )
        if len(other.frame_numbers) != len(first.frame_numbers):
            raise InputError(
                f"{other.source} has {len(other.frame_numbers)} frames and {first.source} has "
                f"{len(first.frame_numbers)}; give as many of both"
            )
        if min(first.width, first.height) < 11:
            raise InputError(f"{first.source} is under 11 pixels; SSIM needs as many")


def compare_all(
    pairs: list[Pair], perceptual: Perceptual, tell: Tell, fps: float | None = None
) -> Table:
    """A table with a row for each pair, in the order given; errors are those of :func:`compare`."""
    spaces = ColorSpaces()
    rows = []
    for done, pair in enumerate(pairs):
        tell(pair.name, done, len(pairs))
        rows.append(row_of({"name": pair.name}, compare(pair, spaces, perceptual, fps)))
    notes = [f"{m} is n/a: {why}." for m, why in perceptual.missing.items() if why]
    if any(pair.source is None for pair in pairs):
        notes.append(
            "Without --source, exposure is aligned over pixels whose truth lies between 0.02 and "
            "0.79, and nothing is known of what clipped."
        )
    return Table("pairs", "Predictions against references", COLUMNS, rows, notes)


COLUMNS = (
    Column("name", "Name"),
    Column("aligned", "PU21-PSNR", 2, "up"),
    Column("raw", "raw", 2, "up"),
    Column("crf", "CRF-corrected", 2, "up"),
    Column("unclipped", "unclipped", 2, "up"),
    Column("ssim", "PU21-SSIM", 4, "up"),
    Column("lpips", "LPIPS", 3, "down"),
    Column("jod", "JOD", 2, "up"),
    Column("highlights", "highlights, stops", 2, "down"),
    Column("bias", "bias there"),
    Column("shadows", "shadows, stops", 2, "down"),
    Column("hue", "hue shift, degrees", 1, "down"),
    Column("colour", "colour shift, JND", 1, "down"),
    Column("range", "range / true, stops"),
    Column("peaks", "peak / true, cd/m²"),
    Column("f2f", "F2F-PSNR"),
    Column("f2f_gap", "less the truth's"),
    Column("delta", "delta-PSNR", 2, "up"),
    Column("flicker", "flicker", 4),
    Column("flicker_ratio", "over the truth's"),
)
