"""The node and the scripts as text: what Nuke would trip over is found without Nuke."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lumivid_fx
from tests.nuke.host import nuke
from tests.nuke.host.nuke import tcl
from tests.nuke.host.nuke.knobs import USER_KNOB_IDS

pytest.importorskip("tkinter", reason="no tkinter, whose Tcl reads scripts (Debian: python3-tk)")

from tests.nuke.tcl_reader import (  # tkinter is known to be there
    ScriptNode,
    TclError,
    list_words,
    loose_brackets,
    read_script,
)

HERE = Path(__file__).parent
GIZMO = HERE.parents[1] / "nuke" / "LumiVid.gizmo"
SCRIPTS = [GIZMO, *sorted((HERE / "scenes").glob("*.nk"))]

TAB, BUTTON, TEXT, LINK = 20, 22, 26, 41
PYTHON = ("onCreate", "onDestroy", "knobChanged", "updateUI", "autolabel", "beforeRender")
IN_INPUT = {"first_frame", "last_frame", "width", "height", "format", "pixel_aspect"}
IN_NUKE_15 = (3, 10)
"""The oldest Python that the node meets."""


def faults(path: Path) -> list[str]:
    """All that is wrong with a script, as sentences."""
    try:
        root = read_script(path)
    except TclError as error:
        return [f"Tcl: {error}"]
    found = [f"line {line}: [ without \\" for line in loose_brackets(path.read_text("utf-8"))]
    for group in [node for node in root.walk() if node.children]:
        names = [child.name for child in group.children if not child.clone]
        found += [f"two nodes {name}" for name in sorted(set(names)) if names.count(name) > 1]
    layers = re.findall(r"^add_layer \{\w+ (.*)\}$", path.read_text("utf-8"), re.MULTILINE)
    for node in root.walk():
        found += _of_channels(node, {channel for words in layers for channel in words.split()})
        found += _of_user_knobs(node)
        found += [fault for name, text in pythons(node) for fault in _of_python(node, name, text)]
        found += [fault for name, text in node.knobs for fault in _of_text(root, node, name, text)]
    return found


def pythons(node: ScriptNode) -> Iterator[tuple[str, str]]:
    """Every Python of a node: its callbacks, and its buttons'."""
    yield from ((name, text) for name, text in node.knobs if name in PYTHON)
    for name, words in node.user_knobs.items():
        if int(words[0]) == BUTTON:
            yield name, node.option(name, "T") or ""


def _of_user_knobs(node: ScriptNode) -> Iterator[str]:
    lines = [list_words(text) for name, text in node.knobs if name == "addUserKnob"]
    names = [words[1] for words in lines]
    yield from (f"two knobs {name}" for name in sorted(set(names)) if names.count(name) > 1)
    depth = 0
    for words in lines:
        if not words[0].isdigit() or int(words[0]) not in USER_KNOB_IDS:
            yield f"{words[1]}: user knobs have no id {words[0]}"
        elif int(words[0]) == TAB and "n" in words:
            depth += int(words[words.index("n") + 1])
    if depth:
        yield f"{node.name}: {depth} groups of knobs are not ended"
    for name, words in node.user_knobs.items():
        said = [knob for knob, _ in node.knobs]
        if name in said and said.index(name) < [*said].index("addUserKnob"):
            yield f"{name} has a value before it is there"
        if int(words[0]) == LINK and "." not in (node.option(name, "T") or ""):
            yield f"{name} links to nothing"
    if {"name", "label", "xpos"} & set(names):
        yield f"{node.name}: a knob hides one of Nuke's"


def _of_channels(node: ScriptNode, known: set[str]) -> Iterator[str]:
    """Channels of an Expression that no layer makes known."""
    for name, text in node.knobs if node.kind == "Expression" else ():
        for channel in re.findall(r"\b[a-z]+\.[a-z]+\b", text) if name.startswith("expr") else []:
            if channel not in known and not channel.startswith(("parent.", "input.", "rgba.")):
                yield f"{node.name}.{name}: no layer has {channel}"


def _of_python(node: ScriptNode, name: str, text: str) -> Iterator[str]:
    if not text.strip():
        yield f"{node.name}.{name} has no Python"
        return
    try:
        tree = ast.parse(text, feature_version=IN_NUKE_15)
    except SyntaxError as error:
        yield f"{node.name}.{name}: {error.msg}"
        return
    public = set(_public_names())
    for call in ast.walk(tree):
        match call:
            case ast.Attribute(value=ast.Name(id="lv"), attr=attribute) if attribute not in public:
                yield f"{node.name}.{name}: lumivid_nuke has no {attribute}"
            case ast.Attribute(value=ast.Name(id="nuke"), attr=attr) if not hasattr(nuke, attr):
                yield f"{node.name}.{name}: nuke has no {attr}"
            case _:
                pass


