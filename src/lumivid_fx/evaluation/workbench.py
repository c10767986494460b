"""What the tables share: the model, the held-out material, the fitted curve; each made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError
from lumivid_fx.evaluation import protocol
from lumivid_fx.evaluation.perceptual import Perceptual
from lumivid_fx.evaluation.protocol import CAMERA, Delivery, Light, Scene
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.train import clips
from lumivid_fx.train.embedded import HELD_OUT

CLIPS = 4
"""Clips are turned in the first so many of the held-out maps: two minutes of rendering."""

Tell = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much; raise to cancel."""


class Workbench:
    """The material and the means of one evaluation.

    Args:
        maps: Folder of equirectangular EXR maps, those that training held out among them.
        model: The model to be measured.
        perceptual: JOD and LPIPS, opened.
        tell: Progress.
        names: Maps to measure on.
        runs: Folder of models trained otherwise, for the ablations; None where there are none.
        base: Name or folder of `model`, to which a run that is a LoRA alone belongs; None is the
            embedded one.

    Raises:
        InputError: A map is missing, or there is none to fit the curve on.
    """

    def __init__(
        self,
        maps: Path,
        model: HdrModel,
        perceptual: Perceptual,
        tell: Tell,
        *,
        names: Sequence[str] = HELD_OUT,
        runs: Path | None = None,
        base: str | Path | None = None,
    ) -> None:
        missing = [name for name in names if not (maps / f"{name}.exr").is_file()]
        self.training_maps = clips.find_maps(maps, HELD_OUT)
        if missing or not self.training_maps:
            raise InputError(
                f"{maps} lacks {', '.join(missing) or 'maps to fit the curve on'}; give --maps the "
                "folder of all environment maps, those of the training and those it held out"
            )
        if runs is not None and not runs.is_dir():
            raise InputError(f"{runs} is no folder; give --ablations the folder of trained models")
        self.maps, self.names, self.runs, self.base = maps, list(names), runs, base
        self.model, self.perceptual, self.tell = model, perceptual, tell
        self.spaces = ColorSpaces()
        self._luts: dict[str, Light] = {}

    def stills(self, delivery: Delivery) -> Iterator[Scene]:
        """Each held-out still through a delivery."""
        for name in self.names:
            environment = clips.load_environment(self.maps / f"{name}.exr")
            yield delivery.deliver(name, protocol.held_out_view(environment))

    @cached_property
    def clips(self) -> list[Scene]:
        """The held-out clips, camera-like delivery."""
        return [
            CAMERA.deliver_clip(
                name,
                protocol.turning_view(clips.load_environment(self.maps / f"{name}.exr")),
            )
            for name in self.names[:CLIPS]
        ]

    @cached_property
    def training_views(self) -> list[Light]:
        """Views of the maps that training saw."""
        return protocol.random_views(self.training_maps)

    def lut(self, delivery: Delivery) -> Light:
        """The curve fitted to a delivery of stills on the training maps."""
        if delivery.name not in self._luts:
            scenes = (delivery.deliver("", view) for view in self.training_views)
            self._luts[delivery.name] = protocol.fit_log_lut(scenes)
        return self._luts[delivery.name]

    @cached_property
    def clip_lut(self) -> Light:
        """The curve fitted to the delivery of clips: each training view is a frame of one movie."""
        exposed, shown = zip(*(CAMERA.show(view) for view in self.training_views), strict=True)
        display = protocol.through_x264(np.stack(shown))
        return protocol.fit_log_lut(
            Scene("", truth, codes) for truth, codes in zip(exposed, display, strict=True)
        )
