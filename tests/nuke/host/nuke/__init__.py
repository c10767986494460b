"""A small ``nuke`` in memory: the rules of Nuke that the LumiVid node meets, and none of its looks.

It knows nodes, knobs, groups, scripts, callbacks, undo and threads as Nuke documents them, and does
render: Reads read files, Writes write them. Names and signatures are those of types-nuke, which
``tests/nuke/test_conforms.py`` holds. What it does not know raises; nothing passes silently.

Tests steer it by :mod:`nuke.state`: :func:`~nuke.state.reset` and what the session remembers.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import IO

from . import nodes as _graph
from . import pixels as _pixels
from . import scripts as _scripts
from .classes import KNOBS as _CLASSES
from .expression import evaluate as _evaluate
from .knobs import (
    DISABLED,
    DO_NOT_WRITE,
    INVISIBLE,
    NO_UNDO,
    STARTLINE,
    AColor_Knob,
    Array_Knob,
    Boolean_Knob,
    Channel_Knob,
    ChannelMask_Knob,
    Disable_Knob,
    Double_Knob,
    Enumeration_Knob,
    EvalString_Knob,
    File_Knob,
    Format_Knob,
    Int_Knob,
    Knob,
    Link_Knob,
    Multiline_Eval_String_Knob,
    PyScript_Knob,
    PythonKnob,
    Script_Knob,
    String_Knob,
    Tab_Knob,
    Text_Knob,
    Unsigned_Knob,
    XY_Knob,
)
from .nodes import BackdropNode, Format, FrameRange, Group, Node, Root, Viewer
from .state import guard_class as _guard_class
from .state import guarded as _guarded
from .state import queue_call as _queue_call
from .state import reset as _reset
from .state import session as _session

__all__ = [
    "DISABLED",
    "DO_NOT_WRITE",
    "INVISIBLE",
    "NO_UNDO",
    "STARTLINE",
    "AColor_Knob",
    "Array_Knob",
    "BackdropNode",
    "Boolean_Knob",
    "ChannelMask_Knob",
    "Channel_Knob",
    "Disable_Knob",
    "Double_Knob",
    "Enumeration_Knob",
    "EvalString_Knob",
    "File_Knob",
    "Format",
    "Format_Knob",
    "FrameRange",
    "Group",
    "Int_Knob",
    "Knob",
    "Link_Knob",
    "Multiline_Eval_String_Knob",
    "Node",
    "PyScript_Knob",
    "PythonKnob",
    "Root",
    "Script_Knob",
    "String_Knob",
    "Tab_Knob",
    "Text_Knob",
    "Unsigned_Knob",
    "Viewer",
    "XY_Knob",
]
"""What other modules of the host bring; all that is defined below is as public."""

NUKE_VERSION_STRING = "15.0v4"
NUKE_VERSION_MAJOR, NUKE_VERSION_MINOR, NUKE_VERSION_RELEASE = 15, 0, 4
ALL, REPLACE, TO_SCRIPT, INPUTS, HIDDEN_INPUTS, EXPRESSIONS = 1, 2, 1, 1, 2, 4
GUI = True
env: dict[str, object] = {}


def _start(gui: bool = True) -> None:
    """Begin anew, as a Nuke that was just started; for tests."""
    global GUI
    GUI = gui
    _reset(gui)
    _graph.clear()
    _menus.clear()
    env.update(gui=gui, interactive=gui, nc=False, indie=False, studio=False, nukex=False)
    env.update(NukeVersionMajor=15, NukeVersionMinor=0, NukeVersionString=NUKE_VERSION_STRING)


# ---- errors, words and questions ---------------------------------------------------------------


class CancelledError(Exception):
    """The user stopped it."""


def tprint(*args: object, sep: str = " ", end: str = "\n", file: IO[str] | None = None) -> None:
    _session.told.append(("tprint", sep.join(map(str, args))))


def _tell(how: str, text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"nuke.{how} wants a string, not {text!r}")
    _session.told.append((how, text))


def _answer(how: str, text: str) -> object:
    _tell(how, text)
    if not _session.gui:
        raise RuntimeError(f"nuke.{how}: Invalid function call in non-gui mode")
    assert _session.answers, f"nuke.{how}({text!r}) was not expected"
    return _session.answers.pop(0)


def message(prompt: str) -> None:
    _tell("message", prompt)
    if not _session.gui:
        raise RuntimeError(f"nuke.message in non-gui mode: {prompt}")


def error(message: str) -> None:
    _tell("error", message)


def ask(prompt: str) -> bool:
    return bool(_answer("ask", prompt))


def choice(title: str, prompt: str, options: Sequence[str], default: int = 0) -> object:
    """The index of what was chosen; None if the user cancels."""
    answer = _answer("choice", prompt)
    return options.index(answer) if isinstance(answer, str) else answer


def getFilename(
    message: str,
    pattern: str = "",
    default: str = "",
    favorites: str = "",
    type: str = "",
    multiple: bool = False,
) -> object:
    return _answer("getFilename", message)


# ---- threads and progress ----------------------------------------------------------------------


def executeInMainThread(
    call: Callable[..., object], args: object = (), kwargs: dict[str, object] = {}
) -> None:
    _queue_call(partial(call, *_tuple(args), **kwargs), wait=False)


def executeInMainThreadWithResult(
    call: Callable[..., object], args: object = (), kwargs: dict[str, object] = {}
) -> object:
    return _queue_call(partial(call, *_tuple(args), **kwargs), wait=True)


def _tuple(args: object) -> tuple[object, ...]:
    return args if isinstance(args, tuple) else (args,)


class ProgressTask:
    """A bar; Nuke lets every thread hold one. Tests find it in ``session.tasks`` and cancel it."""

    def __init__(self, name: str = "") -> None:
        self._name, self._progress, self._message = name, 0, ""
        self._cancelled, self._lock = False, threading.Lock()
        self._history: list[tuple[int, str]] = []
        _session.tasks.append(self)

    def setProgress(self, i: object) -> None:
        if not isinstance(i, int) or not 0 <= i <= 100:
            raise TypeError(f"setProgress wants a whole number from 0 to 100, not {i!r}")
        with self._lock:
            self._progress = i
            self._history.append((i, self._message))

    def setMessage(self, s: object) -> None:
        if not isinstance(s, str):
            raise TypeError(f"setMessage wants a string, not {s!r}")
        self._message = s

    def isCancelled(self) -> bool:
        return self._cancelled


class Undo:
    """The history; every method is Nuke's class method."""

    def __init__(self, name: str = "") -> None:
        self._named = name

    def __enter__(self) -> Undo:
        Undo.begin(self._named)
        return self

    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        Undo.end()

    @classmethod
    def begin(cls, name: str = "") -> None:
        if not _session.undo_open and not _session.undo_off:
            _session.undo_steps.append((name, []))
        _session.undo_open.append(name)

    @classmethod
    def end(cls) -> None:
        if not _session.undo_open:
            raise RuntimeError("Undo.end() without begin()")
        _session.undo_open.pop()
        if not _session.undo_open and _session.undo_steps and not _session.undo_steps[-1][1]:
            _session.undo_steps.pop()

    @classmethod
    def cancel(cls) -> None:
        cls.end()
        cls.undo()

    @classmethod
    def name(cls, name: str = "") -> None:
        _session.undo_steps[-1] = (name, _session.undo_steps[-1][1])

    @classmethod
    def new(cls, name: str = "") -> None:
        cls.end()
        cls.begin(name)

    @classmethod
    def disable(cls) -> None:
        _session.undo_off += 1

    @classmethod
    def enable(cls) -> None:
        if not _session.undo_off:
            raise RuntimeError("Undo.enable() without disable()")
        _session.undo_off -= 1

    @classmethod
    def disabled(cls) -> bool:
        return bool(_session.undo_off)

    @classmethod
    def undoSize(cls) -> int:
        return len(_session.undo_steps)

    @classmethod
    def undoDescribe(cls, n: int = 0) -> str:
        return _session.undo_steps[-1 - n][0]

    @classmethod
    def undo(cls) -> None:
        _session.undone += 1
        try:
            for back in reversed(_session.undo_steps.pop()[1]):
                back()
        finally:
            _session.undone -= 1


