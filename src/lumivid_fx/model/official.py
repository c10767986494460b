"""Lightricks' own files in diffusers' terms: tensor names and configs, no tensor moved or copied.

A single-file checkpoint holds everything under prefixes: ``model.diffusion_model.`` the transformer
with its audio half and text connectors, ``vae.`` the video VAE, ``audio_vae.`` and ``vocoder.`` the
rest. Its metadata has a ``config``, JSON with a table for each. Separate files hold one part each,
with or without its prefix. Only names that the video needs are given a new one here; all others
come out as None and are never read.

Source of the names: diffusers' ``scripts/convert_ltx2_to_diffusers.py`` (Apache-2.0), and the
metadata of the published checkpoints.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lumivid_fx.model.published import UPSAMPLER
from lumivid_fx.model.tensor_file import TensorEntry

TRANSFORMER_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "")
VAE_PREFIXES = ("vae.", "")

AUDIO_MARKS = ("audio", "av_ca", "a2v")
"""Parts of an official name that say it serves the audio stream."""

CONNECTORS = ("video_embeddings_connector", "text_embedding_projection")
"""First words of the text connectors' names, which lie beside the transformer's."""

_TRANSFORMER_WORDS = {
    "patchify_proj": "proj_in",
    "adaln_single": "time_embed",
    "prompt_adaln_single": "prompt_adaln",
    "q_norm": "norm_q",
    "k_norm": "norm_k",
}

_SAME = (
    *("in_channels", "out_channels", "num_attention_heads", "attention_head_dim"),
    *("cross_attention_dim", "num_layers", "norm_eps", "activation_fn", "caption_channels"),
    *("audio_in_channels", "audio_out_channels", "audio_num_attention_heads"),
    *("audio_attention_head_dim", "audio_cross_attention_dim", "timestep_scale_multiplier"),
    *("use_prompt_adaln_single", "ff_bias", "audio_ff_bias", "rope_type"),
    "use_keyframes_abs_pos_embedding",
)
"""Settings of a transformer that diffusers calls as Lightricks does."""

SCALES = (".weight_scale", ".scale_weight")
"""Ends of the names of an fp8 weight's scale; the weight is stored divided by it."""

_RUNTIME_ONLY = (".input_scale", ".scale_input", "scaled_fp8", ".comfy_quant")
"""Ends of what fp8 files hold besides: it serves kernels that multiply in fp8."""

_DIRECTIONS = {"space": "spatial", "time": "temporal", "all": "spatiotemporal"}

_STEPS = {"spatial": (1, 2), "temporal": (2, 1), "spatiotemporal": (2, 2)}
"""By how much a block of that kind shrinks time and space."""


class UnknownLayoutError(ValueError):
    """What a file holds is not what is read here; the message says what, as a clause."""


def common_prefix(names: Iterable[str], prefixes: Sequence[str], mark: str) -> str | None:
    """The prefix under which a part lies: the first with which `mark` is there; None if nowhere."""
    known = set(names)
    return next((prefix for prefix in prefixes if prefix + mark in known), None)


def transformer_name(name: str) -> str | None:
    """Diffusers' name of a transformer's tensor, its prefix taken off; None if it is not needed."""
    words = name.split(".")
    spare = name.endswith((*SCALES, *_RUNTIME_ONLY)) or words[0] in CONNECTORS
    if spare or any(mark in name for mark in AUDIO_MARKS):
        return None
    return ".".join(_TRANSFORMER_WORDS.get(word, word) for word in words)


def vae_name(name: str, encoder_blocks: int) -> str | None:
    """Diffusers' name of a VAE's tensor, its prefix taken off; None if it is not needed.

    Args:
        name: Of the tensor.
        encoder_blocks: How many blocks the encoder has, as its config counts them.
    """
    words = ["resnets" if word == "res_blocks" else word for word in name.split(".")]
    match words:
        case ["per_channel_statistics", "mean-of-means"]:
            return "latents_mean"
        case ["per_channel_statistics", "std-of-means"]:
            return "latents_std"
        case ["per_channel_statistics", *_]:
            return None
        case ["encoder", "down_blocks", number, *rest] if number.isdecimal():
            block, resampler = divmod(int(number), 2)
            if int(number) == encoder_blocks - 1:
                place = ["mid_block"]
            else:
                place = ["down_blocks", str(block), *(["downsamplers", "0"] if resampler else [])]
            return ".".join(["encoder", *place, *rest])
        case ["decoder", "up_blocks", number, *rest] if number.isdecimal():
            block, resampler = divmod(int(number) - 1, 2)
            if int(number) == 0:
                place = ["mid_block"]
            else:
                place = ["up_blocks", str(block), *([] if resampler else ["upsamplers", "0"])]
            return ".".join(["decoder", *place, *rest])
        case _:
            return ".".join(words)


