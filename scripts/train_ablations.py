"""Train the LoRAs of the paper's tables 4 and 5: other curves, other degradations, equal steps.

    python scripts/train_ablations.py --maps MAPS --run RUN --steps 400 --device cuda --scale 8

RUN is a finished run of scripts/train_embedded.py: all LoRAs stand on its VAE and its prior. Each
leaves RUN/ablations/NAME.safetensors with the learned tensors, the scene embedding among them.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import torch

from lumivid_fx.color.transfer import get_transfer
from lumivid_fx.train import embedded
from lumivid_fx.train.degradations import Faults
from lumivid_fx.train.embedded_transformer import cache_latents, train_transformer
from lumivid_fx.train.embedded_vae import load_vae
from lumivid_fx.train.trainer import Schedule

NONE = Faults(contrast=0, blur=0, noise=0, compression=0)
VARIANTS = {
    "logc3_full": ("logc3_rec709", Faults()),
    "pq_full": ("pq_rec2020", Faults()),
    "hlg_full": ("hlg_rec2020", Faults()),
    "linear16_full": ("linear16_rec709", Faults()),
    "logc3_none": ("logc3_rec709", NONE),
    "logc3_blur": ("logc3_rec709", dataclasses.replace(NONE, blur=Faults().blur)),
}


def main() -> None:
    """Train every variant that has no file yet, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    args = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    base = embedded.make_run(args.maps, args.run, args.device, scale=args.scale)
    (args.run / "ablations").mkdir(exist_ok=True)
    schedule = Schedule(steps=args.steps, learning_rate=1.2e-3, ema=0.99, save_every=10**9)
    for name in args.only:
        if (args.run / "ablations" / f"{name}.safetensors").exists():
            continue
        began = time.monotonic()
        transfer, faults = VARIANTS[name]
        run = dataclasses.replace(base, transfer=get_transfer(transfer), faults=faults)
        cached = cache_latents(load_vae(run), run, args.clips, 100)

        def report(step: int, loss: float, _: float, name: str = name) -> None:
            if step % 100 == 0:
                print(f"{name} {step}/{args.steps} loss {loss:.4f}", flush=True)

        train_transformer(run, schedule, report, cached, hdr=True, name=f"ablations/{name}")
        print(f"{name} {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
