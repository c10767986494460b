"""JOD and LPIPS by way of their own environment, where there is one, and without it."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lumivid_fx.errors import RenderError
from lumivid_fx.evaluation.perceptual import BACKBONE, Perceptual, environment_folder

needs_environment = pytest.mark.skipif(
    not (environment_folder() / "bin" / "python").exists(),
    reason="scripts/metrics_env.sh makes the environment of JOD and LPIPS",
)


def ramp() -> np.ndarray:
    """A picture with edges, ten stops deep."""
    across = 2.0 ** np.linspace(-5, 5, 96)
    light = across[None, :, None] * np.where(np.arange(64) % 16 < 8, 1, 0.5)[:, None, None]
    picture: np.ndarray = np.repeat(light, 3, axis=2).astype(np.float32)
    return picture


def noisy(light: np.ndarray) -> np.ndarray:
    """The picture with a fifth of noise."""
    noise = np.random.default_rng(0).normal(0, 0.2, light.shape)
    picture: np.ndarray = (light * (1 + noise).clip(0.05)).astype(np.float32)
    return picture


def jod(perceptual: Perceptual, result: np.ndarray, truth: np.ndarray) -> float:
    """JOD of a still ``h w 3`` or of a clip ``f h w 3``."""
    with perceptual.recording() as recording:
        stills = result.ndim == 3
        pairs = [(result, truth)] if stills else zip(result, truth, strict=True)
        for ours, theirs in pairs:
            recording.add(ours, theirs)
        return recording.jod(None if stills else 24)


def test_without_its_environment_there_is_no_figure(tmp_path: Path) -> None:
    """Nothing is made up: both are NaN, and a sentence says how to get them."""
    with Perceptual(tmp_path) as perceptual:
        assert math.isnan(jod(perceptual, noisy(ramp()), ramp()))
        assert math.isnan(perceptual.lpips(noisy(ramp()), ramp()))
        assert "scripts/metrics_env.sh" in perceptual.missing["jod"]
        assert "scripts/metrics_env.sh" in perceptual.missing["lpips"]


def test_a_broken_environment_is_told(tmp_path: Path) -> None:
    """A Python without the packages is no environment: one sentence with what it said."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    with pytest.raises(RenderError, match="make it again with scripts/metrics_env"):
        Perceptual(tmp_path).__enter__()


@pytest.fixture
def without_backbone(tmp_path: Path) -> Path:
    """The environment as the script makes it, whether or not somebody put the weights there."""
    folder = tmp_path / "env"
    folder.mkdir()
    for part in environment_folder().iterdir():
        if part.name != Path(BACKBONE).parts[0]:
            (folder / part.name).symlink_to(part)
    return folder


STILL_JOD, CLIP_JOD = 9.487711, 9.146947


@needs_environment
def test_jod_is_that_of_the_package_itself(without_backbone: Path) -> None:
    """Equal is 10; a noisy still and clip are what the package gives when called by itself.

    Produced by cvvdp 0.5.7: ``cvvdp("standard_hdr_linear").predict(100 * noisy, 100 * ramp)`` with
    `dim_order` "HWC", and "FHWC" of five such frames at 24 frames a second. LPIPS has no weights
    here, and gives no figure.
    """
    truth, result = ramp(), noisy(ramp())
    with Perceptual(without_backbone) as perceptual:
        assert "Lpeak=1500" in perceptual.about
        assert jod(perceptual, truth, truth) == 10
        # 1e-3: float32 sums differ in order from processor to processor.
        assert jod(perceptual, result, truth) == pytest.approx(STILL_JOD, abs=1e-3)
        clip = [np.stack([x] * 5) for x in (result, truth)]
        assert jod(perceptual, *clip) == pytest.approx(CLIP_JOD, abs=1e-3)
        assert math.isnan(perceptual.lpips(result, truth))
        assert "alexnet.safetensors" in perceptual.missing["lpips"]


@needs_environment
def test_lpips_takes_its_backbone_from_a_file(without_backbone: Path) -> None:
    """With the weights there equal pictures are 0 and others are not, whichever comes first.

    The weights here are random: that they arrive is what is tested, and no figure of them is told.
    """
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3)}
    shapes |= {8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    generator = torch.Generator().manual_seed(0)
    weights = {
        f"features.{i}.weight": 0.05 * torch.randn(shape, generator=generator)
        for i, shape in shapes.items()
    } | {f"features.{i}.bias": torch.zeros(shape[0]) for i, shape in shapes.items()}
    (without_backbone / BACKBONE).parent.mkdir()
    save_file(weights, without_backbone / BACKBONE)
    with Perceptual(without_backbone) as perceptual:
        assert perceptual.missing["lpips"] == ""
        assert perceptual.lpips(ramp(), ramp()) == 0
        forth = perceptual.lpips(noisy(ramp()), ramp())
        assert 0 < forth == pytest.approx(perceptual.lpips(ramp(), noisy(ramp())), rel=1e-5)


def test_the_far_side_imports_nothing_of_ours() -> None:
    """The other environment has not this package, and the near side loads none of its libraries."""
    near = "import sys, lumivid_fx.evaluation.perceptual; print('torchvision' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", near], capture_output=True, text=True, check=True
    ).stdout
    assert told.strip() == "False"
    far = Path(__file__).parents[2] / "src/lumivid_fx/evaluation/perceptual_process.py"
    assert "lumivid_fx" not in far.read_text("utf-8")
