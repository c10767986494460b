"""The host keeps Nuke's rules, as far as they are documented: what Nuke refuses it refuses."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenImageIO
import pytest

from tests.nuke.host import nuke

HOST = Path(__file__).parent / "host"

pytestmark = pytest.mark.usefixtures("host")


def write_exr(path: Path, values: list[float], *, size: int = 8) -> None:
    """A square of one colour; four values are RGBA."""
    spec = OpenImageIO.ImageSpec(size, size, len(values), "half")
    buffer = OpenImageIO.ImageBuf(spec)
    pixels = np.broadcast_to(np.asarray(values, np.float32), (size, size, len(values)))
    buffer.set_pixels(OpenImageIO.ROI.All, pixels.copy())
    assert buffer.write(str(path))


def read_exr(path: Path) -> list[float]:
    """The first pixel."""
    pixels = np.asarray(OpenImageIO.ImageBuf(str(path)).get_pixels("float"))
    return [float(value) for value in pixels[0, 0]]


def plate(folder: Path, first: int, last: int) -> nuke.Node:
    """A Read of frames that differ: red is the frame's number over 100."""
    folder.mkdir(exist_ok=True)
    for frame in range(first, last + 1):
        write_exr(folder / f"plate.{frame:04d}.exr", [frame / 100, -0.25, 12.0, 1.0])
    return nuke.nodes.Read(file=f"{folder}/plate.%04d.exr", first=first, last=last, raw=True)


