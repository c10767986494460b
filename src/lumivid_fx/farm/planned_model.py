"""A model as a plan knows it: what a render asks of a model, without weights and without a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from lumivid_fx.color.transfer import Transfer, get_transfer
from lumivid_fx.errors import InputError
from lumivid_fx.farm.plan_file import Plan, PlanModel
from lumivid_fx.model.checkpoint import HdrModel, read_model, working_type
from lumivid_fx.model.library import find_model
from lumivid_fx.model.manifest import Manifest, read_manifest
from lumivid_fx.model.sources import open_sources, vae_ratios
from lumivid_fx.pipeline.devices import choose_device
from lumivid_fx.pipeline.fitting import Fitted, fit_to_devices
from lumivid_fx.pipeline.preflight import choose_windows
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.protocol.messages import Request
from lumivid_fx.worker.one_job import shot_settings


@dataclass(frozen=True)
class PlannedModel:
    """Stands for a model where no window is rendered.

    Attributes:
        said: What the plan says of it.
        device: Where its windows were rendered, if any were.
        rounded: Its digest where a machine held it in fp8, which makes another model of it.
    """

    said: PlanModel
    device: torch.device
    rounded: str = ""

    @property
    def manifest(self) -> Manifest:
        """See :class:`lumivid_fx.model.checkpoint.HdrModel` for this and all below."""
        return self.said.manifest

    @property
    def transfer(self) -> Transfer:
        """The curve it speaks."""
        return get_transfer(self.said.transfer)

    @property
    def digest(self) -> str:
        """SHA-256 over its files."""
        return self.rounded or self.said.digest

    @property
    def lora(self) -> tuple[str, float]:
        """File name and strength of the HDR LoRA."""
        return self.said.lora

    @property
    def temporal_ratio(self) -> int:
        """Frames a latent covers."""
        return self.said.temporal_ratio

    @property
    def stages(self) -> int:
        """How many it can run."""
        return self.said.stages


def describe_model(request: Request) -> PlanModel:
    """Look at a request's model: its headers are read, and its files hashed if that was not done.

    Raises:
        InputError: A file is missing, damaged, or does not fit the others.
    """
    folder = find_model(request.model)
    manifest = read_manifest(folder)
    lora = None if request.lora is None else Path(request.lora)
    sources = open_sources(folder, manifest, lora, request.lora_strength)
    return PlanModel(
        digest=sources.digest(),
        lora=sources.hdr_lora(lora, request.lora_strength),
        transfer=sources.transfer.name,
        temporal_ratio=vae_ratios(sources.vae)[0],
        stages=1 if sources.upsampler is None else 2,
        manifest=manifest.without_paths,
    )


def planned_settings(request: Request, model: PlanModel) -> ShotSettings:
    """A request's settings with window and overlap filled in, as a render fills them in.

    Raises:
        InputError: They do not fit each other or the model.
    """
    manifest = model.manifest
    return choose_windows(
        shot_settings(request.settings, manifest, request.mask),
        manifest.window_frames,
        manifest.overlap_frames,
        model.temporal_ratio,
    )


def load_planned(plan: Plan, device: str) -> Fitted:
    """Load a plan's model, and fit it to this machine as a render fits it.

    Args:
        plan: The plan.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU if there is one.

    Returns:
        The model on its device, and the settings with the tiles that a GPU's memory asks for.

    Raises:
        InputError: It cannot be loaded, or is another than when the plan was made.
        OutOfMemoryError: The GPU is too small for it, whatever is tried.
    """
    request, chosen = plan.request, choose_device(device)

    def read() -> HdrModel:
        return read_model(
            request.model,
            lora=None if request.lora is None else Path(request.lora),
            lora_strength=request.lora_strength,
            dtype=working_type(chosen),
        )

    model = read()
    if model.digest != plan.model.digest:
        raise InputError(
            f"the model {model.manifest.name} has other files here than when the plan was made; "
            "install the same ones on every machine, or make the plan again"
        )
    fit = fit_to_devices([chosen], read, None, lambda _: None)
    size = (plan.plate.height, plan.plate.width, plan.plate.frames)
    return fit(model, planned_settings(request, plan.model), size)
