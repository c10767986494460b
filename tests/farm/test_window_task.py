"""One window: rendered once, kept, left out of nothing that was cut short."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from tests.pipeline.plates import write_png

from lumivid_fx.errors import CancelledError, InputError, OutOfMemoryError
from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.farm.planned_model import load_planned
from lumivid_fx.farm.window_file import is_whole, read_window
from lumivid_fx.farm.window_task import render_window
from lumivid_fx.model.checkpoint import HdrModel
from lumivid_fx.pipeline.fitting import Fitted
from lumivid_fx.protocol.messages import PathSource

from .shots import fitted, planned, rendered


@pytest.fixture
def plan(tmp_path: Path, model_folder: Path) -> Plan:
    """Two windows of nine frames, one frame shared."""
    source = write_png(tmp_path / "in", range(1, 18))
    return planned(source, tmp_path, model_folder, settings={"window": 9, "overlap": 1})


def not_loaded() -> Fitted:
    """Stands where nothing may need the model."""
    raise AssertionError("the model was loaded")


def test_asked_again_it_is_kept(plan: Plan, model: HdrModel) -> None:
    """A whole window costs no model; the file is not touched."""
    (done,) = rendered(plan, model, [1])
    before = done.path.stat()
    again = render_window(plan, 1, not_loaded, lambda *_: None)
    assert (done.how, again.how) == ("rendered", "kept")
    assert done.path.stat().st_ino == before.st_ino


def test_codes_are_kept_as_they_are(plan: Plan, model: HdrModel) -> None:
    """Float32, of the frames that exist; rendered again the file has the same bytes."""
    (done,) = rendered(plan, model, [1])
    codes, content = read_window(plan, 1), done.path.read_bytes()
    assert codes.shape == (9, 3, 24, 32)
    assert codes.dtype == torch.float32
    render_window(plan, 1, lambda: fitted(plan, model), lambda *_: None, overwrite=True)
    assert done.path.read_bytes() == content


@pytest.mark.parametrize("harm", ["cut", "bit", "other"])
def test_what_is_not_whole_is_rendered_again(plan: Plan, model: HdrModel, harm: str) -> None:
    """A file cut short, one with a wrong bit, and one of another window are as good as none."""
    first, second = rendered(plan, model, [0, 1])
    content = second.path.read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    spoilt = {"cut": content[:-9], "bit": flipped, "other": first.path.read_bytes()}[harm]
    second.path.write_bytes(spoilt)
    assert not is_whole(plan, 1)
    assert rendered(plan, model, [1])[0].how == "rendered"
    assert second.path.read_bytes() == content


def test_stopped_it_leaves_nothing(plan: Plan, model: HdrModel) -> None:
    """A cancel between two steps: no file, and none half-written beside."""

    def stop(phase: str, *_: int) -> None:
        if phase == "writing the window":
            raise CancelledError("enough")

    with pytest.raises(CancelledError):
        render_window(plan, 0, lambda: fitted(plan, model), stop)
    assert not Path(plan.folder).exists()


def test_progress_goes_from_the_plate_to_the_file(plan: Plan, model: HdrModel) -> None:
    """Each thing that takes time is told, in order."""
    told: list[str] = []
    render_window(plan, 0, lambda: fitted(plan, model), lambda phase, *_: told.append(phase))
    phases = ["looking for the window", "checking the plate", "loading the model"]
    phases += ["reading the plate", "denoise", "writing the window"]
    assert list(dict.fromkeys(told)) == phases


def test_no_memory_is_told_as_such(plan: Plan, model: HdrModel) -> None:
    """What torch raises becomes a sentence with a remedy, and the exit code of a failed render."""

    def full(phase: str, *_: int) -> None:
        if phase == "denoise":
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemoryError, match=r"window 0 of .* on cpu; plan it again") as caught:
        render_window(plan, 0, lambda: fitted(plan, model), full)
    assert caught.value.exit_code == 3


def test_an_index_that_is_none(plan: Plan) -> None:
    """The sentence says which there are."""
    with pytest.raises(InputError, match="has windows 0 to 1, and 2 is none of them"):
        render_window(plan, 2, not_loaded, lambda *_: None)


def test_a_changed_frame_is_refused_where_it_counts(plan: Plan, model: HdrModel) -> None:
    """A window that does not see the frame is rendered; one that does says which it is."""
    path = Path(plan.files[-1].path)
    path.write_bytes(Path(plan.files[0].path).read_bytes())
    assert rendered(plan, model, [0])[0].how == "rendered"
    with pytest.raises(InputError, match=f"{path.name} was changed since the plan of .* was made"):
        rendered(plan, model, [1])
    path.unlink()
    with pytest.raises(InputError, match=f"{path.name} of the plan of .* cannot be read"):
        rendered(plan, model, [1])


def test_another_model_is_refused(plan: Plan, tiny_model_folder: Path) -> None:
    """A machine that holds other weights under the same name renders nothing."""
    request = msgspec.structs.replace(plan.request, model=str(tiny_model_folder))
    with pytest.raises(InputError, match="has other files here than when the plan was made"):
        load_planned(msgspec.structs.replace(plan, request=request), "cpu")


def test_settings_of_the_joining_share_windows(tmp_path: Path, plan: Plan) -> None:
    """Another exposure needs no window anew; another seed needs each."""
    settings = msgspec.structs.replace(plan.request.settings, exposure=2.0, detail=0.5)
    brighter = msgspec.structs.replace(plan.request, settings=settings)
    seeded = msgspec.structs.replace(
        plan.request, settings=msgspec.structs.replace(plan.request.settings, seed=1)
    )
    elsewhere = msgspec.structs.replace(plan.request, source=PathSource(path=str(tmp_path)))
    keys = {plan.window_key(0)}
    for request in (brighter, elsewhere):
        assert msgspec.structs.replace(plan, request=request).window_key(0) in keys
    assert msgspec.structs.replace(plan, request=seeded).window_key(0) not in keys
    assert plan.window_key(1) not in keys
