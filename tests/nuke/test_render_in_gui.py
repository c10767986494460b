"""Renders in the background: what is sent, what comes back, and what the node tells meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import nuke
import pytest

import lumivid_nuke
from lumivid_fx import client
from lumivid_fx.errors import InputError
from lumivid_fx.protocol.messages import Done, PathSource, Request
from lumivid_nuke import connection
from lumivid_nuke.node import BUSY, CALM, FAILED, STALE, STALE_TEXT
from lumivid_nuke.plan import plan_render
from tests.nuke.exr_runner import MASKED
from tests.nuke.host.nuke.pixels import picture_of
from tests.nuke.host.nuke.state import process_events, session
from tests.nuke.shots import (
    EXR_RUNNER,
    expected,
    level,
    new_grade,
    new_node,
    new_read,
    result_level,
    results,
    wait_until_idle,
    write_frame,
    write_plate,
)
from tests.worker.running import RunningWorker, running_worker

pytestmark = pytest.mark.usefixtures("host")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of this module's worker."""
    return tmp_path_factory.mktemp("shots")


@pytest.fixture(scope="module")
def worker(base: Path) -> Iterator[RunningWorker]:
    """A worker whose runner doubles what it is given."""
    with running_worker(base / "home", roots=[base], runner=EXR_RUNNER) as started:
        started.wait_until_ready()
        yield started
    connection.let_go()


@pytest.fixture
def shot(base: Path, request: pytest.FixtureRequest) -> Path:
    """A folder for one test's plate and cache."""
    return base / str(request.node.name)


@pytest.fixture
def requests() -> Iterator[list[Request]]:
    """What is submitted."""
    seen: list[Request] = []

    def note(_: nuke.Node | None, request: Request) -> None:
        seen.append(request)

    lumivid_nuke.add_callback("before_submit", note)
    yield seen
    lumivid_nuke.remove_callback("before_submit", note)


@pytest.fixture
def labelled() -> Iterator[Callable[[str], None]]:
    """Lets a test write words for the runner into the label of what is submitted."""
    words = [""]

    def label(_: nuke.Node | None, request: Request) -> Request:
        return msgspec.structs.replace(request, label=words[0])

    def say(text: str) -> None:
        words[0] = text

    lumivid_nuke.add_callback("before_submit", label)
    yield say
    lumivid_nuke.remove_callback("before_submit", label)


def test_bare_read_goes_as_its_path(
    worker: RunningWorker, shot: Path, requests: list[Request]
) -> None:
    """Nothing is rendered by Nuke, and the result is the worker's, shown by the node."""
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    steps = len(session.undo_steps)
    lumivid_nuke.submit(node)
    assert node["status"].value() == "sending"
    assert node["tile_color"].value() == BUSY
    wait_until_idle(node)
    assert session.executed == []
    (sent,) = requests
    assert sent.source == PathSource(path=f"{shot.as_posix()}/plate/plate.####.exr")
    assert (sent.frames, sent.settings.input_space) == ("1001-1004", "lin_rec709")
    assert sent.settings.output_space == "lin_rec709"
    assert sent.label == node.name()
    assert results(node) == [1001, 1002, 1003, 1004]
    assert result_level(node, 1003) == expected(1003)
    assert str(node["status"].value()).startswith("4 frames, 0:0")
    assert node["tile_color"].value() == CALM
    assert [name for name, _ in session.undo_steps[steps:]] == ["LumiVid: Render"]


def test_anything_else_goes_through_a_write(
    worker: RunningWorker, shot: Path, requests: list[Request]
) -> None:
    """Nuke renders it once; the Write and its files are gone at the end, the selection is kept."""
    read = new_read(write_plate(shot / "plate"))
    node = new_node(new_grade(read, 0.5), shot / "cache", worker)
    read.setSelected(True)
    nuke.root().setProxy(True)
    steps = len(session.undo_steps)
    lumivid_nuke.submit(node)
    assert nuke.allNodes("Write") == []
    assert nuke.root().proxy()
    assert nuke.selectedNodes() == [read]
    assert len(session.undo_steps) == steps
    wait_until_idle(node)
    ((_, first, last),) = session.executed
    assert (first, last) == (1001, 1004)
    (sent,) = requests
    assert isinstance(sent.source, PathSource)
    assert sent.source.path.startswith(f"{shot.as_posix()}/cache/plates/")
    process_events(lambda: not any((shot / "cache/plates").iterdir()))
    assert result_level(node, 1004) == expected(1004, 0.5)


