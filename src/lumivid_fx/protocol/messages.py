"""Every message of LVX/1, and what its fields may hold.

A message is a MessagePack map; ``t`` names its kind. Fields that are not here are refused, so are
values out of range: what this module lets through needs no second look. ``docs/protocol.md`` is the
same in words, for those who write a client of their own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from lumivid_fx.protocol.job_state import JobState

VERSION = 1
"""Major version of the protocol; a worker speaks exactly those that its welcome names."""

MAX_CONTROL = 64 * 1024
"""Bytes of a client's control part, checked before it is decoded."""

MAX_CHUNK = 256 * 1024
"""Bytes of pixels in one message of a client's; larger parts close the connection."""

MAX_PART = MAX_CHUNK + 33
"""What ``ZMQ_MAXMSGSIZE`` must let through for that: CURVE adds 33 bytes to each part (RFC 26)."""

MAX_FRAME = 512 * 1024 * 1024
"""Bytes of one frame's pixels, either way: 8192 x 4320 RGBA as half floats is 283 MB."""

MAX_FRAMES = 10_000
"""Frames of one job."""

MAX_CREDIT = 64
"""Frames that a client may be owed at once."""

MAX_PIXEL_CREDIT = 8
"""The same for frames that come as pixels."""

MAX_CHUNKS_UNDER_WAY = 32
"""Chunks that a client may send before it hears that the first was taken."""

HEARTBEAT_S = 5.0
"""Seconds of silence after which a client pings; three unanswered pings and the worker is lost."""

Id = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
"""128 random bits in hex, as ``uuid4().hex`` gives."""

Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
"""SHA-256 in hex."""

Path = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
"""A path without control characters."""

Name = Annotated[str, Meta(max_length=200, pattern=r"\A[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")]
"""Text that breaks no line and moves no cursor."""
FrameNumber = Annotated[int, Meta(ge=-1_000_000_000, le=1_000_000_000)]
Unit = Annotated[float, Meta(ge=0, le=1)]
Level = Annotated[float, Meta(ge=0, le=1)]


class Message(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, tag_field="t"):
    """What all messages have in common."""


# ---- what a job is ----------------------------------------------------------------------------


class Settings(Message, frozen=True, tag=False):
    """What a user decides about a render: the fields of ``lumivid_fx.ShotSettings``.

    Attributes:
        steps: Sampler steps of each stage, thinned from the model's own; None takes them all.
        sigmas: Noise levels of each stage in place of the model's; not together with `steps`.
        schedule: One of the schedules that LTX-2 was distilled to, by the steps of its stages, in
            place of `sigmas`.
        tilers: The reference code's own tiles, or ours without seams.
        high_quality: Show the model every frame twice.
        generated: Whether EXRs get the channel ``lumivid.generated``: 0 where a pixel is the
            plate's own, 1 where it is the model's; not with frames that are delivered as pixels.
    """

    input_space: Name | None = None
    output_space: Name = "lin_rec709"
    source_view: Name | None = None
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    steps: Annotated[int, Meta(ge=1, le=1000)] | None = None
    sigmas: (
        Annotated[
            tuple[Annotated[tuple[Level, ...], Meta(max_length=1001)], ...], Meta(max_length=2)
        ]
        | None
    ) = None
    schedule: Literal["8+2", "8+3"] | None = None
    reference_strength: Unit = 1.0
    detail: Unit = 1.0
    exposure: Annotated[float, Meta(ge=-20, le=20)] = 0.0
    model_size: Annotated[int, Meta(ge=0, le=16384)] | None = None
    tile: Annotated[int, Meta(ge=1, le=4096)] | None = None
    tilers: Literal["seamless", "reference"] = "seamless"
    high_quality: bool = False
    window: Annotated[int, Meta(ge=1, le=10000)] | None = None
    overlap: Annotated[int, Meta(ge=1, le=10000)] | None = None
    fps: Annotated[float, Meta(gt=0, le=1000)] | None = None
    generated: bool = False


class PathSource(Message, frozen=True, tag="path"):
    """A plate that the worker reads from disk.

    Attributes:
        path: Movie, sequence such as ``/show/plate.####.exr``, single image, or folder; absolute.
        digest: SHA-256 of the file, where it is one; the worker refuses another.
    """

    path: Path
    digest: Digest | None = None


class PixelSource(Message, frozen=True, tag="pixels"):
    """A plate that the client sends, as half floats ``h w c``, top line first.

    Attributes:
        width: Of every frame, pixels.
        height: Likewise.
        channels: 3 for RGB, 4 for RGB and alpha.
        first: Number of the first frame.
        count: How many frames follow without a gap.
        fps: Frames a second, or None.
    """

    width: Annotated[int, Meta(ge=1, le=16384)]
    height: Annotated[int, Meta(ge=1, le=16384)]
    channels: Literal[3, 4]
    first: FrameNumber
    count: Annotated[int, Meta(ge=1, le=MAX_FRAMES)]
    fps: Annotated[float, Meta(gt=0, le=1000)] | None = None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.width * self.height * self.channels * 2


