"""A shot as a model sees it: windows of small frames in, codes out, here or on another machine.

Nothing of a window depends on another one, so its codes may as well come from a file that another
machine left: :class:`RenderedWindows` stands for a model then, and all that follows is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.transfer import Transfer
from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.media import Frame, Plate
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.model.manifest import Manifest, check_sigmas
from lumivid_fx.pipeline.ingest import Ingest, SmallFrame, SmallFrames
from lumivid_fx.pipeline.noise import NoiseSource
from lumivid_fx.pipeline.reference import fit_size
from lumivid_fx.pipeline.render_window import Sampling, render_window
from lumivid_fx.pipeline.windows import Window, cut_windows

if TYPE_CHECKING:
    from lumivid_fx.pipeline.render_shot import ShotSettings

Step = Callable[[str, int, int], None]
"""Called with what is being done, steps done and steps in all; raise to cancel."""


class ModelFacts(Protocol):
    """What a render asks of a model beside its windows; :class:`HdrModel` says the meaning."""

    @property
    def manifest(self) -> Manifest: ...  # noqa: D102
    @property
    def transfer(self) -> Transfer: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def lora(self) -> tuple[str, float]: ...  # noqa: D102
    @property
    def temporal_ratio(self) -> int: ...  # noqa: D102
    @property
    def stages(self) -> int: ...  # noqa: D102
    @property
    def device(self) -> torch.device: ...  # noqa: D102


class RenderedWindows(ModelFacts, Protocol):
    """In place of a model: windows that have been through it elsewhere."""

    def codes(self, window: Window) -> Tensor:
        """What :meth:`ShotWindows.codes` gave there, ``f 3 h w`` float32.

        Raises:
            InputError: It is not there, or not whole.
        """


@dataclass(frozen=True)
class ShotWindows:
    """A shot's windows, and how each is made.

    Attributes:
        ingest: The plate's pixels on their way in.
        windows: All of the shot's.
        height: Of what the model sees, pixels.
        width: Likewise.
        sampling: How.
    """

    ingest: Ingest
    windows: list[Window]
    height: int
    width: int
    sampling: Sampling

    @classmethod
    def of(
        cls,
        plate: Plate,
        model: ModelFacts,
        settings: ShotSettings,
        noise: NoiseSource,
        spaces: ColorSpaces,
    ) -> ShotWindows:
        """What the settings come to for this plate and model.

        Raises:
            InputError: A setting does not fit the model.
        """
        manifest = model.manifest
        space = plate.space_or(settings.input_space)
        ingest = Ingest.of(spaces, space, settings.source_view, model.transfer)
        windows = cut_windows(
            len(plate.frame_numbers),
            settings.window or manifest.window_frames,
            settings.overlap or manifest.overlap_frames,
            model.temporal_ratio,
        )
        longest = manifest.native_size if settings.model_size is None else settings.model_size
        height, width = fit_size(plate.height, plate.width, longest or None)
        sigmas = settings.sigmas or manifest.sigmas
        check_sigmas(sigmas, "settings")
        if len(sigmas) > model.stages:
            raise InputError(
                f"settings name {len(sigmas)} sigma schedules, and the model {manifest.name} has "
                f"{model.stages}; give one for each stage"
            )
        sampling = Sampling(
            noise=noise,
            sigmas=sigmas,
            fps=settings.fps or float(plate.fps or 24),
            reference_strength=settings.reference_strength,
            tile=settings.tile,
            vae_tile=_least(settings.vae_tile or manifest.vae_tile, settings.tile),
            vae_frames=settings.vae_frames or manifest.vae_frames,
            reference_tilers=settings.tilers == "reference",
            high_quality=settings.high_quality,
        )
        return cls(ingest, windows, height, width, sampling)

    def reduce(self, frame: Frame) -> SmallFrame:
        """A frame of the plate at the model's size."""
        small = SmallFrames(self.height, self.width)
        return small.reduce(self.ingest.display(frame), self.ingest.holds_more(frame))

    def codes(self, window: Window, display: Tensor, model: HdrModel, step: Step) -> Tensor:
        """Render one window.

        Args:
            window: Which.
            display: Display codes ``f 3 h w`` of the frames that exist.
            model: The model.
            step: Progress and cancel.

        Returns:
            The model's codes ``f 3 h w`` of these frames, float32, not clamped.

        Raises:
            RenderError: The model gave values that are no numbers.
        """
        repeats = window.padded - len(display)
        last = display[-1:].expand(repeats, -1, -1, -1)
        padded = torch.cat([display, last]) if repeats else display
        codes = render_window(model, padded, window.first, self.sampling, step)[: len(display)]
        if not bool(torch.isfinite(codes).all()):
            raise RenderError(
                f"the model {model.manifest.name} gave values that are no numbers in window "
                f"{window.index + 1}; check the model's files, or render on the CPU"
            )
        return codes


def _least(*sizes: int | None) -> int | None:
    """The smallest of those that are given."""
    return min((size for size in sizes if size is not None), default=None)
