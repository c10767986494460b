"""LoRAs and models that do not fit, or claim absurd things: told, and the next job is as ever."""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import save_file
from tests.model.model_folders import replace_json, replace_tensors
from tests.tiny_model import RANK, WIDTH, tiny_lora
from tests.worker.faults.real import RealWorker, content, request

AT_ONCE_S = 5.0
"""For what must not be read at all; each takes some tenths of a second."""

MODULE = "diffusion_model.transformer_blocks.0.attn1.to_q"

Make = Callable[[Path], object]


def saved(**tensors: torch.Tensor) -> Make:
    """The tiny LoRA, with these parts of one module in place of its own."""
    changed = {f"{MODULE}.{name}.weight": tensor for name, tensor in tensors.items()}
    return lambda path: save_file({**tiny_lora(), **changed}, path)


def renamed(old: str, new: str) -> Make:
    """The tiny LoRA under other names."""
    tensors = {name.replace(old, new): tensor for name, tensor in tiny_lora().items()}
    return lambda path: save_file(tensors, path)


def told(**metadata: str) -> Make:
    """The tiny LoRA with other metadata."""
    return lambda path: save_file(tiny_lora(), path, metadata)


def claims(header: bytes, length: int | None = None, data: bytes = b"") -> Make:
    """A header of its own or a claimed length, and what follows it."""
    size = struct.pack("<Q", len(header) if length is None else length)
    return lambda path: path.write_bytes(size + header + data)


def tensor(*offsets: int, shape: tuple[int, ...] = (4, 64)) -> dict[str, object]:
    """One entry of a header."""
    return {"dtype": "F32", "shape": shape, "data_offsets": offsets}


def long_header(path: Path) -> None:
    """A header of 200 MB that takes no room on disk."""
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 200 << 20) + b"{")
        file.truncate(8 + (200 << 20))


def many(path: Path) -> None:
    """800,000 tensors of nothing."""
    header = ",".join(
        f'"{n}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for n in range(800_000)
    )
    claims(f"{{{header}}}".encode())(path)


def twice(path: Path) -> None:
    """Every tensor of the tiny LoRA is named twice."""
    save_file(tiny_lora(), path)
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = whole[8 : 8 + length].rstrip()
    claims(header[:-1] + b"," + header[1:], data=whole[8 + length :])(path)


NAN = torch.full((WIDTH, RANK), torch.nan)
WHOLE = "is not a whole safetensors file"
FIT = "does not fit this model: transformer_blocks.0.attn1.to_q is of another size"

LORAS: dict[str, tuple[Make, str]] = {
    "wrong width": (saved(lora_A=torch.zeros(RANK, 2 * WIDTH)), FIT),
    "wrong height": (saved(lora_B=torch.zeros(2 * WIDTH, RANK)), FIT),
    "two ranks": (saved(lora_A=torch.zeros(RANK + 1, WIDTH)), FIT),
    "vectors": (saved(lora_A=torch.zeros(RANK), lora_B=torch.zeros(RANK)), "is not an LTX LoRA"),
    "NaN": (saved(lora_B=NAN), "holds values that are no numbers"),
    "infinity": (saved(lora_B=NAN.nan_to_num(torch.inf)), "holds values that are no numbers"),
    "overflow": (
        saved(lora_B=NAN.nan_to_num(3e38), lora_A=torch.full((RANK, WIDTH), 3e38)),
        "no numbers",
    ),
    "another model": (renamed("transformer_blocks", "double_blocks"), "is missing"),
    "kohya": (renamed(".lora_A.", ".lora_down."), "is not an LTX LoRA"),
    "deeper model": (renamed("blocks.1.", "blocks.47."), "blocks.47.attn1.* is missing"),
    "another curve": (told(hdr_transform="acescct"), "speaks acescct_ap1 but the model tiny"),
    "unknown curve": (told(hdr_transform="a\nb\x1b[2J"), "which is not known here"),
    "damaged metadata": (told(lora_adapter_metadata="{"), "has damaged metadata"),
    "huge alpha": (told(lora_adapter_metadata='{"lora_alpha": 1e400}'), "no numbers|damaged"),
    "empty": (lambda path: path.touch(), WHOLE),
    "folder": (lambda path: path.mkdir(), WHOLE),
    "2^63": (claims(b"{}", length=2**63), WHOLE),
    "2^64": (claims(b"{}", length=2**64 - 1), WHOLE),
    "long header": (long_header, "its header is longer than that of any model"),
    "nested": (claims(b'{"a":' * 50_000 + b"1" + b"}" * 50_000), WHOLE),
    "absurd tensor": (
        claims(json.dumps({"a": tensor(0, 2**62, shape=(2**40, 2**40))}).encode()),
        WHOLE,
    ),
    "overlap": (
        claims(
            json.dumps({"a": tensor(0, 1024), "b": tensor(512, 1536)}).encode(), data=bytes(1536)
        ),
        WHOLE,
    ),
    "hole": (
        claims(json.dumps({"a": tensor(512, 1536)}).encode(), data=bytes(1536)),
        WHOLE,
    ),
    "many": (many, "its header is longer than that of any model"),
}