class Request(Message, frozen=True, tag=False):
    """What a job is to do. Equal requests have equal bytes, whoever packs them.

    Attributes:
        source: Where the plate is.
        frames: Range such as ``1001-1049``; None renders the whole plate.
        deliver: ``path`` writes EXRs to `target`; ``pixels`` sends half floats.
        target: Pattern such as ``/show/hdr.####.exr`` or a folder; absolute; for ``path`` only.
        settings: What the user decided.
        mask: Image sequence or still that limits where the model speaks.
        model: Name in the worker's library, or model folder; None is the worker's own.
        lora: LoRA in place of the model's own.
        lora_strength: 1 as trained, 0 none.
        ocio: A studio's OCIO config.
        compression: EXR compression.
        overwrite: Render again what is at `target` already.
        priority: Higher goes first.
        label: What the job is called in lists.
    """

    source: PathSource | PixelSource
    frames: Annotated[str, Meta(max_length=64)] | None = None
    deliver: Literal["path", "pixels"] = "path"
    target: Path | None = None
    settings: Settings = Settings()
    mask: Path | None = None
    model: Path | None = None
    lora: Path | None = None
    lora_strength: Annotated[float, Meta(ge=0, le=2)] = 1.0
    ocio: Path | None = None
    compression: Literal["zip", "zips", "piz", "dwaa", "dwab", "none"] = "zip"
    overwrite: bool = False
    priority: Annotated[int, Meta(ge=-100, le=100)] = 0
    label: Name = ""


# ---- what a client says -----------------------------------------------------------------------


class Hello(Message, frozen=True, tag="hello"):
    """The first message of a connection.

    Attributes:
        versions: Major versions the client speaks.
        client: What it is, such as ``nuke 16.0``.
        session: Stays the same when the client connects again; jobs of one session take turns with
            those of others.
    """

    id: Id
    versions: Annotated[tuple[int, ...], Meta(min_length=1, max_length=16)]
    client: Name
    session: Id


class Submit(Message, frozen=True, tag="submit"):
    """Ask for a job under an id of the client's choice; sent again, it is the same job."""

    id: Id
    job: Id
    request: Request


class Put(Message, frozen=True, tag="put"):
    """A piece of a frame of a :class:`PixelSource`; its bytes are the message's payload.

    Attributes:
        offset: Where in the frame the bytes belong; pieces of a frame come in order.
    """

    job: Id
    frame: FrameNumber
    offset: Annotated[int, Meta(ge=0, le=MAX_FRAME)]


class Attach(Message, frozen=True, tag="attach"):
    """Follow a job: progress, frames if wanted, and its end.

    Attributes:
        frames: Whether finished frames are wanted; they come in order, as credit allows.
        after: The last frame that the client holds; None for none.
    """

    id: Id
    job: Id
    frames: bool = True
    after: FrameNumber | None = None


class Credit(Message, frozen=True, tag="credit"):
    """Allow the worker that many more frames."""

    job: Id
    frames: Annotated[int, Meta(ge=1, le=MAX_CREDIT)]


class Ack(Message, frozen=True, tag="ack"):
    """The client has the frame safe; pixels of it are sent no more."""

    job: Id
    frame: FrameNumber
    sha256: Digest


class Cancel(Message, frozen=True, tag="cancel"):
    """Stop a job; what is finished stays."""

    id: Id
    job: Id


class List(Message, frozen=True, tag="list"):
    """Ask for the jobs of this key, newest first.

    Attributes:
        job: Only this one.
        ended: Jobs that have ended too.
    """

    id: Id
    job: Id | None = None
    ended: bool = True


class Ping(Message, frozen=True, tag="ping"):
    """Is anybody there?"""

    id: Id


class Stop(Message, frozen=True, tag="stop"):
    """End the worker; its jobs go on when it is started again. For the worker's own user."""

    id: Id


# ---- what a worker says -----------------------------------------------------------------------


class Device(Message, frozen=True, tag=False):
    """A process that renders.

    Attributes:
        name: Such as ``cpu`` or ``cuda:0 NVIDIA H200``; empty until it is known.
        state: ``ready`` and ``busy`` render; ``starting`` will; ``down`` waits to be started again.
        model: Model it holds, or empty.
        restarts: How often it was started anew.
        confined: Whether the kernel holds it to the worker's roots.
    """

    name: str
    state: Literal["starting", "ready", "busy", "down"]
    model: str
    restarts: int
    confined: bool


class Limits(Message, frozen=True, tag=False):
    """What a client keeps to: the constants of this module by their names."""

    control: int = MAX_CONTROL
    chunk: int = MAX_CHUNK
    frame: int = MAX_FRAME
    frames: int = MAX_FRAMES
    credit: int = MAX_CREDIT
    pixel_credit: int = MAX_PIXEL_CREDIT
    chunks: int = MAX_CHUNKS_UNDER_WAY
    heartbeat_s: float = HEARTBEAT_S