def in_thread(call: Callable[[], object]) -> list[object]:
    """What a call gives or raises in a thread of its own, the main thread minding its loop."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(call())
        except (RuntimeError, TypeError, ValueError) as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    nuke.state.process_events(lambda: bool(found))
    thread.join()
    return found


# ---- names and places --------------------------------------------------------------------------


def test_names_count_up() -> None:
    """A name in use gets the next number, as Nuke does it for new nodes, copies and renames."""
    first, second = nuke.nodes.Grade(), nuke.nodes.Grade()
    assert [first.name(), second.name()] == ["Grade1", "Grade2"]
    second.setName("Grade1")
    assert second.name() == "Grade2"
    with pytest.raises(ValueError, match="in use"):
        second.setName("Grade1", uncollide=False)
    with pytest.raises(ValueError, match="no name"):
        second.setName("my grade")


def test_full_names_lead_into_groups() -> None:
    """`toNode` is seen from the group that is current, and knows the way from the root."""
    group = nuke.nodes.Group()
    assert isinstance(group, nuke.Group)
    with group:
        inner = nuke.nodes.Grade()
        assert nuke.toNode("Grade1") is inner
        assert nuke.thisGroup() is group
    assert nuke.toNode("Grade1") is None
    assert nuke.toNode("Group1.Grade1") is inner
    assert inner.fullName() == "Group1.Grade1"
    assert nuke.allNodes() == [group]
    assert nuke.allNodes(recurseGroups=True) == [group, inner]


def test_groups_end_as_they_began() -> None:
    """An `end` that belongs to another `begin` is an error."""
    one, two = nuke.nodes.Group(), nuke.nodes.Group()
    assert isinstance(one, nuke.Group)
    assert isinstance(two, nuke.Group)
    one.begin()
    with pytest.raises(RuntimeError, match=r"without its begin"):
        two.end()
    one.end()


def test_deleted_nodes_refuse_all() -> None:
    """A wrapper outlives its node, and raises; what hung on the node hangs on its input."""
    read, grade, write = nuke.nodes.Read(), nuke.nodes.Grade(), nuke.nodes.Write()
    grade.setInput(0, read)
    write.setInput(0, grade)
    held = grade["multiply"]
    nuke.delete(grade)
    assert write.input(0) is read
    for call in (grade.name, grade.knobs, held.value, lambda: grade["multiply"]):
        with pytest.raises(ValueError, match="not attached to a node"):
            call()


def test_a_node_is_not_its_own_input() -> None:
    """Circles are refused, and inputs that a class has not."""
    one, two = nuke.nodes.Grade(), nuke.nodes.Grade()
    two.setInput(0, one)
    with pytest.raises(ValueError, match="its own input"):
        one.setInput(0, two)
    assert nuke.nodes.Read().setInput(0, one) is False


# ---- knobs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "knob", "value"),
    [
        ("Read", "first", "1001"),
        ("Read", "file", 3),
        ("Read", "raw", "true"),
        ("Grade", "multiply", "2"),
        ("Write", "channels", 4),
    ],
)
def test_knobs_want_their_own_kind(node: str, knob: str, value: object) -> None:
    """A value of another type is a TypeError, as in Nuke."""
    with pytest.raises(TypeError, match=knob):
        getattr(nuke.nodes, node)()[knob].setValue(value)


def test_enumerations_are_words_and_numbers() -> None:
    """Both set it; the value is the word; a word that is not there is refused."""
    knob = nuke.nodes.Read()["on_error"]
    knob.setValue("checkerboard")
    assert (knob.value(), knob.getValue()) == ("checkerboard", 2.0)
    knob.setValue(1)
    assert knob.value() == "black"
    with pytest.raises(ValueError, match="has no 'grey'"):
        knob.setValue("grey")


def test_unknown_knobs_are_errors() -> None:
    """`node["x"]` raises NameError, `node.knob("x")` gives None."""
    node = nuke.nodes.Grade()
    assert node.knob("nothing") is None
    with pytest.raises(NameError, match="nothing does not exist"):
        node["nothing"]


def test_write_has_exr_knobs_when_it_knows() -> None:
    """A Write's knobs for a format come with the format."""
    write = nuke.nodes.Write()
    assert write.knob("datatype") is None
    write["file_type"].setValue("exr")
    assert write["datatype"].value() == "16 bit half"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7.0),
        ("pow(2, -1) + 2^3", 8.5),
        ("7 == 7 && !(2 > 3) ? 4 : nothing.there", 4.0),
        ("min(3, 1, 2) + max(1, 5)", 6.0),
        ("-clamp(3) + int(2.9)", 1.0),
        ("root.first_frame", 1.0),
        ("Grade1.gain", 2.5),
        ("[value Grade1.gain] * 2", 5.0),
        ("[file exists /nothing/there]", 0.0),
        ("[string length [value Grade1.multiply]]", 1.0),
        ("frame", 1.0),
        ("Grade1.disable || 0", 0.0),
    ],
)
def test_expressions(text: str, value: float) -> None:
    """The forms that the node uses come out as in Nuke; what is not taken is not looked at."""
    grade = nuke.nodes.Grade()
    knob = nuke.Double_Knob("gain", "gain")
    grade.addKnob(knob)
    knob.setValue(2.5)
    other = nuke.nodes.Multiply()
    other["value"].setExpression(text)
    assert other["value"].value() == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["nothing", "Grade7.gain", "sinus(1)", "1 +", "[nothing 1]", "2 3"]
)
def test_wrong_expressions_are_errors(text: str) -> None:
    """What would be an error on the tile raises."""
    node = nuke.nodes.Multiply()
    node["value"].setExpression(text)
    with pytest.raises(RuntimeError):
        node["value"].value()


def test_setting_ends_an_expression() -> None:
    """A number typed over an expression stays."""
    node = nuke.nodes.Multiply()
    node["value"].setExpression("1 + 1")
    assert node["value"].hasExpression()
    node["value"].setValue(5.0)
    assert (node["value"].hasExpression(), node["value"].value()) == (False, 5.0)


def test_file_knobs_evaluate() -> None:
    """`value` is what was typed, `evaluate` what it comes to at a frame."""
    node = nuke.nodes.Read()
    node["file"].setValue("/show/[value name]/plate.####.exr")
    knob = node["file"]
    assert isinstance(knob, nuke.File_Knob)
    assert knob.value() == "/show/[value name]/plate.####.exr"
    assert knob.evaluate(7) == "/show/Read1/plate.0007.exr"
    assert knob.evaluate(-7) == "/show/Read1/plate.-007.exr"
    with pytest.raises(ValueError, match="Nuke's paths have /"):
        knob.setValue("C:\\show\\plate.exr")


# ---- callbacks ---------------------------------------------------------------------------------


