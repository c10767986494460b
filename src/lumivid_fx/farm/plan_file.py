"""The plan of a shot: what is to be rendered, from what, in which windows. JSON, read strictly.

A plan is made once and read by every machine of a farm, which trust nothing in it: fields that are
not here are refused, numbers are in their ranges, paths are absolute and go nowhere by ``..``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from lumivid_fx import __version__
from lumivid_fx.errors import InputError
from lumivid_fx.model.manifest import Manifest
from lumivid_fx.protocol.messages import MAX_FRAMES, Digest, FrameNumber, Name, PathSource, Request
from lumivid_fx.protocol.messages import Path as PathText

MAX_PLAN = 16 * 1024 * 1024
"""Bytes of a plan: one of ten thousand frames has 2 to 4 MB, nearly all of it paths and digests."""

MAX_FILES = 2 * MAX_FRAMES + 1000
"""Files a plan names: each frame's, each mask's, and those of the colour config."""

_STITCHED = ("output_space", "detail", "exposure", "generated")
"""Settings that come in when windows are joined, and that no window depends on."""


Use = Literal["plate", "mask", "colour"]
"""What a file is to a plan."""


class _Part(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What all parts of a plan have in common."""


class PlanFile(_Part, frozen=True):
    """A file that the result depends on, as it was when the plan was made.

    Attributes:
        path: Where.
        sha256: Its content.
        use: ``plate``, ``mask`` or ``colour``.
    """

    path: PathText
    sha256: Digest
    use: Use


class PlanWindow(_Part, frozen=True):
    """A run of frames that is one task.

    Attributes:
        number: Its place among all windows of the plate, from 0.
        first: Number of the first frame.
        last: Number of the last one.
        height: Of what the model sees, pixels.
        width: Likewise.
        frames: How many there are.
        files: Those of the plan's files that it is made from, by their place in the list.
    """

    number: Annotated[int, Meta(ge=0, le=MAX_FRAMES)]
    first: FrameNumber
    last: FrameNumber
    height: Annotated[int, Meta(ge=1, le=16384)]
    width: Annotated[int, Meta(ge=1, le=16384)]
    frames: Annotated[int, Meta(ge=1, le=MAX_FRAMES)]
    files: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=MAX_FRAMES)]


class PlanModel(_Part, frozen=True):
    """The model, as far as it must be known without its weights.

    Attributes:
        digest: SHA-256 over its files, its LoRAs and their strengths.
        lora: File name and strength of the HDR LoRA.
        transfer: The curve it speaks.
        temporal_ratio: Frames a latent covers.
        stages: How many it can run.
        manifest: What it says of itself, without paths.
    """

    digest: Digest
    lora: tuple[Annotated[str, Meta(max_length=255)], float]
    transfer: Name
    temporal_ratio: Annotated[int, Meta(ge=1, le=64)]
    stages: Literal[1, 2]
    manifest: Manifest


class PlanPlate(_Part, frozen=True):
    """The whole plate's size, by which a model is fitted to a machine: pixels and frames."""

    height: Annotated[int, Meta(ge=1, le=65536)]
    width: Annotated[int, Meta(ge=1, le=65536)]
    frames: Annotated[int, Meta(ge=1)]


