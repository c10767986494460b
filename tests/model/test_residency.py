"""Weights that wait elsewhere: the same bits, whatever way they came."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import LTX2VideoTransformer3DModel
from safetensors.torch import load_file, save_file
from tests.tiny_model import CHANNELS, WIDTH, randomise, tiny_transformer
from torch import Tensor, nn

from lumivid_fx.model.block_slots import FP8_MAX, to_fp8
from lumivid_fx.model.residency import WAYS, BorrowedBlocks, Visit, Way, is_large_matrix
from lumivid_fx.model.video_only import predict_velocity, strip_audio

LAYERS = 5
CPU = torch.device("cpu")
MATRICES = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")


@pytest.fixture(scope="module")
def deep() -> Any:
    """A video transformer of five blocks, all of them different."""
    config = {**tiny_transformer().config, "num_layers": LAYERS}
    transformer = LTX2VideoTransformer3DModel.from_config(config)
    randomise(transformer, 0.1)
    return strip_audio(transformer).eval().requires_grad_(requires_grad=False)


@torch.inference_mode()
def velocity(transformer: Any, blocks: Any = None, *, compiled: bool = False) -> Tensor:
    """A pass over fixed tokens."""
    generator = torch.Generator().manual_seed(1)
    groups = [torch.randn(1, 12, CHANNELS, generator=generator) for _ in range(2)]
    context = torch.randn(1, 6, WIDTH, generator=generator)
    at = transformer.rope.prepare_video_coords(1, 1, 3, 4, "cpu", fps=24.0).repeat(1, 1, 2, 1)
    levels = [torch.tensor([0.7]), torch.tensor([0.0])]
    (target,) = predict_velocity(
        transformer, groups, levels, at, context, blocks=blocks, compiled=compiled
    )
    return target


@pytest.mark.parametrize("kept", [0, 1, 3, LAYERS])
@pytest.mark.parametrize("name", ["offload", "stream"])
def test_weights_that_wait_elsewhere_are_the_same_bits(deep: Any, name: Any, kept: int) -> None:
    """Three passes in a row equal the resident one, with some of the blocks kept or none."""
    moved = copy.deepcopy(deep)
    blocks = BorrowedBlocks(moved.transformer_blocks, CPU, Way(name, kept))
    wanted = velocity(deep)
    for _ in range(3):
        assert torch.equal(velocity(moved, blocks), wanted)
    assert bool(blocks.waiting_bytes) == (name == "offload" and kept < LAYERS)
    held = sum(p.numel() for p in moved.transformer_blocks.parameters())
    assert held == kept * sum(p.numel() for p in deep.transformer_blocks[0].parameters())


@pytest.mark.filterwarnings("ignore:`torch.jit")  # torch's compiler uses what torch deprecates
def test_compiled_blocks_take_turns_too(deep: Any) -> None:
    """Whatever compiles is left out here, for it takes minutes; the way there and back is not."""
    moved = copy.deepcopy(deep)
    blocks = BorrowedBlocks(moved.transformer_blocks, CPU, Way("offload", 1))
    with torch.compiler.set_stance("force_eager"):
        assert torch.equal(velocity(moved, blocks, compiled=True), velocity(deep))


def test_streamed_weights_are_read_from_the_mapped_file(deep: Any, tmp_path: Path) -> None:
    """What is mapped is what works: a file's tensors, taken over as they were assigned."""
    path = tmp_path / "weights.safetensors"
    save_file(deep.state_dict(), path)
    moved = copy.deepcopy(deep)
    moved.load_state_dict(load_file(path), assign=True)
    moved.requires_grad_(requires_grad=False)
    blocks = BorrowedBlocks(moved.transformer_blocks, CPU, Way("stream"))
    assert torch.equal(velocity(moved, blocks), velocity(deep))


