"""Train the embedded model in a budget of minutes, checkpointing, and write the model folder.

    python scripts/train_embedded.py --maps MAPS --run RUN --minutes 9 --device cuda --scale 8

How many steps a stage gets is worked out from a short probe of its speed; a run that is started
again with the same folder keeps its steps and goes on where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch

from lumivid_fx.train import embedded
from lumivid_fx.train.embedded_transformer import cache_latents, train_transformer
from lumivid_fx.train.embedded_vae import load_vae, train_vae
from lumivid_fx.train.export import export
from lumivid_fx.train.trainer import Schedule

SHARES = {"vae": 0.34, "latents": 0.08, "prior": 0.16, "lora": 0.42}
RATES = {"vae": 8e-4, "prior": 1e-3, "lora": 1.2e-3}
PROBE_STEPS = 50

StepReport = Callable[[int, float, float], None]
Stage = Callable[[embedded.Run, Schedule, StepReport], None]


def reporter(stage: str, steps: int, began: float) -> StepReport:
    """A line to look at, every 250 steps."""

    def report(step: int, loss: float, seconds: float) -> None:
        if step % 250 == 0 or step == steps:
            at = time.monotonic() - began
            print(
                f"{at:6.0f} s {stage} {step}/{steps} loss {loss:.4f} {seconds:.3f} s/step",
                flush=True,
            )

    return report


def quickest_layout(device: torch.device) -> torch.memory_format:
    """Time a convolution of the VAE's kind, forward and back, in both layouts."""
    if device.type == "cpu":
        return torch.contiguous_format
    times = {}
    for layout in (torch.contiguous_format, torch.channels_last_3d):
        conv = torch.nn.Conv3d(96, 96, 3, padding=(0, 1, 1)).to(device)
        conv.weight.data = conv.weight.data.contiguous(memory_format=layout)
        pictures = torch.randn(48, 96, 11, 32, 32, device=device, requires_grad=True)
        for turn in range(12):
            if turn == 4:
                torch.cuda.synchronize()
                start = time.monotonic()
            with torch.autocast("cuda", torch.bfloat16):
                conv(pictures).square().mean().backward()
        torch.cuda.synchronize()
        times[layout] = (time.monotonic() - start) / 8
    print({str(layout): f"{1000 * seconds:.1f} ms" for layout, seconds in times.items()})
    return min(times, key=lambda layout: times[layout])


def probe(stage: Stage, run: embedded.Run, rate: float) -> float:
    """Seconds of one step, after the first 25 have warmed everything up."""
    speeds: list[float] = []
    scratch = dataclasses.replace(run, folder=run.folder / "probe")
    scratch.folder.mkdir(parents=True, exist_ok=True)
    for path in run.folder.glob("*.safetensors"):
        target = scratch.folder / path.name
        if "checkpoint" not in path.name and not target.exists():
            target.hardlink_to(path)
    if (run.folder / "vae").is_dir() and not (scratch.folder / "vae").exists():
        (scratch.folder / "vae").symlink_to((run.folder / "vae").resolve())
    schedule = Schedule(steps=PROBE_STEPS, learning_rate=rate, save_every=10**9)
    stage(scratch, schedule, lambda _step, _loss, seconds: speeds.append(seconds))
    for path in scratch.folder.glob("*checkpoint*"):
        path.unlink()
    return speeds[-1]


def main() -> None:
    """Run all stages that are not finished yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--made-up", type=int, default=12)
    args = parser.parse_args()
    began = time.monotonic()
    torch.set_float32_matmul_precision("high")
    run = embedded.make_run(
        args.maps, args.run, args.device, made_up=args.made_up, scale=args.scale
    )
    run = dataclasses.replace(run, layout=quickest_layout(run.device))
    print(f"{time.monotonic() - began:6.0f} s {len(run.scenes.wrapped)} maps", flush=True)
    budget = args.minutes * 60 - (time.monotonic() - began)
    plan_file = args.run / "plan.json"
    plan: dict[str, int] = json.loads(plan_file.read_text()) if plan_file.exists() else {}
    cached: list[dict[str, torch.Tensor]] = []

    def vae(to: embedded.Run, schedule: Schedule, report: StepReport) -> None:
        train_vae(to, schedule, report)

    def prior(to: embedded.Run, schedule: Schedule, report: StepReport) -> None:
        train_transformer(to, schedule, report, cached, hdr=False)

    def lora(to: embedded.Run, schedule: Schedule, report: StepReport) -> None:
        train_transformer(to, schedule, report, cached, hdr=True)

    stages: dict[str, Stage] = {"vae": vae, "prior": prior, "lora": lora}
    left = dict(SHARES)
    for name, stage in stages.items():
        if name == "prior":
            clock = time.monotonic()
            cached += cache_latents(load_vae(run), run, args.clips, 100)
            at = time.monotonic()
            print(f"{at - began:6.0f} s latents in {at - clock:.0f} s", flush=True)
            del left["latents"]
        start = time.monotonic()
        share = left[name] / sum(left.values())
        seconds = (budget - (start - began)) * share
        if name not in plan:
            speed = probe(stage, run, RATES[name])
            plan[name] = max(25, int((seconds - (time.monotonic() - start)) / speed))
            plan_file.write_text(json.dumps(plan))
        schedule = Schedule(
            steps=plan[name], learning_rate=RATES[name], ema=0.998, warmup=100, save_every=500
        )
        stage(run, schedule, reporter(name, plan[name], began))
        print(f"{time.monotonic() - began:6.0f} s {name} done", flush=True)
        del left[name]
    export(args.run, args.run / "model", (1.0, 0.0))
    print(f"{time.monotonic() - began:6.0f} s model written", flush=True)


if __name__ == "__main__":
    main()