def undo() -> None:
    Undo.undo()


# ---- nodes -------------------------------------------------------------------------------------


class Nodes:
    """``nuke.nodes.X(knob=value)``: a node without panel, connected to nothing."""

    def __getattr__(self, name: str) -> Callable[..., Node]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _guarded(partial(_made, name), f"nodes.{name}")


nodes = Nodes()


def _made(kind: str, *args: object, **given: object) -> Node:
    node = _new(kind)
    for name, value in given.items():
        if name == "inputs":
            assert isinstance(value, list)
            for index, source in enumerate(value):
                node.setInput(index, source)
        elif name == "name":
            node.setName(str(value))
        else:
            node[name].setValue(value)
    node._fire("onCreate", None)
    return node


def _new(kind: str) -> Node:
    """A node of a class, or what a gizmo on the plug-in path holds."""
    if kind in _CLASSES:
        return _graph.make(kind)
    path = _scripts.gizmo_file(kind)
    if path:
        with open(path, encoding="utf-8") as file:
            made = _scripts.read_script(file.read())
        made[0].setName(made[0].name().rstrip("0123456789") + "1")
        return made[0]
    raise RuntimeError(f"{kind}: Unknown command or node")


def createNode(typ: str, knobs: str = "", inpanel: bool = True) -> Node:
    """What the Nodes menu does: connected to the selection, selected, its panel open."""
    if not _session.gui:
        raise RuntimeError("createNode: Invalid function call in non-gui mode")
    chosen = selectedNodes()
    made = _new(typ)
    if knobs:
        made.readKnobs(knobs)
    if chosen and made.maxInputs():
        made.setInput(0, chosen[0])
    for other in chosen:
        other.setSelected(False)
    made.setSelected(True)
    if typ in _CLASSES:
        made._fire("onCreate", None)
    if inpanel:
        made.showControlPanel()
    return made


