"""``lumivid deliver``: plates as linear EXR or as movies, each read back."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli import trim_options as t
from lumivid_fx.cli.outcome import one_sentence
from lumivid_fx.cli.phase_bar import PhaseBar

if TYPE_CHECKING:
    from lumivid_fx.review.deliver import Movie
    from lumivid_fx.review.exr_delivery import Written


def deliver(
    *,
    source: o.Plates,
    target: Annotated[
        str,
        typer.Argument(metavar="OUTPUT", help="Movie, or frames to write, as out/p.####.exr."),
    ],
    kind: Annotated[
        Literal["aces", "acescg", "prores-pq", "prores-hlg", "hdr10", "hlg", "sdr"],
        typer.Option(
            "--as",
            help="EXR: aces (ST 2065-4), acescg. Movies: prores-pq, prores-hlg (4444, .mov), "
            "hdr10, hlg (HEVC, .mp4), sdr (H.264, .mp4).",
        ),
    ],
    frames: o.PlateFrames = None,
    stops: t.Stops = None,
    file: t.TrimFile = None,
    trim_space: t.TrimSpace = None,
    view: Annotated[
        str | None,
        typer.Option(help="SDR view that sdr shows; srgb if not said.", rich_help_panel=o.COLOUR),
    ] = None,
    peak: Annotated[
        float | None,
        typer.Option(
            min=100,
            max=10_000,
            help="Of the display, cd/m2, for PQ: brighter light is cut to it; 1000 if not said.",
            rich_help_panel=o.COLOUR,
        ),
    ] = None,
    input_space: o.PlateSpace = None,
    ocio: o.Ocio = None,
    fps: o.Fps = None,
    overwrite: o.Overwrite = False,
    as_json: o.AsJson = False,
) -> None:
    """Write plates as what a client asks for, read it back, and say what was found."""
    left = "frames that were finished stay" if "aces" in kind else f"{target} was not written"
    with one_sentence(as_json=as_json, interrupted=lambda: left):
        from lumivid_fx.color.spaces import ColorSpaces
        from lumivid_fx.errors import InputError
        from lumivid_fx.media import open_plate
        from lumivid_fx.review import deliver as room

        if peak is not None and kind not in {"prores-pq", "hdr10"}:
            raise InputError(f"--peak is for PQ, and {kind} has a peak of its own; leave it out")
        if view is not None and kind != "sdr":
            raise InputError(f"--view is for sdr, and {kind} is the light itself; leave it out")
        if fps is not None and kind in room.EXR_SPACES:
            raise InputError("--fps is for movies; frames say the plate's own rate, leave it out")
        trimming = t.trimming(stops, file, trim_space)
        spaces = ColorSpaces(None if ocio is None else str(ocio))
        bar = PhaseBar("writing", quiet=as_json)
        with open_plate(source, frames) as plate, bar:
            if kind in room.EXR_SPACES:
                written, flagged = room.deliver_exr(
                    plate,
                    target,
                    kind,
                    trimming,
                    spaces,
                    space=input_space,
                    overwrite=overwrite,
                    on_frame=bar.frames,
                )
                lines, told = _of_frames(written, kind, flagged=flagged)
            else:
                if not overwrite and Path(target).exists():
                    raise InputError(f"{target} exists; use --overwrite, or another name")
                movie = room.deliver_movie(
                    plate,
                    Path(target),
                    kind,
                    trimming,
                    spaces,
                    space=input_space,
                    view=view or "srgb",
                    peak=peak or room.DEFAULT_PEAK,
                    fps=None if fps is None else Fraction(fps).limit_denominator(1001),
                    on_frame=bar.frames,
                )
                lines, told = _of_movie(movie, kind, peak or room.DEFAULT_PEAK)
        if as_json:
            typer.echo(json.dumps(told))
        else:
            typer.echo("\n".join(lines))


def _of_frames(
    written: Written, kind: str, *, flagged: bool
) -> tuple[list[str], dict[str, object]]:
    """What is told of frames, as lines and as JSON."""
    made = len(written.files) - written.kept
    lines = [
        f"{len(written.files)} frames as {kind}, from {written.files[0]} to {written.files[-1]}; "
        f"{written.kept} kept from before",
        f"read back: every pixel of {made} frames is what was sent, in half floats",
        f"samples beyond half float, clamped: {written.clamped}",
    ]
    if kind == "aces":
        lines.append(
            "each frame holds to SMPTE ST 2065-4 and says so"
            if flagged
            else "not every frame holds to SMPTE ST 2065-4, and those do not say so"
        )
    told = {
        "frames": list(map(str, written.files)),
        "kept": written.kept,
        "clamped": written.clamped,
        "st_2065_4": flagged,
    }
    return lines, told


def _of_movie(movie: Movie, kind: str, peak: float) -> tuple[list[str], dict[str, object]]:
    """What is told of a movie, as lines and as JSON."""
    verified, facts, shown = movie.verified, movie.verified.facts, movie.shown
    clock = "" if facts.timecode is None else f", time code {facts.timecode}"
    lines = [
        f"{movie.path} is written: {facts.frames} frames at {float(movie.fps):.6g}{clock}",
        f"read back: {verified.patches} patches of known light within "
        f"{verified.patch_steps:.2f} steps of the format; frames "
        f"{', '.join(map(str, verified.frames))} of the movie: areas of like colour within "
        f"{verified.colour_steps:.2f} steps, each within {verified.area_steps:.1f}; tags as they "
        "should be",
    ]
    told: dict[str, object] = {
        "movie": str(movie.path),
        "patches": verified.patches,
        "patch_steps": verified.patch_steps,
        "colour_steps": verified.colour_steps,
        "area_steps": verified.area_steps,
        "timecode": facts.timecode,
    }
    if shown is not None:
        most, average = shown.levels.whole
        end = 1000.0 if "hlg" in kind else peak
        lines += [
            f"light 1.0 is 100 cd/m2, not tone-mapped: {_share(shown.above, shown.pixels)} of the "
            f"pixels were brighter than {end:g} cd/m2 and {_share(shown.below, shown.pixels)} "
            "outside of Rec.2020, cut to the nearest there is",
            f"MaxCLL {most}, MaxFALL {average} cd/m2, "
            + ("written into the movie" if facts.levels else "not written into ProRes")
            + (f", with a mastering display of P3-D65, {end:g} cd/m2" if facts.mastering else ""),
        ]
        told |= {
            "max_cll": most,
            "max_fall": average,
            "pixels": shown.pixels,
            "above": shown.above,
            "below": shown.below,
        }
    return lines, told


def _share(count: int, of: int) -> str:
    return f"{count / of:.2%}" if count else "none"