def test_knob_changed_knows_its_knob() -> None:
    """It fires for what scripts set too, with this node and knob, and not for the same value."""
    heard: list[tuple[str, str]] = []

    def hear() -> None:
        heard.append((nuke.thisNode().name(), nuke.thisKnob().name()))

    nuke.addKnobChanged(hear, nodeClass="Grade")
    grade = nuke.nodes.Grade()
    grade["multiply"].setValue(2.0)
    grade["multiply"].setValue(2.0)
    nuke.nodes.Multiply()["value"].setValue(2.0)
    assert heard == [("Grade1", "multiply")]
    grade.showControlPanel()
    grade.setInput(0, nuke.nodes.Dot())
    grade.setName("Warm")
    assert [knob for _, knob in heard[1:]] == ["showPanel", "inputChange", "name"]
    with pytest.raises(ValueError, match="this is no callback"):
        nuke.thisNode()


def test_callbacks_do_not_nest_in_themselves() -> None:
    """A knob set by its own `knobChanged` does not call it again."""
    node = nuke.nodes.Grade(
        knobChanged="nuke.thisNode()['add'].setValue(nuke.thisNode()['add'].value() + 1)"
    )
    before = len(nuke.state.session.fired)
    node["add"].setValue(1.0)
    assert node["add"].value() == 2.0
    assert len(nuke.state.session.fired) == before + 1


def test_errors_in_callbacks_are_told() -> None:
    """Nuke prints them and goes on; so does the host, and a test sees them."""
    node = nuke.nodes.Grade(knobChanged="1 / 0")
    node["add"].setValue(1.0)
    assert node["add"].value() == 1.0
    errors = nuke.state.session.errors
    assert errors
    assert all(isinstance(error, ZeroDivisionError) for error in errors)
    errors.clear()


def test_before_render_stops_a_render(tmp_path: Path) -> None:
    """What it raises ends the render before the first frame."""
    write = nuke.nodes.Write(
        file=f"{tmp_path}/out.%04d.exr", beforeRender="raise RuntimeError('no')"
    )
    write.setInput(0, plate(tmp_path / "in", 1, 1))
    with pytest.raises(RuntimeError, match="no"):
        nuke.execute(write, 1, 1)
    assert not list(tmp_path.glob("out.*"))


# ---- threads -----------------------------------------------------------------------------------


def test_other_threads_may_touch_nothing() -> None:
    """Every call from a thread that is not the main one raises, but those made for it."""
    node = nuke.nodes.Grade()
    for call in (lambda: nuke.toNode("Grade1"), node.name, node["add"].value, nuke.nodes.Dot):
        found = in_thread(call)
        assert isinstance(found[0], RuntimeError)
        assert "not the main one" in str(found[0])
    assert in_thread(lambda: nuke.tprint("heard")) == [None]


def test_main_thread_calls_come_back_with_results() -> None:
    """From another thread it runs on the main one; the result of what fails is None, as in Nuke."""
    node = nuke.nodes.Grade()
    assert in_thread(lambda: nuke.executeInMainThreadWithResult(node.name)) == ["Grade1"]
    main = threading.get_ident()
    assert in_thread(lambda: nuke.executeInMainThreadWithResult(threading.get_ident)) == [main]
    failed = in_thread(lambda: nuke.executeInMainThreadWithResult(nuke.toNode, args=(3, 4)))
    assert failed == [None]
    assert [type(error) for error in nuke.state.session.errors] == [TypeError]
    nuke.state.session.errors.clear()


def test_main_thread_calls_from_the_main_thread_raise() -> None:
    """Nuke would hang, newer ones raise."""
    for call in (nuke.executeInMainThread, nuke.executeInMainThreadWithResult):
        with pytest.raises(RuntimeError, match="Nuke would hang"):
            call(nuke.root)