def test_mask_comes_with_the_result(
    worker: RunningWorker, shot: Path, requests: list[Request]
) -> None:
    """It is always asked for, lies in the result's own files, and is what the node's mode shows."""
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    (sent,) = requests
    assert sent.settings.generated
    node["mode"].setValue("mask")
    assert level(1001) < MASKED <= level(1004)
    assert [channel(node, frame, 3) for frame in (1001, 1004)] == [0.0, 1.0]
    read = lumivid_nuke.import_as_read(node)
    assert read is not None
    assert [channel(read, frame, 4) for frame in (1001, 1004)] == [0.0, 1.0]


def channel(node: nuke.Node, frame: int, number: int) -> float:
    """What a node shows: red, green, blue, alpha, and the layer's channel."""
    return float(picture_of(node, frame, ())[0, 0, number])  # type: ignore[arg-type]


def test_disk_of_another_name(
    worker: RunningWorker, shot: Path, requests: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a Mac mounts under /Volumes is sent as the worker calls it, and comes back."""
    write_plate(shot / "mnt" / "plate")
    (shot / "Volumes").symlink_to(shot / "mnt")
    monkeypatch.setenv("LUMIVID_PATHS", f"{shot}/Volumes={shot}/mnt")
    here = f"{shot.as_posix()}/Volumes"
    node = new_node(new_read(f"{here}/plate/plate.%04d.exr"), Path(here) / "cache", worker)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    (sent,) = requests
    assert sent.source == PathSource(path=f"{shot.as_posix()}/mnt/plate/plate.####.exr")
    assert str(sent.target).startswith(f"{shot.as_posix()}/mnt/cache/")
    assert results(node) == [1001, 1002, 1003, 1004]
    assert result_level(node, 1003) == expected(1003)


def test_same_pixels_are_rendered_once(worker: RunningWorker, shot: Path) -> None:
    """Two nodes behind the same picture find the same result, though Nuke wrote it twice."""
    read = new_read(write_plate(shot / "plate"))
    one = new_node(new_grade(read, 0.5), shot / "cache", worker)
    two = new_node(new_grade(read, 0.5), shot / "cache", worker)
    other = new_node(new_grade(read, 0.25), shot / "cache", worker)
    for node in (one, two, other):
        lumivid_nuke.submit(node)
        wait_until_idle(node)
    assert one["result_key"].value() == two["result_key"].value() != other["result_key"].value()
    assert "4 of them from before" in str(two["status"].value())


def test_a_dot_does_not_hide_the_read(worker: RunningWorker, shot: Path) -> None:
    """Dots pass on what they are given."""
    dot = nuke.nodes.Dot()
    dot.setInput(0, new_read(write_plate(shot / "plate")))
    node = new_node(dot, shot / "cache", worker)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    assert session.executed == []
    assert results(node) == [1001, 1002, 1003, 1004]


def test_cancel_half_way_keeps_frames(
    worker: RunningWorker,
    shot: Path,
    labelled: Callable[[str], None],
) -> None:
    """Finished frames stay and are shown; Render missing renders the rest alone."""
    node = new_node(
        new_read(write_plate(shot / "plate", 1001, 1030), 1001, 1030), shot / "cache", worker
    )
    labelled("slow")
    lumivid_nuke.submit(node)
    process_events(lambda: bool(node["result_key"].value()) and len(results(node)) >= 2)
    (task,) = session.tasks
    assert isinstance(task, nuke.ProgressTask)
    task.__dict__["_cancelled"] = True
    wait_until_idle(node)
    there = results(node)
    assert 2 <= len(there) < 30
    assert str(node["status"].value()).startswith("cancelled; ")
    assert any(0 < percent < 100 for percent, _ in task.__dict__["_history"])
    assert "30 frames" in task.__dict__["_history"][-1][1]
    labelled("")
    lumivid_nuke.render_missing(node)
    wait_until_idle(node)
    assert results(node) == list(range(1001, 1031))
    assert str(node["status"].value()).startswith(f"{30 - len(there)} frames, 0:")
    lumivid_nuke.render_missing(node)
    assert node["status"].value() == "no frame is missing"
    assert not node["job_id"].value()


def test_cancel_button(worker: RunningWorker, shot: Path, labelled: Callable[[str], None]) -> None:
    """The button in the panel does what the one of the progress bar does."""
    node = new_node(
        new_read(write_plate(shot / "plate", 1001, 1030), 1001, 1030), shot / "cache", worker
    )
    assert not lumivid_nuke.cancel(node)
    labelled("slow")
    lumivid_nuke.submit(node)
    process_events(lambda: bool(node["result_key"].value()))
    node["cancel"].execute()  # type: ignore[attr-defined]
    assert node["status"].value() == "cancelling; finished frames stay"
    wait_until_idle(node)
    assert len(results(node)) < 30


def test_second_job_is_refused(
    worker: RunningWorker, shot: Path, labelled: Callable[[str], None]
) -> None:
    """One job a node; the first goes on."""
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    labelled("slow")
    lumivid_nuke.submit(node)
    job = node["job_id"].value()
    lumivid_nuke.submit(node)
    assert "cancel that first" in str(node["status"].value())
    assert node["job_id"].value() == job
    wait_until_idle(node)
    assert len(results(node)) == 4


def test_rename_and_copy_while_it_runs(
    worker: RunningWorker, shot: Path, labelled: Callable[[str], None]
) -> None:
    """The job follows its node to another name; a copy has the result, and no job."""
    node = new_node(
        new_read(write_plate(shot / "plate", 1001, 1010), 1001, 1010), shot / "cache", worker
    )
    labelled("slow")
    lumivid_nuke.submit(node)
    process_events(lambda: bool(node["result_key"].value()))
    node.setName("Sky")
    for each in nuke.selectedNodes():
        each.setSelected(False)
    node.setSelected(True)
    nuke.nodeCopy("%clipboard%")
    copy = nuke.nodePaste("%clipboard%")
    assert copy is not None
    assert copy.fullName() != node.fullName()
    assert node["job_id"].value()
    assert not copy["job_id"].value()
    assert copy["result_key"].value() == node["result_key"].value()
    assert str(node["job_owner"].value()).endswith("|Sky")
    wait_until_idle(node)
    assert str(node["status"].value()).startswith("10 frames")
    assert len(session.tasks) == 1


def test_deleted_while_it_runs(
    worker: RunningWorker, shot: Path, labelled: Callable[[str], None]
) -> None:
    """The job ends without its node, and tells whoever asked."""
    told: list[tuple[nuke.Node | None, str]] = []

    def after(node: nuke.Node | None, done: Done) -> None:
        told.append((node, done.state))

    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    labelled("slow")
    lumivid_nuke.add_callback("after", after)
    try:
        lumivid_nuke.submit(node)
        process_events(lambda: bool(node["result_key"].value()))
        nuke.delete(node)
        process_events(lambda: bool(told))
    finally:
        lumivid_nuke.remove_callback("after", after)
    assert told == [(None, "done")]


def test_undo_while_it_runs(
    worker: RunningWorker, shot: Path, labelled: Callable[[str], None]
) -> None:
    """Undo takes back which result is shown; the job goes on and is told."""
    node = new_node(
        new_read(write_plate(shot / "plate", 1001, 1010), 1001, 1010), shot / "cache", worker
    )
    labelled("slow")
    lumivid_nuke.submit(node)
    process_events(lambda: bool(node["result_key"].value()))
    assert nuke.Undo.undoDescribe(0) == "LumiVid: Render"
    nuke.undo()
    assert not node["result_key"].value()
    assert node["job_id"].value()
    wait_until_idle(node)
    assert str(node["status"].value()).startswith("10 frames")


def test_stale_is_told_and_the_result_kept(worker: RunningWorker, shot: Path) -> None:
    """A knob of the node, or one before it: both are told, and taken back when they are."""
    grade = new_grade(new_read(write_plate(shot / "plate")), 0.5)
    node = new_node(grade, shot / "cache", worker)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    key = node["result_key"].value()
    fresh = node["status"].value()
    node["seed"].setValue(7)
    assert node["status"].value() == STALE_TEXT
    assert node["tile_color"].value() == STALE
    node["seed"].setValue(0)
    assert node["tile_color"].value() == CALM
    node["exposure"].setValue(2.0)
    assert node["status"].value() != STALE_TEXT
    lumivid_nuke.update_ui(node)
    assert node["status"].value() != STALE_TEXT
    grade["multiply"].setValue(0.75)
    lumivid_nuke.update_ui(node)
    assert node["status"].value() == STALE_TEXT
    assert node["result_key"].value() == key
    assert results(node) == [1001, 1002, 1003, 1004]
    lumivid_nuke.render_missing(node)
    assert "press Render" in str(node["status"].value())
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    assert node["result_key"].value() != key
    assert str(node["status"].value())[:8] == str(fresh)[:8]


def test_replaced_file_is_another_plate(worker: RunningWorker, shot: Path) -> None:
    """The path is the same and the knobs are: Render sees the pixels."""
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    key = node["result_key"].value()
    write_frame(shot / "plate/plate.1002.exr", 0.875)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    assert node["result_key"].value() != key
    assert result_level(node, 1002) == pytest.approx(1.75)


def test_failed_job_is_told_and_the_old_result_shown(
    worker: RunningWorker, shot: Path, labelled: Callable[[str], None]
) -> None:
    """The worker's sentence on the node, red; what was shown before stays."""
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    key = node["result_key"].value()
    node["seed"].setValue(3)
    labelled("fail@0")
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    assert node["status"].value() == "as asked"
    assert node["tile_color"].value() == FAILED
    assert node["result_key"].value() == key


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda node: node.setInput(0, None), "has no input; connect the plate"),
        (lambda node: node["last"].setValue(900), "runs backwards"),
        (lambda node: node["detail"].setValue(3), "detail"),
        (lambda node: node["cache_dir"].setValue("here"), "is not absolute"),
    ],
)
def test_what_cannot_be_done_is_told(
    worker: RunningWorker,
    tmp_path: Path,
    change: Callable[[nuke.Node], object],
    told: str,
) -> None:
    """Nothing is sent; the sentence is in the status line, the tile is red."""
    node = new_node(new_read(write_plate(tmp_path / "plate")), tmp_path / "cache", worker)
    change(node)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    assert told in str(node["status"].value())
    assert node["tile_color"].value() == FAILED


