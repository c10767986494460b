"""A real compositor end to end: Blender's graph, our client in its Python, worker and model.

Blender is no dependency of ours: ``scripts/blender.sh`` makes the environment, and without it the
test is skipped. ``LUMIVID_BLENDER`` names a Python with bpy that lies elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.worker.running import ROOT, running_worker

PYTHON = os.environ.get("LUMIVID_BLENDER", str(ROOT / ".venv-blender" / "bin" / "python"))
GRAPH = Path(__file__).with_name("blender_graph.py")
FRAMES = list(range(1001, 1010))

HALF = 2.0**-11
"""Half of the last of a half float's 11 bits: what rounding to it may change, relatively."""


def blender() -> str:
    """A Python that can import bpy and the client; skips where there is none."""
    if not Path(PYTHON).exists():
        pytest.skip(f"no Blender: {PYTHON} is not there; scripts/blender.sh makes it (350 MB)")
    done = subprocess.run(
        [PYTHON, "-c", "import bpy, numpy, lumivid_fx.client"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        pytest.skip(f"no Blender: {PYTHON} cannot import it: {said}")
    return PYTHON


def test_compositor_to_worker_and_back(tmp_path: Path) -> None:
    """Frames keep their numbers and alpha, light keeps what is above 1 and below 0, both ways.

    The plate is rendered twice: as scene-linear light, which holds all there is and must come back
    bit for bit, and as code values of sRGB, which the model opens.
    """
    python = blender()
    with running_worker(tmp_path / "home", roots=[tmp_path / "shot"]) as worker:
        done = subprocess.run(
            [python, str(GRAPH), str(tmp_path / "shot"), worker.environ["LUMIVID_HOME"]],
            capture_output=True, text=True, check=False, timeout=550,
        )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("MEASURED ")]
    assert lines, done.stderr
    found = json.loads(lines[0].removeprefix("MEASURED "))
    assert found["states"] == ["done", "done"]
    assert found["frames"] == [len(FRAMES)] * 2
    for leg in ("plate", "result", "opened", "final"):
        assert found[leg]["numbers"] == FRAMES, leg
        assert found[leg]["alpha"] == 0.0, leg
    # Blender rounds to half once on the way out; halving is exact, and so is its way back.
    assert found["plate"]["relative"] <= HALF
    assert found["result"]["relative"] == found["final"]["relative"] == 0.0
    assert (found["plate"]["low"], found["plate"]["high"]) == (-0.125, 24.0)
    assert (found["final"]["low"], found["final"]["high"]) == (-0.0625, 12.0)
    # What was clipped at display white has become light above it: the model was there.
    assert found["opened"]["high"] > 1.2
    assert found["opened"]["above_one"] > 0.1
