"""A plan is refused where a render would be, before a GPU has done anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.plates import write_png

from lumivid_fx.errors import InputError
from lumivid_fx.farm.stitching import stitch
from lumivid_fx.model.checkpoint import HdrModel

from .shots import on_a_farm, planned


@pytest.fixture
def plate(tmp_path: Path) -> str:
    """Nine frames."""
    return write_png(tmp_path / "in", range(1001, 1010))


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"frames": "900-1003"}, "ask for frames inside"),
        ({"settings": {"output_space": "srgb"}}, "is not scene-linear"),
        ({"settings": {"window": 10}}, "window is 10 frames"),
        ({"settings": {"schedule": "8+3", "steps": None}}, "2 sigma schedules"),
        ({"mask": "/none/matte.png"}, "matte.png"),
        ({"ocio": "/none/config.ocio"}, "config.ocio"),
        ({"lora": "/none/lora.safetensors"}, "lora.safetensors"),
    ],
)
def test_what_a_render_refuses(
    tmp_path: Path, plate: str, model_folder: Path, chosen: dict[str, Any], told: str
) -> None:
    """Ranges, spaces, windows, schedules, files: one sentence."""
    with pytest.raises(InputError, match=told):
        planned(plate, tmp_path, model_folder, **chosen)


def test_frames_of_another_render_are_not_lost(
    tmp_path: Path, plate: str, model_folder: Path, model: HdrModel
) -> None:
    """The same plan keeps them; another stitches its windows when it is told to replace them."""
    on_a_farm(planned(plate, tmp_path, model_folder), model)
    assert stitch(planned(plate, tmp_path, model_folder)).kept == 9
    brighter = planned(plate, tmp_path, model_folder, settings={"exposure": 1.0})
    with pytest.raises(InputError, match=r"\(frame 1001\) was made with other settings"):
        stitch(brighter)
    assert stitch(brighter, overwrite=True).rendered == 9


def test_a_plate_is_not_written_over(tmp_path: Path, plate: str, model_folder: Path) -> None:
    """Files that no render of ours made stay."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "hdr.1004.exr").write_bytes(b"somebody's")
    with pytest.raises(InputError, match="was not made by lumivid"):
        planned(plate, tmp_path, model_folder)
