"""How fast a render goes, and so how long the rest of it will take."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic


@dataclass
class Pace:
    """How long steps and frames have taken, and so how long the rest will take.

    Attributes:
        steps: Sampler steps in all; 0 while nobody knows.
        frames: Frames to render in all.
        at: When the last of either was done, in seconds.
        steps_done: See `steps`.
        frames_done: See `frames`.
        step_seconds: Time that went into steps.
        frame_seconds: Time that went into decoding, merging and writing frames.
    """

    steps: int = 0
    frames: int = 0
    at: float = field(default_factory=monotonic)
    steps_done: int = 0
    frames_done: int = 0
    step_seconds: float = 0.0
    frame_seconds: float = 0.0

    def step(self, now: float) -> None:
        """Count a step that is done."""
        self.steps_done += 1
        self.step_seconds += now - self.at
        self.at = now

    def frame(self, now: float) -> None:
        """Count a frame that is on disk."""
        self.frames_done += 1
        self.frame_seconds += now - self.at
        self.at = now

    @property
    def seconds(self) -> float:
        """Time taken so far."""
        return self.step_seconds + self.frame_seconds

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take; None before there is a frame to judge by, and after."""
        if not self.steps_done or not 0 < self.frames_done < self.frames:
            return None
        each_step = self.step_seconds / self.steps_done
        each_frame = self.frame_seconds / self.frames_done
        return each_step * (self.steps - self.steps_done) + each_frame * (
            self.frames - self.frames_done
        )