@pytest.mark.usefixtures("terminal")
def test_terminal_has_no_event_loop() -> None:
    """In `nuke -t` nobody empties the queue, and what needs windows raises."""
    found: list[BaseException] = []

    def run() -> None:
        try:
            nuke.executeInMainThread(nuke.root)
        except RuntimeError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "no event loop" in str(found[0])
    assert nuke.GUI is False
    for call in (
        lambda: nuke.createNode("Grade"),
        lambda: nuke.menu("Nodes"),
        lambda: nuke.ask("?"),
    ):
        with pytest.raises(RuntimeError, match="non-gui mode"):
            call()
    assert nuke.nodes.Grade().name() == "Grade1"


def test_progress_belongs_to_every_thread() -> None:
    """A thread makes a bar, and hears that the user cancels it."""

    def work() -> bool:
        task = nuke.ProgressTask("LumiVid")
        task.setProgress(40)
        task.setMessage("4 of 10")
        nuke.state.session.tasks[0]._cancelled = True
        return task.isCancelled()

    assert in_thread(work) == [True]
    with pytest.raises(TypeError, match="from 0 to 100"):
        nuke.ProgressTask("x").setProgress(101)


# ---- undo --------------------------------------------------------------------------------------


def test_one_block_is_one_step() -> None:
    """What stands between begin and end is undone at once, the last thing first."""
    grade = nuke.nodes.Grade()
    size = nuke.Undo.undoSize()
    with nuke.Undo("warm"):
        grade["add"].setValue(1.0)
        grade["multiply"].setValue(3.0)
        dot = nuke.nodes.Dot()
        grade.setInput(0, dot)
    assert nuke.Undo.undoSize() == size + 1
    assert nuke.Undo.undoDescribe() == "warm"
    nuke.undo()
    assert (grade["add"].value(), grade["multiply"].value()) == (0.0, 1.0)
    assert (grade.input(0), nuke.toNode("Dot1")) == (None, None)


def test_deleting_can_be_undone() -> None:
    """The node is back, and so is what hung on it."""
    grade, write = nuke.nodes.Grade(), nuke.nodes.Write()
    write.setInput(0, grade)
    nuke.delete(grade)
    nuke.undo()
    assert write.input(0) is nuke.toNode("Grade1")


def test_disabled_undo_takes_nothing_down() -> None:
    """Nor does it forget that it is off; one enable too many is an error."""
    size = nuke.Undo.undoSize()
    nuke.Undo.disable()
    nuke.nodes.Grade()["add"].setValue(1.0)
    nuke.Undo.enable()
    assert nuke.Undo.undoSize() == size
    with pytest.raises(RuntimeError, match="without disable"):
        nuke.Undo.enable()
    with pytest.raises(RuntimeError, match="without begin"):
        nuke.Undo.end()


# ---- scripts, copies, clones -------------------------------------------------------------------

GROUP = r"""
Group {
 name Doubler
 onCreate "nuke.thisNode()\['count'].setValue(nuke.thisNode()\['count'].value() + 1)"
 addUserKnob {20 tab l Tab}
 addUserKnob {7 gain l gain R 0 4}
 gain 2
 addUserKnob {3 count l count +INVISIBLE}
 addUserKnob {4 mode l mode M {low high}}
 addUserKnob {1 words l words}
 words "a \"b\" \[c] \{d\} \$e\nf\\g"
 addUserKnob {41 inner l inner T Times.value}
}
 Input {
  inputs 0
  name Input1
 }
 Multiply {
  value {{"parent.gain + parent.mode"}}
  name Times
 }
 Output {
  name Output1
 }
end_group
"""


def test_pasted_copies_are_equal() -> None:
    """What is copied comes back with its knobs, insides and inputs, under the next name."""
    nuke.scriptReadText(GROUP)
    first = nuke.toNode("Doubler")
    dot = nuke.nodes.Dot()
    assert first is not None
    first.setInput(0, dot)
    first["mode"].setValue("high")
    first.setSelected(True)
    nuke.nodeCopy("%clipboard%")
    dot.setSelected(False)
    first.setSelected(False)
    dot.setSelected(True)
    second = nuke.nodePaste("%clipboard%")
    assert isinstance(second, nuke.Group)
    assert second.name() == "Doubler1"
    assert second.isSelected()
    assert not dot.isSelected()
    assert second.input(0) is dot
    assert second["words"].value() == first["words"].value() == 'a "b" [c] {d} $e\nf\\g'
    assert second["count"].value() == 2  # onCreate ran for the first, and for its copy
    times = second.node("Times")
    assert times is not None
    assert times["value"].value() == 3.0
    second["gain"].setValue(5.0)
    assert times["value"].value() == 6.0
    assert second["inner"].value() == 6.0