def toNode(s: str) -> Node | None:
    return _graph.find(s, _graph.here())


def exists(s: str) -> bool:
    return toNode(s) is not None


def root() -> Root:
    return _graph.root_node()


def allNodes(
    filter: str = "", group: Group | None = None, recurseGroups: bool = False
) -> list[Node]:
    found = (group or _graph.here())._all(recurse=recurseGroups)
    return [node for node in found if filter in {"", node.Class()}]


def selectedNodes(filter: str = "") -> list[Node]:
    """Last selected first, as Nuke has it; here the last made."""
    found = [node for node in reversed(_graph.here()._children) if node.isSelected()]
    return [node for node in found if filter in {"", node.Class()}]


def selectedNode() -> Node:
    found = selectedNodes()
    if not found:
        raise ValueError("no node selected")
    return found[0]


def delete(n: Node) -> None:
    _graph.delete(n)


def thisNode() -> Node:
    if not _session.this:
        raise ValueError("no node is current: this is no callback")
    return _session.this[-1][0]


def thisKnob() -> Knob:
    knob = _session.this[-1][1] if _session.this else None
    if knob is None:
        raise ValueError("no knob is current: this is no callback of one")
    return knob


def thisGroup() -> Group:
    return _graph.here()


def endGroup() -> None:
    _session.groups.pop()


def clone(n: Node, args: str = "", inpanel: bool = True) -> Node:
    made = _graph.make_clone(n)
    if args:
        made.readKnobs(args)
    return made


def nodeCopy(s: str) -> None:
    """Copy the selection, into a file or ``%clipboard%``."""
    text = _scripts.copied()
    if s == "%clipboard%":
        _session.clipboard = text
    else:
        with open(s, "w", encoding="utf-8") as file:
            file.write(text)


def nodePaste(s: str) -> Node | None:
    if s == "%clipboard%":
        return _scripts.paste(_session.clipboard)
    with open(s, encoding="utf-8") as file:
        return _scripts.paste(file.read())


# ---- scripts -----------------------------------------------------------------------------------


def scriptReadText(s: str) -> None:
    _scripts.read_script(s)


def scriptReadFile(s: str) -> None:
    with open(s, encoding="utf-8") as file:
        _scripts.read_script(file.read())