class Plan(_Part, frozen=True):
    """A shot in windows.

    Attributes:
        lumivid_plan: Version of this form.
        made_by: Release of lumivid-fx; a window and its neighbour come from the same one.
        request: What the user decided, with absolute paths.
        folder: Where window files go.
        model: What renders.
        plate: The whole plate.
        window: Frames of a window.
        overlap: Frames two windows share.
        windows: In order; a task's index is its place here.
        files: What they and the joined frames are made from.
    """

    lumivid_plan: Literal[1]
    made_by: Name
    request: Request
    folder: PathText
    model: PlanModel
    plate: PlanPlate
    window: Annotated[int, Meta(ge=1, le=10000)]
    overlap: Annotated[int, Meta(ge=1, le=10000)]
    windows: Annotated[tuple[PlanWindow, ...], Meta(min_length=1, max_length=MAX_FRAMES)]
    files: Annotated[tuple[PlanFile, ...], Meta(max_length=MAX_FILES)]

    @property
    def source(self) -> str:
        """The plate."""
        source = self.request.source
        return source.path if isinstance(source, PathSource) else ""

    @property
    def target(self) -> str:
        """Pattern or folder of the frames."""
        return self.request.target or ""

    @property
    def paths(self) -> list[str]:
        """All that it names: read, but for the target and the folder, which are written."""
        request = self.request
        named = [self.source, self.target, self.folder, request.mask, request.lora, request.ocio]
        if request.model is not None and "/" in request.model:
            named.append(request.model)
        return [path for path in named if path is not None] + [file.path for file in self.files]

    @property
    def steps(self) -> int:
        """Sampler steps of a window, all stages together, as a scale for progress."""
        settings, sigmas = self.request.settings, self.model.manifest.sigmas
        own = sum(len(stage) - 1 for stage in settings.sigmas or sigmas)
        return own if settings.steps is None else settings.steps * len(sigmas)

    def window_path(self, index: int) -> Path:
        """The file of the window at a place of the list."""
        return Path(self.folder) / f"window.{index:04d}.safetensors"

    def window_key(self, index: int) -> str:
        """SHA-256 over all that a window's codes depend on, but for the machine's own rounding.

        Exposure, detail and output space are no part of it: windows of another plan that differs
        in these alone are windows of this one.
        """
        window = self.windows[index]
        settings = msgspec.to_builtins(self.request.settings)
        said = {
            "made_by": self.made_by,
            "settings": {name: settings[name] for name in settings if name not in _STITCHED},
            "model": self.model.digest,
            "window": [self.window, self.overlap, window.number, window.frames],
            "size": [window.height, window.width],
            "files": [self.files[place].sha256 for place in window.files],
            "colour": [file.sha256 for file in self.files if file.use == "colour"],
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def require_index(self, index: int) -> None:
        """Refuse an index that is none.

        Raises:
            InputError: The plan has no such window.
        """
        if not 0 <= index < len(self.windows):
            raise InputError(
                f"the plan of {self.source} has windows 0 to {len(self.windows) - 1}, and {index} "
                "is none of them; give one that is"
            )


_DECODER = msgspec.json.Decoder(Plan)


def read_plan(path: Path) -> Plan:
    """Read a plan, and refuse one that is damaged, or meant for another release.

    Raises:
        InputError: The sentence says which and why.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_PLAN + 1)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); make a plan with `lumivid farm plan`"
        ) from error
    if len(text) > MAX_PLAN:
        raise InputError(f"{path} is larger than any plan; make it again with `lumivid farm plan`")
    try:
        plan = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(path, str(error).splitlines()[0]) from error
    if plan.made_by != __version__:
        raise InputError(
            f"{path} was made by lumivid-fx {plan.made_by} and this is {__version__}; make it "
            "again, or install that release on every machine"
        )
    check_plan(plan, path)
    return plan


def plan_digest(path: Path) -> str:
    """SHA-256 of a plan's file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan, whole or not at all; it is checked as when it is read.

    Raises:
        InputError: It cannot be written, or is larger than may be read.
    """
    from lumivid_fx.media.whole_file import whole_file

    text = msgspec.json.format(msgspec.json.encode(plan), indent=1)
    if len(text) > MAX_PLAN:
        raise InputError(f"the plan of {plan.source} is too large; plan fewer frames at once")
    check_plan(_DECODER.decode(text), path)
    with whole_file(path, str(path)) as beside:
        beside.write_bytes(text + b"\n")


def check_plan(plan: Plan, path: Path) -> None:
    """Refuse what a schema does not see: paths above all.

    Args:
        plan: The plan.
        path: Its file, for messages.

    Raises:
        InputError: It names the fault.
    """
    request = plan.request
    if not isinstance(request.source, PathSource) or request.target is None:
        raise _bad(path, "it names no plate and output on disk")
    if request.deliver != "path":
        raise _bad(path, "it delivers something else than files")
    for named in plan.paths:
        if not _is_plain(named):
            raise _bad(path, f"{named!r:.200} is no absolute path without `..`")
    for window in plan.windows:
        if any(place >= len(plan.files) for place in window.files):
            raise _bad(path, f"window {window.number} names files that are not there")


def _is_plain(path: str) -> bool:
    """Whether a path is absolute, goes nowhere by ``..``, and is text of one line."""
    plain = path.startswith("/") or "://" in path
    return plain and ".." not in path.split("/")


def _bad(path: Path, why: str) -> InputError:
    return InputError(f"{path} is no plan ({why}); make it again with `lumivid farm plan`")