def test_cancelled_and_failed_plates(worker: RunningWorker, tmp_path: Path) -> None:
    """A plate that Nuke was stopped in, or could not render, leaves no Write, file or job."""
    read = new_read(write_plate(tmp_path / "plate"))
    node = new_node(new_grade(read, 0.5), tmp_path / "cache", worker)
    session.cancel_after = 2
    lumivid_nuke.submit(node)
    assert "was cancelled; nothing was sent" in str(node["status"].value())
    assert node["tile_color"].value() == CALM
    session.cancel_after = None
    (tmp_path / "plate/plate.1003.exr").unlink()
    lumivid_nuke.submit(node)
    assert "could not be rendered" in str(node["status"].value())
    assert nuke.allNodes("Write") == []
    assert list((tmp_path / "cache/plates").iterdir()) == []
    assert not node["job_id"].value()
    assert session.tasks == []


def test_without_a_worker(tmp_path: Path) -> None:
    """None runs, and none may be started: the remedy is named."""
    node = new_node(new_read(write_plate(tmp_path / "plate")), tmp_path / "cache", None)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    assert "no worker is running here" in str(node["status"].value())
    assert "tick 'start a worker'" in str(node["status"].value())
    assert node["tile_color"].value() == FAILED


def test_callbacks(worker: RunningWorker, shot: Path) -> None:
    """Before, per frame, after: with the node, on the main thread; one's failure is passed over."""
    told: list[object] = []
    main = threading.current_thread()

    def on_frame(node: nuke.Node, frame: object) -> None:
        assert threading.current_thread() is main
        told.append((node.name(), getattr(frame, "number", None)))

    def broken(_node: nuke.Node, _frame: object) -> None:
        raise ValueError("a studio's own")

    def after(node: nuke.Node, done: Done) -> None:
        told.append((node.name(), done.state))

    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    kinds = (("on_frame", broken), ("on_frame", on_frame), ("after", after))
    for kind, call in kinds:
        lumivid_nuke.add_callback(kind, call)
    try:
        lumivid_nuke.submit(node)
        process_events(lambda: (node.name(), "done") in told)
    finally:
        for kind, call in kinds:
            lumivid_nuke.remove_callback(kind, call)
    assert told == [*((node.name(), frame) for frame in range(1001, 1005)), (node.name(), "done")]
    with pytest.raises(InputError, match="no 'before' callbacks"):
        lumivid_nuke.add_callback("before", after)