def scriptOpen(filename: str | None = None) -> None:
    assert filename is not None, "nobody is there to choose one"
    _graph.clear()
    _session.undo_steps.clear()
    root()._knobs["name"]._value = filename.replace(os.sep, "/")
    scriptReadFile(filename)
    root()._knobs["name"]._value = filename.replace(os.sep, "/")
    root()._fire("onScriptLoad", None)


def scriptSaveAs(filename: str | None = None, overwrite: bool = False) -> None:
    assert filename is not None, "nobody is there to choose one"
    if os.path.exists(filename) and not overwrite:
        raise RuntimeError(f"{filename} exists")
    root()._knobs["name"]._value = filename.replace(os.sep, "/")
    lines = "\n".join(_scripts.body_lines(root()))
    with open(filename, "w", encoding="utf-8") as file:
        body = f"{_scripts.layers()}{_scripts.write_nodes(root().nodes())}"
        file.write(f"version 15.0 v4\nRoot {{\n{lines}\n}}\n{body}")


def scriptClear() -> None:
    _graph.clear()


def scriptName() -> str:
    name = root().name()
    if name == "Root":
        raise RuntimeError("there is no script name")
    return name


def modified() -> bool:
    return root().modified()


# ---- values ------------------------------------------------------------------------------------


def expression(s: str) -> float:
    place = _session.this[-1][0] if _session.this else root()
    return float(_evaluate(s, place._look_up, place._evaluate_text))


def value(knob: str, default: str | None = None) -> str:
    place = _session.this[-1][0] if _session.this else _graph.here()
    found = place._find_knob(knob)
    if found is None:
        if default is None:
            raise NameError(f"there is no {knob}")
        return default
    return str(found.value())


def frame(f: int | None = None) -> int:
    if f is not None:
        _session.frame = int(f)
    return _session.frame


def filename(node: Node, i: int = 0) -> str | None:
    knob = node.knob("file")
    if knob is None:
        return None
    text = str(knob.value())
    if i != REPLACE:
        return (
            node._evaluate_text(text.replace("%", "\0").replace("#", "\1"))
            .replace("\0", "%")
            .replace("\1", "#")
        )
    return node._evaluate_text(text)


def views() -> list[str]:
    return ["main"]


class ViewerProcess:
    """How a viewer shows pictures."""

    @staticmethod
    def registeredNames() -> list[str]:
        return ["None", "sRGB", "rec709", "rec1886"]


# ---- rendering ---------------------------------------------------------------------------------


def execute(
    nameOrNode: Node | str,
    start: int | None = None,
    end: int | None = None,
    incr: int = 1,
    views: Sequence[str] = (),
    continueOnError: bool = False,
) -> None:
    """Render a Write; raises RuntimeError, ``Cancelled`` if the user cancels."""
    node = toNode(nameOrNode) if isinstance(nameOrNode, str) else nameOrNode
    if node is None or node.Class() != "Write":
        raise RuntimeError(f"{nameOrNode}: not an executable node")
    first = node.firstFrame() if start is None else int(start)
    last = node.lastFrame() if end is None else int(end)
    _session.executed.append((node.fullName(), first, last))
    node._fire("beforeRender", None, strict=True)
    for count, number in enumerate(range(first, last + 1, incr)):
        if _session.cancel_after is not None and count >= _session.cancel_after:
            raise RuntimeError("Cancelled")
        node._fire("beforeFrameRender", None, strict=True)
        _pixels.render(node, number)
        node._fire("afterFrameRender", None, strict=True)
    node._fire("afterRender", None, strict=True)


render = execute


def sample(node: Node, channel: str, x: float, y: float, dx: float = 1, dy: float = 1) -> float:
    """One pixel, the bottom line first; nothing is averaged."""
    picture = _pixels.picture_of(node, _session.frame, ())
    at = {"red": 0, "green": 1, "blue": 2, "alpha": 3}[channel.rsplit(".", maxsplit=1)[-1]]
    return float(picture[picture.shape[0] - 1 - int(y), int(x), at])


# ---- callbacks ---------------------------------------------------------------------------------