def _public_names() -> list[str]:
    """`__all__` of lumivid_nuke, without importing it."""
    tree = ast.parse((GIZMO.parent / "lumivid_nuke" / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=names)):
                return [ast.literal_eval(name) for name in names]
            case _:
                pass
    return []


def _of_text(root: ScriptNode, node: ScriptNode, name: str, text: str) -> Iterator[str]:
    """Paths and names in one knob's text."""
    if name in {*PYTHON, "help"}:
        return
    if name == "addUserKnob":
        text = " ".join(list_words(text)[2:])
    if re.search(
        r"""(^|[\s"'({=])(/(home|root|tmp|Users|work|mnt|var)/|[A-Za-z]:[\\/]|file://)""", text
    ):
        yield f"{node.name}.{name}: {text!r} is a path of some machine"
    above = next((one for one in root.walk() if node in one.children), root)
    for knob in re.findall(r"\bparent\.(\w+)", text):
        if knob not in above.user_knobs:
            yield f"{node.name}.{name}: parent has no knob {knob}"
    for function in re.findall(r"\binput\.(\w+)", text) if name != "addUserKnob" else []:
        if function not in IN_INPUT:
            yield f"{node.name}.{name}: input has no {function}"


# ---- what stands --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(path: Path) -> None:
    """Tcl reads them, and nothing in them names what is not there."""
    assert faults(path) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_host_reads_as_tcl_does(path: Path) -> None:
    """The host's own reader takes the same words from a script as the real Tcl."""

    def ours(lines: list[list[str]]) -> Iterator[tuple[str, list[str]]]:
        for line in lines:
            if len(line) == 2 and line[0] not in {"push", "version", "add_layer"}:
                yield line[0], tcl.list_words(line[1])

    found_nodes = read_script(path).walk()
    nodes = [node for node in found_nodes if node.kind != "Root" and not node.clone]
    theirs = {(node.kind, *(part for pair in node.knobs for part in pair)) for node in nodes}
    found = {(kind, *words) for kind, words in ours(tcl.commands(path.read_text("utf-8")))}
    assert {one for one in found if one[0] != "Root"} == theirs
    for node in nodes:
        for name, text in node.knobs:
            if name == "addUserKnob":
                assert tcl.list_words(text) == list_words(text)


@pytest.fixture(scope="module")
def group() -> ScriptNode:
    """The node."""
    root = read_script(GIZMO)
    assert [node.kind for node in root.children] == ["Group"]
    return root.children[0]


def test_root_is_a_group(group: ScriptNode) -> None:
    """So that scripts hold the whole node, and open where nothing is installed."""
    assert group.name == "LumiVid"
    assert [node.kind for node in group.children if node.kind in {"Input", "Output"}] == [
        "Input",
        "Output",
    ]
    assert "Viewer" not in [node.kind for node in group.children]


@pytest.mark.usefixtures("host")
def test_knobs_are_those_of_the_package(group: ScriptNode) -> None:
    """Names and kinds as `lumivid_nuke.knobs` has them, dividers and tabs apart."""
    from lumivid_nuke import knobs

    kinds = {name: int(words[0]) for name, words in group.user_knobs.items()}
    ours = {
        name: kind for name, kind in kinds.items() if kind != TAB and not name.startswith("divider")
    }
    assert ours == knobs.KNOBS
    for name in knobs.HIDDEN:
        assert "+INVISIBLE" in group.user_knobs[name]
    words = {"mode": knobs.MODES, "missing": knobs.MISSING, "model_size": knobs.MODEL_SIZES}
    for name, wanted in words.items():
        assert tuple(list_words(group.option(name, "M") or "")) == wanted


def test_every_knob_is_explained(group: ScriptNode) -> None:
    """Whatever an artist can change has a tooltip and a label."""
    for name, words in group.user_knobs.items():
        if int(words[0]) not in {TAB, TEXT} and "+INVISIBLE" not in words:
            assert group.option(name, "t"), name
            assert group.option(name, "l") is not None, name


def test_every_knob_is_in_the_guide(group: ScriptNode) -> None:
    """By the label that the panel has, in the table of docs/nuke.md."""
    page = (GIZMO.parents[1] / "docs" / "nuke.md").read_text("utf-8")
    table = page.partition("## Knobs")[2].partition("## ")[0].lower()
    labels = [
        (group.option(name, "l") or "").removesuffix(" (stops)")
        for name, words in group.user_knobs.items()
        if int(words[0]) not in {TAB, TEXT} and "+INVISIBLE" not in words
    ]
    assert len(labels) > 20
    assert [label for label in labels if label.lower() not in table] == []


