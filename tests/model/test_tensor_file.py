"""Safetensors headers held against the file, before a byte of a tensor is read."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lumivid_fx.model.tensor_file import MAX_HEADER, TensorEntry, look, write

TENSORS = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}


def entry(start: int, stop: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    """What a header says of a tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def file_of(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    """A file of a header, honest or not."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + data)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    """Types, shapes and metadata are those that the library wrote."""
    path = tmp_path / "a.safetensors"
    save_file(TENSORS, path, {"config": "{}"})
    file = look(path)
    assert file.tensors == {
        "a.weight": TensorEntry("F32", (2, 3)),
        "b": TensorEntry("BF16", (4,)),
    }
    assert file.metadata == {"config": "{}"}
    assert file.size == path.stat().st_size
    assert all(torch.equal(tensor, TENSORS[name]) for name, tensor in file.read(["b", "a.weight"]))


@pytest.mark.parametrize(
    ("header", "data", "told"),
    [
        ([], b"", "no JSON table"),
        (b"\xff", b"", "no JSON table"),
        (b"[" * 500_000, b"", "no JSON table"),
        ({"__metadata__": {"a": 1}}, b"", "metadata is no table of text"),
        ({"a": 7}, b"", "describes 'a' in no known way"),
        ({"a": entry(0, 4, [1], "F5")}, bytes(4), "describes 'a' in no known way"),
        ({"a": entry(0, 4, [-1])}, bytes(4), "impossible shape"),
        ({"a": entry(0, 4, [1] * 9)}, bytes(4), "impossible shape"),
        ({"a": {**entry(0, 4, [1]), "shape": ["1"]}}, bytes(4), "impossible shape"),
        ({"a": entry(0, 4, [True])}, bytes(4), "impossible shape"),
        ({"a": entry(0, 4, [2**40, 2**40])}, bytes(4), "more or fewer bytes than its shape"),
        ({"a": entry(0, 8, [1])}, bytes(8), "more or fewer bytes than its shape"),
        ({"a": entry(4, 8, [1])}, bytes(8), "leave a gap, or overlap, at byte 4"),
        ({"a": entry(0, 4, [1]), "b": entry(0, 4, [1])}, bytes(4), "leave a gap, or overlap"),
        ({"a": entry(0, 4, [1])}, bytes(3), "tensors take 4 bytes and the file holds 3"),
        ({"a": entry(0, 4, [1])}, bytes(5), "tensors take 4 bytes and the file holds 5"),
        ({"a": entry(0, 2**62, [2**60])}, bytes(4), "tensors take"),
    ],
)
def test_headers_that_do_not_hold(tmp_path: Path, header: object, data: bytes, told: str) -> None:
    """Each lie of a header is told for what it is."""
    with pytest.raises(SafetensorError, match=told):
        look(file_of(tmp_path / "a.safetensors", header, data))


@pytest.mark.parametrize(
    ("length", "told"),
    [(3, "no JSON table"), (100, "shorter than its header says"), (MAX_HEADER + 1, "longer than")],
)
def test_claimed_lengths(tmp_path: Path, length: int, told: str) -> None:
    """A header's length is not believed beyond the file, nor beyond any model's."""
    with pytest.raises(SafetensorError, match=told):
        look(file_of(tmp_path / "a.safetensors", {"a": 1}, length=length))


@given(st.binary(max_size=300))
def test_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No bytes are looked at with another error than the library's own."""
    path = tmp_path_factory.mktemp("any") / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(SafetensorError):
        look(path)


def test_written_tensor_by_tensor(tmp_path: Path) -> None:
    """What is written is what the library reads, aligned, with its metadata."""
    path = tmp_path / "a.safetensors"
    entries = {"b": TensorEntry("BF16", (4,)), "a.weight": TensorEntry("F32", (2, 3))}
    told: list[int] = []
    write(path, entries, ((name, TENSORS[name]) for name in entries), {"key": "k"}, told.append)
    assert told == [8, 32]
    loaded = load_file(path)
    assert loaded.keys() == TENSORS.keys()
    assert all(torch.equal(loaded[name], TENSORS[name]) for name in TENSORS)
    assert look(path).metadata == {"key": "k"}
    assert struct.unpack("<Q", path.read_bytes()[:8])[0] % 8 == 0


@pytest.mark.parametrize(
    "tensors",
    [
        [("a", torch.ones(3))],
        [("a", torch.ones(2, dtype=torch.float16))],
        [("b", torch.ones(2))],
        [],
    ],
    ids=["shape", "type", "name", "none"],
)
def test_other_tensors_than_promised(tmp_path: Path, tensors: list[tuple[str, Tensor]]) -> None:
    """A header that was written is kept to."""
    with pytest.raises(ValueError, match=r"not a TensorEntry|argument"):
        write(tmp_path / "a", {"a": TensorEntry("F32", (2,))}, tensors, {})