def _add_callback(kind: str, call: Callable[..., object], nodeClass: str) -> None:
    _session.callbacks.setdefault(kind, []).append((call, nodeClass))


def addKnobChanged(
    call: Callable[..., object],
    args: object = (),
    kwargs: object = {},
    nodeClass: str = "*",
    node: Node | None = None,
) -> None:
    _add_callback("knobChanged", call, nodeClass)


# ---- plug-ins and menus ------------------------------------------------------------------------


def pluginAddPath(args: str | Sequence[str], addToSysPath: bool = True) -> None:
    """Put folders before the others; their ``init.py`` runs."""
    beside = os.path.dirname(sys._getframe(2).f_code.co_filename)  # 1 is the guard
    for named in [args] if isinstance(args, str) else args:
        folder = os.path.join(beside, named)
        _session.plugin_path.insert(0, folder)
        if addToSysPath and folder not in sys.path:
            sys.path.insert(0, folder)
        _run_file(os.path.join(folder, "init.py"))


def _boot(nuke_path: str, gui: bool) -> None:
    """Start as Nuke does with this NUKE_PATH: each ``init.py``, then each ``menu.py`` in a GUI."""
    _start(gui)
    for folder in reversed(nuke_path.split(os.pathsep)):
        pluginAddPath(folder)
    if gui:
        for folder in reversed(_session.plugin_path):
            _run_file(os.path.join(folder, "menu.py"))


def _run_file(path: str) -> None:
    if os.path.isfile(path):
        runpy.run_path(path, {"nuke": sys.modules[__name__]})


class MenuItem:
    """An entry."""

    def __init__(self, name: str, command: object = "") -> None:
        self._title, self._command = name, command

    def name(self) -> str:
        return self._title

    def invoke(self) -> None:
        """Choose it."""
        if callable(self._command):
            self._command()
        else:
            exec(str(self._command), {"nuke": sys.modules[__name__]})


class Menu(MenuItem):
    """Entries under a name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._items: list[MenuItem] = []

    def addCommand(
        self, name: str, command: object = "", shortcut: str = "", icon: str = "",
        tooltip: str = "", index: int = -1, readonly: bool = False, shortcutContext: int = 0,
    ) -> MenuItem:  # fmt: skip
        *above, last = name.split("/")
        menu: Menu = self
        for part in above:
            menu = menu.addMenu(part)
        item = MenuItem(last, command)
        menu._items.append(item)
        return item

    def addMenu(self, name: str, icon: str = "", tooltip: str = "", index: int = -1) -> Menu:
        found = self.menu(name)
        if found is None:
            found = Menu(name)
            self._items.append(found)
        return found

    def menu(self, name: str) -> Menu | None:
        found = self.findItem(name)
        return found if isinstance(found, Menu) else None

    def findItem(self, name: str) -> MenuItem | None:
        first, _, rest = name.partition("/")
        found = next((item for item in self._items if item.name() == first), None)
        return found.findItem(rest) if rest and isinstance(found, Menu) else found

    def items(self) -> list[MenuItem]:
        return list(self._items)


_menus: dict[str, Menu] = {}


def menu(name: str) -> Menu:
    if not _session.gui:
        raise RuntimeError("nuke.menu: Invalid function call in non-gui mode")
    if name not in {
        "Nuke",
        "Nodes",
        "Node Graph",
        "Properties",
        "Animation",
        "Viewer",
        "Pane",
        "Axis",
    }:
        raise RuntimeError(f"there is no menu {name}")
    return _menus.setdefault(name, Menu(name))


# ---- the rules ---------------------------------------------------------------------------------

_FREE = {"executeInMainThread", "executeInMainThreadWithResult", "tprint"}
_FREE |= {"ProgressTask", "CancelledError", "Nodes", "nodes"}
for _name, _member in list(globals().items()):
    if _name.startswith("_") or _name in _FREE:
        continue
    if not getattr(_member, "__module__", "").startswith(__name__):
        continue
    if isinstance(_member, type):
        _guard_class(_member)
    elif callable(_member):
        globals()[_name] = _guarded(_member, _name)

_start()