class Welcome(Message, frozen=True, tag="welcome"):
    """The answer to a hello.

    Attributes:
        version: The major version both speak from here on.
        worker: The worker's release.
        boot: New at every start of the worker.
        devices: What renders, and how it is.
        roots: Folders under which paths may lie.
        jobs: How many jobs are waiting or running, everybody's together.
        limits: What to keep to.
    """

    re: str
    version: int
    worker: str
    boot: str
    devices: tuple[Device, ...]
    roots: tuple[str, ...]
    jobs: int
    limits: Limits


class Accepted(Message, frozen=True, tag="accepted"):
    """A job is in the journal, or an attach has been heard.

    Attributes:
        state: The job's state now.
        dup: Whether the job was known before.
        ahead: Jobs that will run before it.
        need: For a plate sent as pixels: the first frame that is still wanted, None for none.
    """

    re: str
    job: str
    state: JobState
    dup: bool = False
    ahead: int = 0
    need: int | None = None


class Took(Message, frozen=True, tag="took"):
    """A chunk has been taken in.

    Attributes:
        size: Bytes of that frame held by now.
        whole: Whether the frame is complete, and on disk.
    """

    job: str
    frame: int
    size: int
    whole: bool


class Progress(Message, frozen=True, tag="progress"):
    """Where a job is; sent at most four times a second, and never waited for.

    Attributes:
        phase: What is being done, in a word or two.
        frames: Frames finished, of `total`; 0 while nobody knows.
        total: See `frames`.
        kept: Of `frames`, those that were there before or came from the cache.
        step: Sampler step of this window, of `steps`.
        steps: See `step`.
        window: Number of this window, from 1, of `windows`.
        windows: See `window`.
        attempt: 1, and one more for every death of the process that renders.
        ahead: Jobs that will run before it, while it is queued.
        eta_s: Seconds that the rest will take, or None.
        note: Something the artist should know, such as a fall-back.
    """

    job: str
    state: JobState
    phase: str = ""
    frames: int = 0
    total: int = 0
    kept: int = 0
    step: int = 0
    steps: int = 0
    window: int = 0
    windows: int = 0
    attempt: int = 1
    ahead: int = 0
    eta_s: float | None = None
    note: str = ""


class Frame(Message, frozen=True, tag="frame"):
    """A finished frame; its pixels are the message's payload where they were asked for.

    Attributes:
        how: ``rendered`` now, ``kept`` from before, or taken from the ``cache``.
        sha256: Of the EXR at `path`, or of the payload.
        size: Bytes of the same.
        path: The EXR, for jobs that deliver paths.
        shape: ``h w c`` of the payload, little-endian half floats, top line first.
        space: Colour space of the pixels.
        model_clipped: Share of the model's samples that lay outside its curve and were clamped.
        half_clamped: Samples beyond half float, clamped to +-65504.
    """

    job: str
    frame: int
    how: Literal["rendered", "kept", "cache"]
    sha256: str
    size: int
    path: str | None = None
    shape: tuple[int, int, int] | None = None
    space: str = ""
    model_clipped: float = 0.0
    half_clamped: int = 0


class Done(Message, frozen=True, tag="done"):
    """A job has ended; may come more than once.

    Attributes:
        state: ``done``, ``failed`` or ``cancelled``.
        code: Why, unless it is done: a key of :data:`lumivid_fx.protocol.codes.CODES`.
        message: The same in a sentence.
        frames: Finished frames, of which `kept` were there before and `cached` from the cache.
        kept: See `frames`.
        cached: See `frames`.
        notes: What the artist should know, such as a fall-back to smaller tiles.
        seconds: Time it was being worked on.
    """

    job: str
    state: JobState
    code: str = ""
    message: str = ""
    frames: int = 0
    kept: int = 0
    cached: int = 0
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class JobRow(Message, frozen=True, tag=False):
    """A job in a list; times are seconds since 1970."""

    job: str
    state: JobState
    label: str
    source: str
    target: str
    deliver: str
    priority: int
    frames: int
    total: int
    attempts: int
    code: str
    message: str
    created: float
    updated: float


class Jobs(Message, frozen=True, tag="jobs"):
    """The answer to a list; at most a thousand rows, the newest first."""

    re: str
    jobs: tuple[JobRow, ...]


class Pong(Message, frozen=True, tag="pong"):
    """Somebody is there; `devices` says whether they can render."""

    re: str
    boot: str
    devices: tuple[Device, ...]


class Error(Message, frozen=True, tag="error"):
    """A message was refused.

    Attributes:
        re: The `id` of the message, or empty where it had none that could be read.
        code: A key of :data:`lumivid_fx.protocol.codes.CODES`.
        message: One sentence with a remedy.
        retry: Whether the same again may succeed.
        job: The job it is about, or empty.
    """

    re: str
    code: str
    message: str
    retry: bool
    job: str = ""


class Drain(Message, frozen=True, tag="drain"):
    """The worker is about to end; its jobs go on when it is back."""

    boot: str


ClientMessage = Hello | Submit | Put | Attach | Credit | Ack | Cancel | List | Ping | Stop
WorkerMessage = Welcome | Accepted | Took | Progress | Frame | Done | Jobs | Pong | Error | Drain
