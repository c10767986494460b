"""One measurement in a process of its own: ``python -m benchmarks.gpu.measure WHO SIZE FRAMES GB``.

WHO is ``ours``, ``compiled`` or ``theirs``, SIZE as 1920x1080, GB what the allocator may take, 0
for all of it. The last line it prints is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from diffusers.pipelines.ltx2 import LTX2HDRReferenceCondition
from PIL import Image
from torch import Tensor

from benchmarks.gpu.models import FULL, SMALL, ours, theirs
from lumivid_fx.model.placement import place
from lumivid_fx.model.quiet import quieten_libraries
from lumivid_fx.model.schedules import DISTILLED_SIGMAS, STAGE_2_SIGMAS
from lumivid_fx.model.shape import shape_of
from lumivid_fx.pipeline.cards import GB, Card, card_here
from lumivid_fx.pipeline.memory_plan import make_plan
from lumivid_fx.pipeline.noise import SeededNoise
from lumivid_fx.pipeline.phases import demand_of
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.render_window import Sampling, render_window

CUDA = torch.cuda.is_available()
DEVICE = "cuda" if CUDA else "cpu"
DTYPE = torch.bfloat16 if CUDA else torch.float32
KIND = FULL if CUDA else SMALL


def measure_ours(width: int, height: int, frames: int, *, compiled: bool) -> dict[str, Any]:
    """Our window: seconds of each phase, peak, and what the plan had said.

    Compiled it is rendered twice, and the second time counts.
    """
    card = card_here(DEVICE) if CUDA else Card("no card", 8 * GB, 1e11)
    model = ours(KIND, "cpu", DTYPE)
    shape = shape_of(model)
    settings = ShotSettings(window=frames)
    demand = demand_of(settings, shape, height, width, frames)
    plan = make_plan(shape, demand, card)
    model = replace(place(model, DEVICE, plan.chosen.way), compiled=compiled)
    tiling = plan.chosen.tiling
    sampling = Sampling(
        SeededNoise(0),
        model.manifest.sigmas,
        fps=24.0,
        tile=tiling.tile,
        vae_tile=tiling.vae_tile,
        vae_frames=tiling.vae_frames,
    )
    codes = torch.rand(frames, 3, height, width)
    if compiled:
        render_window(model, codes, 0, sampling, lambda *_: None)
    _forget_peak()
    marks = [("start", _now())]
    render_window(model, codes, 0, sampling, lambda name, *_: marks.append((name, _now())))
    marks.append(("end", _now()))
    seconds = _phases(marks)
    passes = [phase for phase, _, _ in plan.chosen.phases if phase.part == "transformer"]
    flops = sum(phase.flops * phase.passes for phase in passes)
    busy = seconds["stage 1"] + seconds["stage 2"]
    return {
        "card": card.name,
        "rate": card.rate,
        "chosen": plan.chosen.describe(),
        "seconds": marks[-1][1] - marks[0][1],
        "phases": seconds,
        "peak": _peak(),
        "expected_peak": plan.chosen.peak,
        "expected_seconds": plan.chosen.seconds,
        "share_of_rate": flops / busy / card.rate,
    }


def measure_theirs(width: int, height: int, frames: int, *, offload: bool) -> dict[str, Any]:
    """Diffusers' two stages with the same steps."""
    pipelines = theirs(KIND, DEVICE, DTYPE, offload=offload)
    width, height = (-(-edge // 64) * 64 for edge in (width, height))  # it takes no others
    pictures = [
        Image.fromarray((torch.rand(height, width, 3) * 255).byte().numpy()) for _ in range(frames)
    ]

    def stage(size: tuple[int, int], sigmas: Sequence[float], **more: Any) -> Any:
        return pipelines.render(
            reference_conditions=LTX2HDRReferenceCondition(frames=pictures, strength=1.0),
            width=size[0],
            height=size[1],
            num_frames=frames,
            sigmas=list(sigmas[:-1]),
            num_inference_steps=len(sigmas) - 1,
            connector_video_embeds=pipelines.video,
            connector_audio_embeds=pipelines.audio,
            generator=torch.Generator().manual_seed(0),
            **more,
        )

    _forget_peak()
    start = _now()
    first: Tensor = stage((width // 2, height // 2), DISTILLED_SIGMAS, output_type="latent").frames
    larger: Tensor = pipelines.upsample(
        latents=first, latents_normalized=False, output_type="latent", return_dict=False
    )[0]
    stage((width, height), STAGE_2_SIGMAS, latents=larger)
    return {"seconds": _now() - start, "peak": _peak()}


def _phases(marks: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Seconds of each phase, from when steps were done: the first of a stage came after others."""
    found = {}
    before = marks[0][1]
    for name in ("stage 1", "stage 2"):
        times = [at for word, at in marks if word == name]
        step = (times[-1] - times[0]) / max(1, len(times) - 1)
        found[f"before {name}"] = times[0] - before - step
        found[name] = step * len(times)
        before = times[-1]
    found["decode"] = marks[-1][1] - before
    return found


def _now() -> float:
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter()


def _forget_peak() -> None:
    if CUDA:
        torch.cuda.reset_peak_memory_stats()


def _peak() -> int:
    return int(torch.cuda.max_memory_allocated()) if CUDA else 0


def main() -> None:
    """Measure once."""
    quieten_libraries()
    who, size, frames, gigabytes = sys.argv[1:]
    width, height = map(int, size.split("x"))
    if CUDA and int(gigabytes):
        total = torch.cuda.mem_get_info()[1]
        torch.cuda.set_per_process_memory_fraction(min(1.0, int(gigabytes) * GB / total))
    try:
        if who != "theirs":
            told = measure_ours(width, height, int(frames), compiled=who == "compiled")
        else:
            offload = CUDA and 0 < int(gigabytes) < 60
            told = measure_theirs(width, height, int(frames), offload=offload)
    except torch.OutOfMemoryError:
        told = {"failed": "out of memory"}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