def read_config(metadata: Mapping[str, str], part: str) -> dict[str, Any]:
    """One part's table of the ``config`` in a file's metadata.

    Raises:
        UnknownLayoutError: There is none.
    """
    try:
        table = json.loads(metadata["config"])[part]
    except KeyError:
        raise UnknownLayoutError(
            f"lacks the config of its {part} in its metadata, as copies have that another program "
            "saved again; take the file as it was published"
        ) from None
    except (ValueError, TypeError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise UnknownLayoutError("has a damaged config in its metadata; download it again")
    return table


def transformer_config(said: Mapping[str, Any], ratios: tuple[int, int]) -> dict[str, Any]:
    """Diffusers' config of a transformer.

    Args:
        said: The checkpoint's own table.
        ratios: Frames and pixels that a latent of its VAE covers.
    """
    gated, modulated = (
        bool(said.get(name, False)) for name in ("apply_gated_attention", "cross_attention_adaln")
    )
    times, height, width = said.get("positional_embedding_max_pos", (20, 2048, 2048))
    return {
        "rope_type": "split",
        **{name: said[name] for name in _SAME if name in said},
        "gated_attn": gated,
        "audio_gated_attn": gated,
        "cross_attn_mod": modulated,
        "audio_cross_attn_mod": modulated,
        "perturbed_attn": True,
        "rope_theta": said.get("positional_embedding_theta", 10000.0),
        "rope_double_precision": said.get("frequencies_precision") == "float64",
        "pos_embed_max_pos": times,
        "base_height": height,
        "base_width": width,
        "vae_scale_factors": (ratios[0], ratios[1], ratios[1]),
        "use_prompt_embeddings": not said.get("caption_proj_before_connector", False),
    }


def vae_config(said: Mapping[str, Any]) -> dict[str, Any]:
    """Diffusers' config of a video VAE.

    ``spatial_padding_mode`` is the decoder's; a file that does not say it means ``reflect``.

    Raises:
        UnknownLayoutError: It is a VAE of another kind, such as LTX-2.5's diffusion decoder.
    """
    if said.get("_class_name", "CausalVideoAutoencoder") != "CausalVideoAutoencoder":
        raise UnknownLayoutError(
            f"holds a VAE of the kind {said['_class_name']}, which is not decoded here; give one "
            "of LTX-2.3"
        )
    channels = said.get("latent_channels", 128)
    if said.get("encoder_base_channels", channels) != channels:
        raise UnknownLayoutError(
            "has a VAE whose encoder begins wider than its latents, which diffusers cannot build; "
            "give one of LTX-2.3"
        )
    encoder = _blocks(said.get("encoder_blocks", ()), channels)
    decoder = _blocks(said.get("decoder_blocks", ()), said.get("decoder_base_channels", 128))
    shrinks = [_STEPS[way] for way in encoder["ways"]]
    patch = int(said.get("patch_size", 4))
    reflect = said.get("decoder_spatial_padding_mode", "reflect")
    return {
        "in_channels": said.get("in_channels", 3),
        "out_channels": said.get("out_channels", 3),
        "latent_channels": channels,
        "block_out_channels": encoder["widths"],
        "down_block_types": ["LTX2VideoDownBlock3D"] * len(encoder["ways"]),
        "layers_per_block": encoder["layers"],
        "spatio_temporal_scaling": [True] * len(encoder["ways"]),
        "downsample_type": encoder["ways"],
        "decoder_block_out_channels": decoder["widths"],
        "decoder_layers_per_block": decoder["layers"],
        "decoder_spatio_temporal_scaling": [True] * len(decoder["ways"]),
        "decoder_inject_noise": [False] * len(decoder["layers"]),
        "upsample_type": decoder["ways"][::-1],  # the one list that diffusers reads from the middle
        "upsample_residual": decoder["residual"],
        "upsample_factor": decoder["factors"],
        "timestep_conditioning": said.get("timestep_conditioning", True),
        "patch_size": patch,
        "patch_size_t": 1,
        "scaling_factor": said.get("scaling_factor", 1.0),
        "encoder_causal": True,
        "decoder_causal": said.get("causal_decoder", False),
        "encoder_spatial_padding_mode": said.get("encoder_spatial_padding_mode", "zeros"),
        "decoder_spatial_padding_mode": said.get("spatial_padding_mode", reflect),
        "temporal_compression_ratio": math.prod(time for time, _ in shrinks),
        "spatial_compression_ratio": patch * math.prod(space for _, space in shrinks),
    }


def upsampler_config(tensors: Mapping[str, TensorEntry]) -> dict[str, Any]:
    """Diffusers' config of a latent upsampler, read off its tensors.

    Raises:
        UnknownLayoutError: It does something else than double height and width.
    """
    first = tensors["initial_conv.weight"].shape
    rational = "upsampler.conv.weight" in tensors
    inner = tensors.get("upsampler.conv.weight") or tensors.get("upsampler.0.weight")
    times = inner.shape[0] // first[0] if inner is not None else 0
    if inner is None or len(inner.shape) != 4 or times != 4:
        raise UnknownLayoutError(
            f"is an upsampler of another factor than 2 in height and width; give {UPSAMPLER}"
        )
    blocks = {name.split(".")[1] for name in tensors if name.startswith("res_blocks.")}
    return {
        "in_channels": first[1],
        "mid_channels": first[0],
        "num_blocks_per_stage": len(blocks),
        "dims": len(first) - 2,
        "spatial_upsample": True,
        "temporal_upsample": False,
        "rational_spatial_scale": 2.0,
        "use_rational_resampler": rational,
    }


def _blocks(said: Sequence[Any], base: int) -> dict[str, list[Any]]:
    """Layers of the plain blocks, and ways, widths and factors of the resampling ones between."""
    found: dict[str, list[Any]] = {
        name: [] for name in ("layers", "ways", "widths", "factors", "residual")
    }
    width = base
    for place, (kind, settings) in enumerate(said):
        if place % 2 == 0 and kind == "res_x":
            found["layers"].append(settings["num_layers"])
            continue
        way = _DIRECTIONS.get(kind.removeprefix("compress_").removesuffix("_res"))
        if place % 2 == 0 or way is None or settings.get("inject_noise"):
            raise UnknownLayoutError(f"has a VAE block {kind!r} that is not known here")
        factor = settings.get("multiplier", 2)
        width *= factor
        found["ways"].append(way)
        found["widths"].append(width)
        found["factors"].append(factor)
        found["residual"].append(bool(settings.get("residual", False)))
    if len(found["layers"]) != len(found["ways"]) + 1:
        raise UnknownLayoutError("has a VAE whose blocks are not layers and resamplers in turn")
    return found