def test_callback_sends_the_result_elsewhere(worker: RunningWorker, shot: Path) -> None:
    """A studio's own place is written to; the node does not lose what it shows."""

    def elsewhere(_: nuke.Node | None, request: Request) -> Request:
        return msgspec.structs.replace(request, target=f"{shot.as_posix()}/own/hdr.####.exr")

    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    lumivid_nuke.submit(node)
    wait_until_idle(node)
    key = node["result_key"].value()
    node["seed"].setValue(5)
    lumivid_nuke.add_callback("before_submit", elsewhere)
    try:
        lumivid_nuke.submit(node)
        wait_until_idle(node)
    finally:
        lumivid_nuke.remove_callback("before_submit", elsewhere)
    assert node["result_key"].value() == key
    assert len(list((shot / "own").glob("hdr.*.exr"))) == 4


def test_callback_refuses(worker: RunningWorker, shot: Path) -> None:
    """What one raises before the submit is told, and nothing is sent."""

    def refuse(_node: nuke.Node | None, _request: Request) -> None:
        raise InputError("not on a Friday; come again on Monday")

    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    lumivid_nuke.add_callback("before_submit", refuse)
    try:
        lumivid_nuke.submit(node)
        wait_until_idle(node)
    finally:
        lumivid_nuke.remove_callback("before_submit", refuse)
    assert node["status"].value() == "not on a Friday; come again on Monday"
    assert not (shot / "cache").exists() or results(node) == []


