"""What the soak asks for: jobs of every kind, faults at every place, all drawn from one seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import numpy as np

from lumivid_fx.protocol.job_state import JobState
from lumivid_fx.protocol.messages import PathSource, PixelSource, Request, Settings

T = TypeVar("T")

Kind = tuple[str, int | None]

Fault = Literal[
    "kill runner", "stop runner", "kill server", "end server", "kill client", "stop client"
]

CRASHES = frozenset({"E_WORKER_CRASHED", "E_STALLED"})
"""Codes of a job whose runners die; which of the two depends on how the last one did."""

# fmt: off
_KINDS = (
    # every 24 jobs: how many, label ({} is a frame's place), cancelled after so many frames
    *6 * (("", None),), *3 * (("big", None),), *3 * (("slow", None),), ("torn", None),
    *2 * (("die1@{}", None),), ("fall@{}", None), ("die@{}", None),
    ("fail@{}", None), ("spoil@{}", None),
    ("slow", 0), ("slow", 1), ("slow", 2), ("big", 1), ("deaf slow", 2),
)
_RARE = (("mute@{}", None), ("hang@{}", None), ("junk@{}", None))
"""One each in a hundred jobs: they take the longest."""

_FAULTS: tuple[Fault, ...] = (
    "kill runner", "kill server", "kill client", "end server",
    "stop runner", "stop client", "kill client", "kill runner",
)
# fmt: on

_PLATES = (None, None, None, (5, 3, 3), (64, 36, 4), (256, 160, 4))
"""Width, height, channels of plates that are sent; frames of the last take two pieces each."""


class Plan(msgspec.Struct, frozen=True):
    """A job and what may come of it.

    Attributes:
        job: Its id.
        request: What is asked for; frames are counted from 1.
        count: How many frames.
        cancel_after: Frames after which it is cancelled.
    """

    job: str
    request: Request
    count: int
    cancel_after: int | None

    @property
    def numbers(self) -> list[int]:
        """Its frames."""
        return list(range(1, self.count + 1))

    def allows(self, state: JobState, code: str, attempts: int) -> bool:
        """Whether it may end like that, having been given to a runner so often."""
        word = self.request.label.partition("@")[0]
        if state == "failed" and code in CRASHES and attempts >= 3:
            return True  # its own doing, or three faults in a row; the soak asks which
        if self.torn:
            return (state, code) == ("cancelled", "E_CANCELLED")
        if self.cancel_after is not None:
            return (state, code) in (("cancelled", "E_CANCELLED"), ("done", ""))
        if word in ("fail", "spoil"):
            return (state, code) == ("failed", "E_RENDER")
        return (state, code) == ("done", "") and not self.poison

    @property
    def torn(self) -> bool:
        """Whether its plate breaks off while it is being sent, which cancels it."""
        return self.request.label == "torn"

    @property
    def poison(self) -> bool:
        """Whether it takes every runner with it."""
        return self.request.label.partition("@")[0] in ("die", "mute", "hang", "junk")


def pick(draws: np.random.Generator, among: Sequence[T]) -> T:
    """One of them."""
    return among[int(draws.integers(len(among)))]


def plan_jobs(draws: np.random.Generator, jobs: int, shots: Path) -> list[Plan]:
    """The jobs of a soak."""
    kinds: list[Kind] = [_KINDS[place % len(_KINDS)] for place in range(jobs)]
    for number in range(jobs // 100 * len(_RARE)):
        kinds[number] = _RARE[number % len(_RARE)]
    return [
        _plan(draws, kinds[which], shots / f"{place:03d}")
        for place, which in enumerate(draws.permutation(jobs).tolist())
    ]


def _plan(draws: np.random.Generator, kind: Kind, folder: Path) -> Plan:
    label, cancel_after = kind
    count = int(draws.integers(4, 10))
    pixels = draws.random() < 0.45
    plate = _PLATES[-1] if label == "torn" else pick(draws, _PLATES)
    source: PathSource | PixelSource = PathSource(path=str(folder / "plate.mov"))
    if plate is not None:
        width, height, channels = plate
        source = PixelSource(
            width=width, height=height, channels=3 if channels == 3 else 4, first=1, count=count
        )
    request = Request(
        source=source,
        frames=None if plate else f"1-{count}",
        deliver="pixels" if pixels else "path",
        target=None if pixels else str(folder),
        settings=Settings(input_space="lin_rec709"),
        priority=pick(draws, (0, 0, 0, 1, -1)),
        label=label.format(draws.integers(count)),
    )
    return Plan(draws.bytes(16).hex(), request, count, cancel_after)


def plan_faults(draws: np.random.Generator, plans: list[Plan]) -> list[tuple[int, Fault]]:
    """What goes wrong, and after how many frames that clients have got.

    The server is killed in the first half alone: what it keeps open and holds in memory is looked
    at over the second.
    """
    frames = sum(plan.count for plan in plans) * 0.7  # others are cancelled or fail
    count = max(len(_FAULTS), len(plans) // 3)
    out: list[tuple[int, Fault]] = []
    for place in range(count):
        after = round(frames * (place + draws.random()) / count)
        fault = _FAULTS[place % len(_FAULTS)]
        if place >= count // 2 and fault in ("kill server", "end server"):
            fault = pick(draws, ("kill runner", "kill client"))
        out.append((after, fault))
    return out


def plate_frame(source: PixelSource, number: int) -> bytes:
    """What a client sends: bytes that tell frames and places apart."""
    return hashlib.shake_128(b"%d" % number).digest(source.frame_bytes)