@pytest.mark.parametrize("part", range(4))
def test_bad_lora(real: RealWorker, part: int) -> None:
    """Case 24: refused quickly by its file; the base model gives the same bits as before."""
    for make, words in [*LORAS.values()][part::4]:  # each costs the model that is held
        path = real.new_folder("lora") / "bad.safetensors"
        make(path)
        asked = msgspec.structs.replace(request(real.plate, real.new_folder("no")), lora=str(path))
        began = time.monotonic()
        outcome = real.refused(asked, "E_INPUT", words)
        assert time.monotonic() - began < AT_ONCE_S
        assert str(path) in outcome.message
    real.still_renders()


def test_lora_of_double_names(real: RealWorker) -> None:
    """Case 24: one that names each tensor twice, both alike, is no other than the first."""
    folder = real.new_folder("lora")
    save_file(tiny_lora(), folder / "once.safetensors")
    twice(folder / "twice.safetensors")
    found = []
    for name in ("once", "twice"):
        out = real.new_folder("out")
        lora = str(folder / f"{name}.safetensors")
        outcome = real.run(msgspec.structs.replace(request(real.plate, out), lora=lora))
        assert outcome.code == "", outcome.message
        found.append(len(content(out)))
    assert found == [9, 9]
    real.still_renders()


def test_strength_that_is_no_number(real: RealWorker) -> None:
    """Case 24: refused as a message, before there is a job."""
    for strength in (float("nan"), float("inf"), -1.0, 3.0):
        asked = request(real.plate, real.new_folder("no"))
        outcome = real.run(msgspec.structs.replace(asked, lora_strength=strength))
        assert (outcome.code, outcome.done) == ("E_SCHEMA", None)
    real.still_renders()


MODELS: dict[str, tuple[Make, str]] = {
    "no manifest": (lambda model: (model / "lumivid.toml").unlink(), "is not a model folder"),
    "no weights": (
        lambda model: (model / "vae/diffusion_pytorch_model.safetensors").unlink(),
        "holds no safetensors weights",
    ),
    "wrong class": (
        lambda model: replace_json(model / "transformer/config.json", num_layers=3),
        "weights do not match config.json",
    ),
    "no numbers": (
        lambda model: replace_tensors(
            model / "scene_embedding.safetensors",
            {"video_context": torch.full((6, WIDTH), torch.nan)},
        ),
        "no numbers",
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_bad_model(real: RealWorker, tiny_model_folder: Path, kind: str) -> None:
    """Case 24: a folder that is none, or whose parts do not fit."""
    make, words = MODELS[kind]
    folder = real.new_folder("model") / "bad"
    shutil.copytree(tiny_model_folder, folder)
    make(folder)
    asked = msgspec.structs.replace(request(real.plate, real.new_folder("no")), model=str(folder))
    real.refused(asked, "E_RENDER" if kind == "no numbers" else "E_INPUT", words)
    real.still_renders()
