"""Pickles, which are programs: wherever a file or a message is taken, none is run."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from tests.worker.caller import new_id
from tests.worker.faults.real import RealWorker, request
from tests.worker.faults.taker import Taker
from tests.worker.faults.workers import own_pair

from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.wire import MAGIC, pack


class Bomb:
    """Makes a file when it is read.

    Args:
        canary: The file, in the worker's root, where its runner may make files.
    """

    def __init__(self, canary: Path) -> None:
        self.canary = str(canary)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.canary,)


@pytest.fixture(scope="module")
def canary(real: RealWorker) -> Path:
    """What must not be there in the end, and is once somebody reads a bomb."""
    path = real.shots / "canary"
    read = "import pickle, sys; pickle.load(sys.stdin.buffer)"
    subprocess.run(
        [sys.executable, "-c", read], input=pickle.dumps(Bomb(path)), check=True, timeout=60
    )
    path.rmdir()
    return path


def write(path: Path, canary: Path) -> str:
    """A bomb by the name: what torch saves under ``.pt`` and ``.bin``, a bare pickle else."""
    if path.suffix in (".pt", ".bin"):
        torch.save({"lora_A.weight": Bomb(canary)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(canary)))
    return str(path)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.bin", "a.ckpt", "a.pkl"])
def test_lora(real: RealWorker, canary: Path, name: str) -> None:
    """Case 17: as a LoRA under every name that such files have."""
    path = write(real.new_folder("bomb") / name, canary)
    asked = msgspec.structs.replace(request(real.plate, real.new_folder("no")), lora=path)
    outcome = real.refused(asked, "E_INPUT", "is not a whole safetensors file")
    assert path in outcome.message
    real.still_renders()
    assert not canary.exists()


@pytest.mark.parametrize(
    "name",
    [
        "transformer/diffusion_pytorch_model.bin",
        "transformer/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "scene_embedding.safetensors",
        "hdr_lora.safetensors",
        "lumivid.toml",
        "transformer/config.json",
    ],
)
def test_model(real: RealWorker, canary: Path, tiny_model_folder: Path, name: str) -> None:
    """Case 17: in place of any file of a model."""
    folder = real.new_folder("bomb") / "model"
    shutil.copytree(tiny_model_folder, folder)
    path = folder / name
    if path.suffix == ".bin":  # diffusers takes such a file where there is no other
        path.with_suffix(".safetensors").unlink()
    write(path, canary)
    asked = msgspec.structs.replace(request(real.plate, real.new_folder("no")), model=str(folder))
    outcome = real.refused(asked, "E_INPUT", "download (it|the model) again|mend it")
    assert str(path.parent) in outcome.message
    real.still_renders()
    assert not canary.exists()


@pytest.mark.parametrize("name", ["a.1001.exr", "a.png", "a.tif", "a.mov", "a.pkl", "a.ocio"])
def test_plate_and_colours(real: RealWorker, canary: Path, name: str) -> None:
    """Case 17: as a plate, or as an OCIO config."""
    path = write(real.new_folder("bomb") / name, canary)
    asked = request(path, real.new_folder("no"))
    if name == "a.ocio":
        asked = msgspec.structs.replace(request(real.plate, real.new_folder("no")), ocio=path)
    outcome = real.refused(asked, "E_INPUT", "")
    assert path in outcome.message
    real.still_renders()
    assert not canary.exists()


def test_message(real: RealWorker, canary: Path) -> None:
    """Case 17: as a message, as a part beside one, as pixels."""
    bomb = pickle.dumps(Bomb(canary))
    with Taker(real.worker, own_pair(real.worker)) as taker:
        ping = m.Ping(id=new_id())
        for parts in (
            [bomb],
            [MAGIC, bomb],
            [bomb, bomb],
            [*pack(ping), bomb],
            [MAGIC, bomb, bomb],
        ):
            taker.send_raw(parts)
            assert taker.error().code in ("E_FRAMING", "E_SCHEMA")
        source = m.PixelSource(width=16, height=16, channels=3, first=1, count=1)
        settings = m.Settings(input_space="srgb", steps=1)
        asked = m.Request(source=source, deliver="pixels", settings=settings)
        job = taker.submit(asked).job
        taker.send(m.Put(job=job, frame=1, offset=0), bomb.ljust(source.frame_bytes, b"\0"))
        taker.follow(job)
        taker.done(job)  # pixels like any other
    real.still_renders()
    assert not canary.exists()