def test_version_is_this_release(group: ScriptNode) -> None:
    """What the panel says is what is installed."""
    assert group.option("version", "T") == lumivid_fx.__version__


def test_python_survives_a_missing_package(group: ScriptNode) -> None:
    """What Nuke calls by itself must not fail on a farm where nothing is installed."""
    for name, text in group.knobs:
        if name in {"onCreate", "knobChanged", "updateUI"}:
            match ast.parse(text).body:
                case [ast.Try(handlers=[ast.ExceptHandler(type=ast.Name(id="ImportError"))])]:
                    pass
                case _:
                    pytest.fail(f"{name} is not one try with except ImportError")
        if name == "autolabel":
            assert "lumivid" not in text


@pytest.mark.usefixtures("host")
def test_expressions_come_to_numbers() -> None:
    """Every expression is worked out, in every mode, connected or not, with windows and without."""
    for gui in (True, False):
        nuke._start(gui)
        nuke.scriptReadText(GIZMO.read_text("utf-8").replace("onCreate", "onDestroy"))
        node = nuke.toNode("LumiVid")
        assert isinstance(node, nuke.Group)
        node["knobChanged"].setValue("")
        for source in (None, nuke.nodes.Constant(first=3, last=9, color=[1, 2, 3, 1])):
            node.setInput(0, source)
            for mode in range(4):
                for missing in range(4):
                    node["mode"].setValue(mode)
                    node["missing"].setValue(missing)
                    _work_out(node)
        assert (node["first"].value(), node["last"].value()) == (3, 9)


def _work_out(group: nuke.Group) -> None:
    for node in [group, *group.nodes()]:
        for knob in node.allKnobs():
            if knob.hasExpression():
                float(str(knob.getValue()))
            elif isinstance(knob, nuke.EvalString_Knob):
                knob.evaluate()


# ---- the checks can fail ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (" mode result\n", " mode\n", "Tcl: Group has a knob without a value"),
        ("end_group", "", "Tcl: damaged.gizmo: 1 groups are not ended"),
        (" name Mask\n", " name Mask\n}\n", "^Tcl: xpos has a knob without a value"),
        ("\\[value parent.cache_dir]", "[value parent.cache_dir]", "line \\d+: \\[ without"),
        ("parent.exposure", "parent.exposer", "Exposure.value: parent has no knob exposer"),
        ("input.first_frame", "input.firstframe", "LumiVid.first: input has no firstframe"),
        ("lv.submit(", "lv.sumbit(", "LumiVid.render: lumivid_nuke has no sumbit"),
        ("nuke.thisKnob()", "nuke.thisNob()", "LumiVid.knobChanged: nuke has no thisNob"),
        (
            "lv.cancel(nuke.thisNode())",
            "lv.cancel(nuke.thisNode()",
            "LumiVid.cancel: '\\(' was never",
        ),
        (
            "import lumivid_nuke as lv\\nlv.submit(nuke.thisNode())",
            "type X = int",
            "LumiVid.render",
        ),
        ("addUserKnob {3 steps", "addUserKnob {93 steps", "steps: user knobs have no id 93"),
        ("{3 steps", "{3 seed", "two knobs seed"),
        (" name Mask\n", " name Mode\n", "two nodes Mode"),
        (
            "add_layer {lumivid lumivid.generated}\n",
            "",
            "Mask.expr0: no layer has lumivid.generated",
        ),
        ("{20 end_look l endGroup n -1}", "{20 end_look l endGroup}", "1 groups of knobs"),
        ("{2 cache_dir", "{2 cache_dir T /home/me/cache", "'.*' is a path of some machine"),
    ],
)
def test_faults_are_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    """One fault is seeded at a time."""
    text = GIZMO.read_text("utf-8")
    assert old in text
    path = tmp_path / "damaged.gizmo"
    path.write_text(text.replace(old, new, 1), "utf-8")
    found = faults(path)
    assert found
    assert any(re.search(told, fault) for fault in found), found


def test_good_tcl_is_not_refused(tmp_path: Path) -> None:
    """A clone, a mask input and a pasted head pass: the checks do not cry wolf."""
    path = tmp_path / "good.nk"
    path.write_text(
        "set cut_paste_input [stack 0]\nversion 15.0 v4\npush $cut_paste_input\n"
        'Grade {\n inputs 1+1\n label "\\[value multiply]"\n name G1\n}\nset C1 [stack 0]\n'
        "clone $C1 {\n xpos 4\n}\n"
    )
    root = read_script(path)
    assert [node.kind for node in root.children] == ["Grade", "Grade"]
    assert loose_brackets(path.read_text()) == []
