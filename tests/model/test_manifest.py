"""The manifest of a model folder: what it may say, and what is said when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.errors import InputError
from lumivid_fx.model.manifest import Manifest, check_sigmas, read_manifest

WHOLE = {
    "name": '"a model"',
    "transfer": '"logc3_rec709"',
    "sigmas": "[[1, 0.5, 0.0], [0.9, 0.0]]",
    "native_size": "512",
    "window_frames": "25",
    "overlap_frames": "9",
    "grain_px": "8",
    "grain_frames": "9",
    "highlight_rise": "0.5",
    "highlight_least": "0.25",
    "prompt_embedding": '"scene.safetensors"',
    "lora": '"hdr.safetensors"',
}

OPTIONAL = {
    "native_size",
    "grain_px",
    "grain_frames",
    "highlight_rise",
    "highlight_least",
    "lora",
    "transfer",
}

NEEDED = WHOLE.keys() - OPTIONAL


def write(folder: Path, **changes: str | None) -> Path:
    """Write a manifest with entries changed, or left out."""
    entries = {**WHOLE, **changes}
    lines = [f"{name} = {value}" for name, value in entries.items() if value is not None]
    (folder / "lumivid.toml").write_text("\n".join(lines), "utf-8")
    return folder


def test_whole_manifest(tmp_path: Path) -> None:
    """Every entry is read as what it is."""
    assert read_manifest(write(tmp_path)) == Manifest(
        name="a model",
        transfer="logc3_rec709",
        sigmas=((1.0, 0.5, 0.0), (0.9, 0.0)),
        native_size=512,
        window_frames=25,
        overlap_frames=9,
        grain_px=8,
        grain_frames=9,
        highlight_rise=0.5,
        highlight_least=0.25,
        prompt_embedding="scene.safetensors",
        lora="hdr.safetensors",
    )


def test_entries_that_may_be_left_out(tmp_path: Path) -> None:
    """Without a native size or a LoRA the model has none, and its highlights are not smoothed.

    Without a curve, the LoRA says it.
    """
    manifest = read_manifest(write(tmp_path, **dict.fromkeys(OPTIONAL)))
    assert manifest.transfer is None
    assert manifest.native_size is None
    assert manifest.grain_px == manifest.grain_frames == 1
    assert manifest.highlight_rise == manifest.highlight_least == 0
    assert manifest.lora is None


def test_no_manifest(tmp_path: Path) -> None:
    """A folder without one is told to be no model."""
    with pytest.raises(InputError, match=r"is not a model folder: it has no lumivid\.toml"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"sigmas = [", b"name = \xff\xfe", b"\x00\x01", b"name"])
def test_damaged_manifest(tmp_path: Path, content: bytes) -> None:
    """What is no TOML is told with the file, in one sentence."""
    (tmp_path / "lumivid.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"lumivid\.toml is not valid TOML") as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in sorted(NEEDED)),
        ("sigmas", "3"),
        ("sigmas", "[1.0, 0.0]"),
        ("sigmas", '[["high", 0.0]]'),
        ("window_frames", '"many"'),
        ("overlap_frames", "[9]"),
        ("native_size", "{}"),
        ("grain_px", '"fine"'),
        ("grain_frames", '"few"'),
        ("highlight_rise", '"high"'),
        ("highlight_least", '"some"'),
    ],
)
def test_wrong_entry(tmp_path: Path, name: str, value: str | None) -> None:
    """An entry that is missing, or of another kind, is told with the file."""
    with pytest.raises(InputError, match=r"lumivid\.toml lacks or misstates") as caught:
        read_manifest(write(tmp_path, **{name: value}))
    assert value is not None or name in str(caught.value)


@pytest.mark.parametrize(
    "stage",
    [
        *("1.0", "0.0", "", "1.0, 0.5", "0.5, 1.0, 0.0", "1.0, 0.5, 0.5, 0.0", "1.0, -0.1, 0.0"),
        *("1.5, 0.0", "nan, 0.0", "1.0, nan, 0.0", "inf, 0.0", "1.0, 0.0, 0.0"),
    ],
)
def test_sigmas_that_do_not_fall(tmp_path: Path, stage: str) -> None:
    """A schedule that is no walk from noise to picture is refused, NaN included."""
    with pytest.raises(InputError, match=r"lumivid\.toml: sigmas .* must fall strictly"):
        read_manifest(write(tmp_path, sigmas=f"[[1.0, 0.0], [{stage}]]"))


@given(st.sets(st.floats(0, 1, exclude_min=True), min_size=1, max_size=12))
def test_any_falling_schedule_is_taken(levels: set[float]) -> None:
    """From any level up to 1, by any steps, down to 0."""
    check_sigmas([[*sorted(levels, reverse=True), 0.0]], "here")
