"""Frame ranges and sequences in the notation artists write, by way of `fileseq`.

Ranges: ``1001-1049``, ``7``, ``-5-5``, ``1-100x2``, ``1-9,20,30-40``. Sequences:
``plate.####.exr``, ``plate.%04d.exr``, ``plate.@@@@.exr``, ``plate.1001-1049#.exr``, a single
image, or a folder that holds one sequence.
One ``#`` is one digit, as in Nuke; where no file has exactly that padding, any padding is taken.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from fileseq.constants import PAD_STYLE_HASH1
from fileseq.exceptions import FileSeqException
from fileseq.filesequence import FileSequence
from fileseq.frameset import FrameSet

from lumivid_fx.errors import InputError, RangeError

Frames = Sequence[int]
"""Frame numbers, ascending, each once."""

_MOST = 100_000
"""Frames that a range with gaps may list: a day's, near enough."""

_NAMED = 5
"""How many frames or sequences a message lists before it says "and N more"."""


def parse_range(text: str) -> Frames:
    """Read a frame range, ascending and each frame once.

    Args:
        text: Such as ``1001-1049``, ``7``, ``-5-5``, ``1-100x2`` or ``1-9,20,30-40``.

    Returns:
        A `range` where the frames are evenly apart, else a tuple.

    Raises:
        RangeError: The text is no range, runs backwards, or is absurdly long.
    """
    try:
        return _ascending(FrameSet(text), text)
    except (FileSeqException, ValueError, IndexError) as error:
        raise RangeError(
            f"frame range {text!r} cannot be read; write it as 1001-1049, as 1-100x2 or as one "
            "number"
        ) from error


def _ascending(frames: FrameSet, text: str) -> Frames:
    first, last = frames.start(), frames.end()
    forwards = isinstance(first, int) and isinstance(last, int) and first <= last
    if forwards and frames.isConsecutive():
        return range(int(first), int(last) + 1)  # however long, it takes no memory
    if len(frames) > _MOST:
        raise RangeError(f"frame range {text!r} lists more than {_MOST} frames; give fewer")
    numbers = [number for number in frames if isinstance(number, int)]
    if len(numbers) < len(frames):
        raise RangeError(f"frame range {text!r} has fractions; give whole frame numbers")
    ascending = sorted(numbers)
    if numbers != ascending:
        raise RangeError(
            f"frame range {text!r} runs backwards; write it as {format_range(ascending)}"
        )
    return evenly(ascending)


def evenly(numbers: Sequence[int]) -> Frames:
    """Ascending numbers as a `range` where they are evenly apart, else as a tuple."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    even = range(numbers[0], numbers[-1] + 1, step)
    return even if list(even) == list(numbers) else tuple(numbers)


def format_range(frames: Sequence[int]) -> str:
    """Write ascending frames as :func:`parse_range` reads them: ``1001-1049`` or ``1-99x2``."""
    return str(FrameSet.framesToFrameRange(frames))


def _listed(things: Iterable[object]) -> str:
    names = [str(thing) for thing in things]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def find_frames(source: str, wanted: Frames | None, suffixes: Collection[str]) -> dict[int, Path]:
    """Find the files of a sequence, one for every frame wanted.

    Args:
        source: A pattern, a single image, or a folder that holds exactly one sequence.
        wanted: Frames asked for. None: the range in the pattern, or all there are.
        suffixes: Endings that count as images when a folder is searched, such as ``.exr``.

    Returns:
        Frame number to file, in ascending order: all that are wanted, none but them.

    Raises:
        InputError: Nothing matches, a folder holds several sequences, or frames are missing.
    """
    files, written = _found(source, suffixes)
    wanted = written if wanted is None else wanted
    there = sorted(files)
    if wanted is None:
        wanted = range(there[0], there[-1] + 1)
    outside = [n for n in (wanted[0], wanted[-1]) if not there[0] <= n <= there[-1]]
    if outside:
        raise RangeError(
            f"{source} holds {format_range(there)} only, so frame "
            f"{outside[0]} cannot be read; ask for frames inside that range"
        )
    missing = [number for number in wanted if number not in files]
    if missing:
        raise InputError(
            f"{source} lacks frame {_listed(missing)}; render what is missing, or ask for "
            f"{format_range([number for number in wanted if number in files]) or 'other frames'}"
        )
    return {number: files[number] for number in wanted}


def expected_frames(
    source: str, wanted: Frames | None, suffixes: Collection[str]
) -> dict[int, Path | None]:
    """Find the files of a sequence that may have holes.

    Args:
        source: As for :func:`find_frames`.
        wanted: Frames asked for. None: the range in the pattern, or the first that is there to the
            last.
        suffixes: As for :func:`find_frames`.

    Returns:
        Frame number to file, in ascending order, None where there is no such file.

    Raises:
        InputError: Nothing matches, or a folder holds several sequences.
    """
    files, written = _found(source, suffixes)
    numbers = wanted or written or range(min(files), max(files) + 1)
    return {number: files.get(number) for number in numbers}


def _found(source: str, suffixes: Collection[str]) -> tuple[dict[int, Path], Frames | None]:
    """The files of a source, and the range written in it, if any."""
    path = Path(source)
    if path.is_file():
        return _still(path), None
    if path.is_dir():
        return _only_sequence(source, suffixes), None
    return _match(source)


def _sequences(names: Iterable[str]) -> list[FileSequence]:
    """Sequences among names of files, without their folder, whose own name may hold anything."""
    return list(FileSequence.findSequencesInList(names, pad_style=PAD_STYLE_HASH1))


def _files(folder: Path) -> list[str]:
    """Names of what is no folder, but for hidden ones: broken links too, which are not passed over.

    A frame that cannot be opened is told of; without its name there would be a shorter sequence.

    Raises:
        InputError: The folder cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return [
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and not entry.is_dir(follow_symlinks=False)
            ]
    except OSError as error:
        raise InputError(
            f"{folder} cannot be listed ({error.strerror}); mend its permissions, or name another"
        ) from error


