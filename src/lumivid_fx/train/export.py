"""Put a trained run together as a model folder, in the files' published forms.

    python -m lumivid_fx.train.export --run RUN --to FOLDER

Weights are stored in half precision, in shards small enough for any code host; the LoRA under the
key names that LTX tools read, with the metadata that says its curve.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKLLTX2Video
from safetensors.torch import load_file, save_file
from torch import Tensor

from lumivid_fx.model.video_only import build_video_transformer
from lumivid_fx.train.embedded import LORA_RANK, TRANSFORMER_CONFIG

SHARD = "15MB"

MANIFEST = """\
# The model that ships with lumivid-fx: README.md beside this file is its model card.
name = "embedded"
transfer = "logc3_rec709"
sigmas = [[{sigmas}]]
native_size = 384
window_frames = 25
overlap_frames = 9
grain_px = 8
grain_frames = 9
highlight_rise = 0.5
highlight_least = 0.25
prompt_embedding = "scene_embedding.safetensors"
lora = "hdr_lora.safetensors"
"""


def export(run: Path, folder: Path, sigmas: tuple[float, ...]) -> None:
    """Write the model folder of a finished run.

    Args:
        run: Folder of the three stages' results.
        folder: Where the model goes; transformer and VAE there are replaced.
        sigmas: The schedule to render with.
    """
    for part in ("vae", "transformer"):
        shutil.rmtree(folder / part, ignore_errors=True)
    vae = AutoencoderKLLTX2Video.from_pretrained(run / "vae").half()
    vae.save_pretrained(folder / "vae", max_shard_size=SHARD)
    prior = load_file(run / "prior.safetensors")
    del prior["prompt"]
    transformer = build_video_transformer(TRANSFORMER_CONFIG)
    transformer.load_state_dict(prior, strict=True, assign=True)
    transformer.half().save_pretrained(folder / "transformer", max_shard_size=SHARD)
    learned = load_file(run / "lora.safetensors")
    context = learned.pop("prompt")[0].half()
    save_file({"video_context": context}, folder / "scene_embedding.safetensors")
    save_lora(learned, folder / "hdr_lora.safetensors", "logc3")
    for config in folder.glob("*/config.json"):  # diffusers notes the folder it was loaded from
        told = json.loads(config.read_text(encoding="utf-8"))
        told.pop("_name_or_path", None)
        config.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    manifest = MANIFEST.format(sigmas=", ".join(str(s) for s in sigmas))
    (folder / "lumivid.toml").write_text(manifest, encoding="utf-8")


def save_lora(learned: dict[str, Tensor], path: Path, transform: str) -> None:
    """Write a LoRA of peft's names under the key names that LTX tools read, in half precision."""
    lora = {
        "diffusion_model." + name.replace(".hdr.", "."): tensor.to(torch.float16).contiguous()
        for name, tensor in learned.items()
    }
    metadata = {
        "hdr_transform": transform,
        "reference_downscale_factor": "1",
        "rank": str(LORA_RANK),
        "format": "pt",
    }
    save_file(lora, path, metadata=metadata)


def main() -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(description="Put a trained run together as a model folder.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--sigmas", type=float, nargs="+", default=[1.0, 0.0])
    args = parser.parse_args()
    export(args.run, args.to, tuple(args.sigmas))


if __name__ == "__main__":
    main()