def test_clones_share_their_knobs() -> None:
    """Clones have the knobs, the name and the insides in common, and inputs of their own."""
    nuke.scriptReadText(
        "Grade {\n inputs 0\n multiply 2\n}\nset C1 [stack 0]\n"
        "clone $C1 {\n inputs 0\n xpos 40\n}\n"
    )
    first, second = nuke.allNodes()
    second["multiply"].setValue(4.0)
    assert first["multiply"].value() == 4.0
    assert (first.xpos(), second.xpos()) == (0, 40)
    assert first.name() == second.name() == "Grade1"
    assert first.clones() == second.clones() == 1


def test_scripts_come_back(tmp_path: Path) -> None:
    """A script that was saved opens with its nodes, its root and its connections."""
    nuke.root()["first_frame"].setValue(1001)
    nuke.scriptReadText(GROUP)
    grade = nuke.nodes.Grade(inputs=[nuke.toNode("Doubler")], add=0.5)
    grade["multiply"].setExpression("Doubler.gain * 2")
    nuke.scriptSaveAs(str(tmp_path / "comp.nk"))
    nuke.scriptClear()
    with pytest.raises(ValueError, match="not attached"):
        grade.name()
    nuke.scriptOpen(str(tmp_path / "comp.nk"))
    again = nuke.toNode("Grade1")
    assert again is not None
    assert again.input(0) is nuke.toNode("Doubler")
    assert (again["add"].value(), again["multiply"].value()) == (0.5, 4.0)
    assert nuke.root().firstFrame() == 1001
    assert nuke.scriptName() == str(tmp_path / "comp.nk")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Grade {\n multiply\n}\n", "without a value"),
        ("Grade {\n multply 2\n}\n", "no knob multply"),
        ("Grode {\n}\n", "Grode: Unknown"),
        ("Group {\n}\n", "not ended"),
        ("end_group\n", "without group"),
        ("push $Nothing\n", "no such variable"),
        ("Grade {\n addUserKnob {99 x}\n}\n", "id 99"),
        ("Grade {\n addUserKnob {7 x}\n addUserKnob {7 x}\n}\n", "two knobs x"),
        ("Grade {\n multiply 2\n", "missing close"),
    ],
)
def test_damaged_scripts_are_refused(text: str, told: str) -> None:
    """Each with its reason."""
    with pytest.raises(RuntimeError, match=told):
        nuke.scriptReadText(text)
    nuke.state.session.groups.clear()


# ---- frames and pictures -----------------------------------------------------------------------


def test_frame_ranges_come_from_above(tmp_path: Path) -> None:
    """Through groups, switches and offsets; where nothing is connected it is the project's."""
    nuke.scriptReadText(GROUP)
    group = nuke.toNode("Doubler")
    assert group is not None
    assert (group.firstFrame(), group.lastFrame()) == (1, 100)
    shifted = nuke.nodes.TimeOffset(inputs=[plate(tmp_path, -2, 3)], time_offset=10)
    group.setInput(0, shifted)
    assert (group.firstFrame(), group.lastFrame()) == (8, 13)
    assert list(
        nuke.nodes.FrameRange(inputs=[group], first_frame=9, last_frame=9).frameRange()
    ) == [9]


def test_execute_renders(tmp_path: Path) -> None:
    """Frames go through the graph into half EXRs; values below 0 and above 1 stay."""
    nuke.scriptReadText(GROUP)
    group = nuke.toNode("Doubler")
    assert group is not None
    group.setInput(0, plate(tmp_path / "in", -1, 1))
    write = nuke.nodes.Write(
        file=f"{tmp_path}/out/r.%04d.exr", file_type="exr", channels="rgba", raw=True
    )
    write.setInput(0, group)
    with pytest.raises(RuntimeError, match="No such file or directory"):
        nuke.execute(write, -1, 1)
    write["create_directories"].setValue(True)
    nuke.execute(write, -1, 1)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "r.-001.exr", "r.0000.exr", "r.0001.exr",
    ]  # fmt: skip
    assert read_exr(tmp_path / "out" / "r.-001.exr") == pytest.approx(
        [-0.02, -0.5, 24.0, 1.0], rel=1e-3
    )
    assert str(OpenImageIO.ImageBuf(str(tmp_path / "out/r.0001.exr")).spec().format) == "half"