def test_job_goes_on_when_the_script_is_opened_again(worker: RunningWorker, shot: Path) -> None:
    """Nuke was closed while the worker rendered: the node finds its job, and the result."""
    node = new_node(
        new_read(write_plate(shot / "plate", 1001, 1012), 1001, 1012), shot / "cache", worker
    )
    planned = plan_render(node, uuid4().hex)
    request = msgspec.structs.replace(planned.request(planned.key()), label="slow")
    script = (shot / "sh010.nk").as_posix()
    nuke.root()["name"].setValue(script)
    for name, value in (
        ("job_id", planned.job),
        ("job_owner", f"{script}|LumiVid1"),
        ("job_hash", planned.state),
    ):
        node[name].setValue(value)
    nuke.scriptSaveAs(script, 1)
    with client.connect(places=worker.places) as before:
        before.submit_request(request, job=planned.job, want_frames=False)
    nuke.scriptClear()
    nuke.scriptOpen(script)
    again = nuke.toNode("LumiVid1")
    assert again is not None
    assert again["status"].value() == "looking for its job"
    wait_until_idle(again)
    assert str(again["status"].value()).startswith("12 frames")
    assert results(again) == list(range(1001, 1013))
    assert again["sent_hash"].value() == planned.state


def test_script_saved_under_another_name_has_no_job(worker: RunningWorker, shot: Path) -> None:
    """A copy of the script is no owner of the first one's job."""
    node = new_node(new_read(write_plate(shot / "plate")), shot / "cache", worker)
    for name, value in (("job_id", "0" * 32), ("job_owner", "/other.nk|LumiVid1")):
        node[name].setValue(value)
    lumivid_nuke.on_create(node)
    assert not node["job_id"].value()
    assert session.tasks == []