def test_fp8_is_a_plain_chain_with_rounded_weights(deep: Any) -> None:
    """The same as if somebody had rounded the large matrices and kept them in full."""
    rounded = copy.deepcopy(deep)
    for name, weight in rounded.transformer_blocks.named_parameters():
        if any(name.endswith(f"{matrix}.weight") for matrix in MATRICES):
            power = torch.exp2(torch.ceil(torch.log2(weight.abs().max() / FP8_MAX)))
            weight.copy_((weight / power).to(torch.float8_e4m3fn).float() * power)
    moved = copy.deepcopy(deep)
    blocks = BorrowedBlocks(moved.transformer_blocks, CPU, Way("fp8"))
    ours = velocity(moved, blocks)
    assert torch.equal(ours, velocity(rounded))
    assert not torch.equal(ours, velocity(deep))


def test_large_matrices_are_nearly_all_of_a_block(deep: Any) -> None:
    """Gates, norms, biases and tables of modulation stay as they are."""
    block = deep.transformer_blocks[0]
    large = [name for name, _ in block.named_parameters() if is_large_matrix(name)]
    assert sorted(large) == sorted(
        f"{part}.weight"
        for part in (
            *(f"{a}.{m}" for a in ("attn1", "attn2") for m in MATRICES[:4]),
            *MATRICES[4:],
        )
    )


@pytest.mark.parametrize("size", [1e-30, 3e-4, 1.0, 447.0, 448.0, 449.0, 1e30])
def test_fp8_keeps_its_precision_at_any_size(size: float) -> None:
    """Half of the last of three bits and the leading one, whatever the weights' size is."""
    weight = torch.linspace(0.05, 1, 400) * size
    rounded, scale = to_fp8(weight)
    assert torch.isfinite(rounded.float()).all()
    error = (rounded.float() * scale - weight).abs() / weight
    assert float(error.max()) <= 2**-4
    assert torch.equal(to_fp8(torch.zeros(3))[0].float(), torch.zeros(3))


@pytest.mark.parametrize(("kept", "layers"), [(0, 5), (1, 5), (2, 5), (3, 8), (47, 48), (48, 48)])
def test_kept_blocks_are_spread(kept: int, layers: int) -> None:
    """As many as were said, and as evenly as passes that follow each other allow."""
    kinds = [Way("offload", kept).keeps(i, layers) for i in range(layers)]
    assert sum(kinds) == kept
    runs = "".join("k" if k else "." for k in kinds).split("k")
    assert kept == 0 or max(map(len, runs)) == -(-layers // kept) - 1
    assert all(Way("resident").keeps(i, layers) for i in range(layers))


def test_a_pass_that_breaks_off_leaves_the_next_one_whole(deep: Any) -> None:
    """A cancel between two blocks takes back what was lent."""
    moved = copy.deepcopy(deep)
    for name in WAYS[1:]:
        blocks = BorrowedBlocks(copy.deepcopy(moved).transformer_blocks, CPU, Way(name))
        started: Iterator[nn.Module] = iter(blocks)
        first = next(started)
        assert next(first.parameters()).numel()
        del started
        assert not next(first.parameters()).numel()
        assert len(list(blocks)) == LAYERS


def test_blocks_that_differ_are_refused(deep: Any) -> None:
    """A slot has room for one layout."""
    odd = copy.deepcopy(deep)
    odd.transformer_blocks[2].attn1.to_q = nn.Linear(WIDTH, 2 * WIDTH)
    with pytest.raises(ValueError, match="not alike"):
        BorrowedBlocks(odd.transformer_blocks, CPU, Way("offload"))


def test_a_visit_leaves_a_part_as_it_was() -> None:
    """Its weights are there while it works, and its own again after an error too."""
    part: Any = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    part.requires_grad_(requires_grad=False)
    visit, weight = Visit(part, CPU), part[0].weight.data_ptr()
    wanted = part(torch.ones(2, 3))
    with torch.inference_mode(), visit.there():
        assert torch.equal(part(torch.ones(2, 3)), wanted)
    with pytest.raises(RuntimeError), visit.there():
        raise RuntimeError
    assert part[0].weight.data_ptr() == weight