def _numbered(sequence: FileSequence, folder: Path) -> dict[int, Path]:
    """Frame number to file."""
    frames = sequence.frameSet()
    if not frames:
        return {1: folder / str(sequence)}
    return {int(number): folder / sequence.frame(number) for number in sorted(frames)}


def _still(path: Path) -> dict[int, Path]:
    """A still; without a number after a dot or underscore it is frame 1."""
    found = _sequences([path.name])  # none where its name has a line break
    frames = found[0].frameSet() if found else None
    if frames and (not found[0].basename() or found[0].basename().endswith((".", "_"))):
        return {int(frames.start()): path}
    return {1: path}


def find_sources(folder: str, suffixes: Collection[str]) -> dict[str, str]:
    """List the sequences and single images of a folder, each as a source that can be opened.

    Args:
        folder: The folder; those inside it are not looked into.
        suffixes: Endings that count as images, such as ``.exr``.

    Returns:
        Source by what it is called without frame numbers and ending, in alphabetical order.
    """
    return {
        sequence.basename().rstrip("._"): str(
            Path(folder) / (sequence[0] if len(sequence) == 1 else _pattern(sequence))
        )
        for sequence in sorted(_images(folder, suffixes), key=str)
    }


def _images(folder: str, suffixes: Collection[str]) -> list[FileSequence]:
    return [
        sequence
        for sequence in _sequences(_files(Path(folder)))
        if sequence.extension().lower() in suffixes
    ]


def _pattern(sequence: FileSequence) -> str:
    return sequence.basename() + sequence.padding() + sequence.extension()


def _only_sequence(folder: str, suffixes: Collection[str]) -> dict[int, Path]:
    found = _images(folder, suffixes)
    if not found:
        raise InputError(f"{folder} holds no image sequence; give a file or a pattern")
    if len(found) > 1:
        names = _listed(sorted(map(_pattern, found)))
        raise InputError(
            f"{folder} holds {len(found)} sequences ({names}); name one, such as "
            f"{Path(folder) / 'plate.####.exr'}"
        )
    if len(found[0]) == 1:
        return _still(Path(folder) / found[0][0])
    return _numbered(found[0], Path(folder))


def _match(pattern: str) -> tuple[dict[int, Path], Frames | None]:
    """The files a pattern matches, and the range written in it, if any."""
    folder = Path(pattern).parent
    try:
        written = FileSequence(Path(pattern).name, pad_style=PAD_STYLE_HASH1)
    except FileSeqException as error:
        raise InputError(
            f"{pattern} cannot be read as a sequence; put the frame token right before the "
            "extension, as in plate.####.exr"
        ) from error
    if not written.padding():
        raise InputError(f"{pattern} does not exist; check the path, or write plate.####.exr")
    frames = written.frameSet()
    asked = _ascending(frames, written.frameRange()) if frames else None
    if not folder.is_dir():
        raise InputError(f"{pattern} matches no file, for there is no such folder; check the path")
    # Matched by name, not by the library's glob: names may hold brackets or stars.
    found = [
        sequence
        for sequence in _sequences(_files(folder))
        if sequence.frameSet()
        and (sequence.basename(), sequence.extension()) == (written.basename(), written.extension())
    ]
    exact = [sequence for sequence in found if sequence.zfill() == written.zfill()]
    if not found:
        raise InputError(f"{pattern} matches no file; check the folder and the name")
    if len(exact or found) > 1:
        raise InputError(
            f"{pattern} matches several paddings; write one # for each digit of those you mean"
        )
    return _numbered((exact or found)[0], folder), asked