def test_proxy_halves_and_limits_refuse(tmp_path: Path) -> None:
    """What spoils a plate that is sent shows here too."""
    write = nuke.nodes.Write(file=f"{tmp_path}/r.%04d.exr", raw=True)
    write.setInput(0, plate(tmp_path / "in", 1, 2))
    nuke.root().setProxy(True)
    nuke.execute(write, 1, 1)
    assert OpenImageIO.ImageBuf(str(tmp_path / "r.0001.exr")).spec().width == 4
    write["use_limit"].setValue(True)
    with pytest.raises(RuntimeError, match="outside of its limit"):
        nuke.execute(write, 2, 2)


def test_the_user_cancels_a_render(tmp_path: Path) -> None:
    """What was written stays; the error says Cancelled."""
    write = nuke.nodes.Write(file=f"{tmp_path}/r.%04d.exr", raw=True)
    write.setInput(0, plate(tmp_path / "in", 1, 4))
    nuke.state.session.cancel_after = 2
    with pytest.raises(RuntimeError, match="Cancelled"):
        nuke.execute(write, 1, 4)
    assert len(list(tmp_path.glob("r.*"))) == 2


@pytest.mark.parametrize(
    ("on_error", "red"), [("black", 0.0), ("nearest frame", 0.01), ("checkerboard", 0.0)]
)
def test_missing_frames(tmp_path: Path, on_error: str, red: float) -> None:
    """A Read without its file does as it is told; as it comes it is an error."""
    read = plate(tmp_path, 1, 1)
    read["last"].setValue(3)
    nuke.frame(3)
    with pytest.raises(RuntimeError, match="No such file"):
        nuke.sample(read, "red", 0, 0)
    read["on_error"].setValue(on_error)
    assert nuke.sample(read, "red", 0, 0) == pytest.approx(red, rel=1e-3)


def test_hashes_follow_what_is_seen(tmp_path: Path) -> None:
    """They change with the picture and not with the looks of a node."""
    read = plate(tmp_path, 1, 1)
    grade = nuke.nodes.Grade(inputs=[read])
    before = grade.opHashes()
    grade.setXYpos(5, 5)
    grade["label"].setValue("hello")
    assert grade.opHashes() == before
    read["raw"].setValue(False)
    assert grade.opHashes() != before


# ---- starting ----------------------------------------------------------------------------------


def test_starts_like_nuke(tmp_path: Path) -> None:
    """`init.py` always, `menu.py` with windows; gizmos are found on the path, the first one."""
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "init.py").write_text(f"import nuke; nuke.tprint('init {name}')")
        (folder / "menu.py").write_text(
            "import nuke\n"
            f"nuke.menu('Nodes').addCommand('Mine/{name}', 'nuke.createNode(\"Doubler\")')"
        )
    (tmp_path / "two" / "Doubler.gizmo").write_text(GROUP)
    nuke._boot(f"{tmp_path}/one:{tmp_path}/two", gui=True)
    assert [text for _, text in nuke.state.session.told] == ["init two", "init one"]
    item = nuke.menu("Nodes").findItem("Mine/two")
    assert item is not None
    dot = nuke.nodes.Dot()
    dot.setSelected(True)
    item.invoke()
    made = nuke.selectedNode()
    assert (made.name(), made.Class(), made.input(0)) == ("Doubler1", "Group", dot)
    assert made.shown()


def test_stands_alone() -> None:
    """A bare Python finds it on ``sys.path`` under its own name: nothing of ours is imported."""
    text = "import nuke, sys; n = nuke.nodes.Grade(); print(n.name(), 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(HOST)!r}); {text}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["Grade1", "False"], "")
