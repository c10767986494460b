"""Memory that runs out while windows are rendered: less is tried, and told, and then it is enough.

The pictures have several latents an edge, so that there are smaller tiles to fall back to.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.pipeline.plates import write_png
from tests.tiny_model import quick_vae, write_tiny_model
from tests.worker.faults.real import content, real_worker, request

from lumivid_fx.protocol import messages as m

FRAMES = range(1001, 1010)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pixels a latent."""
    return write_tiny_model(tmp_path_factory.mktemp("model"), stages=1, vae=quick_vae())


def test_ladder_and_its_end(tmp_path: Path, model: Path) -> None:
    """Case 6: the same again, then in tiles as somebody who asks for tiles has them, then E_OOM.

    The first two windows find no memory, and after the first two jobs none does: three jobs of
    which the first falls two rungs, the second needs not to, and the third falls to the end.
    """
    with real_worker(tmp_path, model, fault="oom:1-2,5-99", good=False) as real:
        plate = write_png(real.shots / "wide", FRAMES, size=(24, 96))
        fell = real.run(request(plate, tmp_path / "shots" / "fell"))
        assert fell.code == "", fell.message
        assert fell.done is not None
        assert len(fell.done.notes) == 2
        assert "changes nothing" in fell.done.notes[0]
        assert "rendered in tiles of 9 latents" in fell.done.notes[1]
        asked = request(plate, tmp_path / "shots" / "asked")
        tiled = real.run(msgspec.structs.replace(asked, settings=m.Settings(steps=1, tile=9)))
        assert tiled.code == "", tiled.message
        assert tiled.done is not None
        assert not tiled.done.notes
        assert content(tmp_path / "shots" / "fell") == content(tmp_path / "shots" / "asked")
        told = "even 25 frames at a time in tiles of 9 latents; give a smaller model size"
        lost = real.refused(request(plate, tmp_path / "shots" / "lost"), "E_OOM", told)
        assert lost.done is not None
        assert lost.done.notes[:2] == fell.done.notes
        assert len(real.worker.runners) == 1


def test_another_error_of_the_device(tmp_path: Path, model: Path) -> None:
    """Case 6: what broke the process nobody knows, so that another renders the next job."""
    with real_worker(tmp_path, model, fault="error:1", once=True, good=False) as real:
        before = real.worker.runners
        told = r"something unexpected stopped the render \(RuntimeError: an illegal memory access"
        outcome = real.refused(request(real.plate, real.new_folder("no")), "E_INTERNAL", told)
        assert "see the worker's log" in outcome.message
        assert real.run(request(real.plate, real.new_folder("out"))).code == ""
        assert real.worker.runners not in ([], before)
        assert real.worker.logged("was no longer to be trusted")
