"""Nodes, groups and the root: names, inputs, frame ranges, callbacks."""

from __future__ import annotations

import os
import re
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from . import tcl
from .classes import INPUTS, KNOBS, make_knobs
from .expression import evaluate
from .knobs import Array_Knob, Knob, Link_Knob, PythonKnob
from .state import remember, session

_UNSEEN = {
    "xpos",
    "ypos",
    "selected",
    "label",
    "tile_color",
    "name",
    "gl_color",
    "indicators",
    "help",
}
_QUIET = _UNSEEN | {"autolabel", "onCreate", "knobChanged", "note_font", "note_font_size"}


class Format:
    """Size of a picture."""

    def __init__(self, width: int, height: int, pixelAspect: float = 1.0, name: str = "") -> None:
        self._width, self._height, self._aspect, self._name = width, height, pixelAspect, name

    def width(self) -> int:
        return self._width

    def height(self) -> int:
        return self._height

    def pixelAspect(self) -> float:
        return self._aspect

    def name(self) -> str:
        return self._name


class FrameRange:
    """First and last frame, and the step between."""

    def __init__(self, first: int, last: int, increment: int = 1) -> None:
        self._first, self._last, self._increment = int(first), int(last), int(increment)

    def first(self) -> int:
        return self._first

    def last(self) -> int:
        return self._last

    def increment(self) -> int:
        return self._increment

    def frames(self) -> int:
        return (self._last - self._first) // self._increment + 1

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._first, self._last + 1, self._increment))


class Node:
    """One node; after it was deleted every call raises ValueError."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise RuntimeError("nodes are made by nuke.nodes.X or nuke.createNode")

    _class_name: str
    _parent: Group | None
    _knobs: dict[str, Knob]
    _inputs: list[Node | None]
    _alive: bool
    _clone_of: Node | None
    _added: list[str]

    def _begin(self, class_name: str, parent: Group | None, knobs: dict[str, Knob]) -> None:
        self._class_name, self._parent, self._knobs = class_name, parent, knobs
        self._inputs, self._alive, self._clone_of, self._added = [], True, None, []
        for knob in knobs.values():
            if knob._owner is None:
                knob._owner = self

    def _attached(self) -> bool:
        return self._alive

    def __repr__(self) -> str:
        return f"<{self._class_name} {self._path() if self._alive else 'deleted'}>"

    # ---- name and place ----------------------------------------------------------------------

    def Class(self) -> str:
        return self._class_name

    def name(self) -> str:
        return str(self._knobs["name"]._value)

    def _path(self) -> str:
        if self._parent is None:
            return "root"
        above = "" if self._parent._parent is None else f"{self._parent._path()}."
        return f"{above}{self._knobs['name']._value}"

    def fullName(self) -> str:
        return self._path()

    def setName(self, name: str, uncollide: bool = True, updateExpressions: bool = True) -> None:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ValueError(f"{name!r} is no name of a node")
        assert self._parent is not None
        taken = {node.name() for node in self._parent._children if node is not self}
        if name in taken and not uncollide:
            raise ValueError(f"{name} is in use")
        old = self.name()
        self._knobs["name"].setValue(_free(name, taken))
        if updateExpressions:
            for node in self._parent._children:
                for knob in node._knobs.values():
                    for at, text in knob._expressions.items():
                        knob._expressions[at] = re.sub(rf"\b{old}\.", f"{self.name()}.", text)

    def parent(self) -> Group | None:
        return self._parent

    def xpos(self) -> int:
        return int(str(self._knobs["xpos"].value()))

    def ypos(self) -> int:
        return int(str(self._knobs["ypos"].value()))

    def setXYpos(self, x: int, y: int) -> None:
        self.setXpos(x)
        self.setYpos(y)

    def setXpos(self, x: int) -> None:
        self._knobs["xpos"].setValue(x)

    def setYpos(self, y: int) -> None:
        self._knobs["ypos"].setValue(y)

    def isSelected(self) -> bool:
        return bool(self._knobs["selected"].value())

    def setSelected(self, selected: bool) -> None:
        self._knobs["selected"]._value = float(selected)

    def help(self) -> str:
        return str(self._knobs["help"].value())

    def clones(self) -> int:
        first = self._clone_of or self
        return sum(n._clone_of is first for n in root_node()._all(recurse=True)) or 0

    # ---- knobs -------------------------------------------------------------------------------

    def knobs(self) -> dict[str, Knob]:
        return dict(self._knobs)

    def allKnobs(self) -> list[Knob]:
        return list(self._knobs.values())

    def knob(self, p: str, follow_link: bool = True) -> Knob | None:
        found = self._knobs.get(p)
        return found.getLinkedKnob() if isinstance(found, Link_Knob) and follow_link else found

    def __getitem__(self, name: str) -> Knob:
        if name not in self._knobs:
            raise NameError(f"knob {name} does not exist")
        return self._knobs[name]

    def addKnob(self, knob: Knob) -> None:
        if knob._name in self._knobs:
            raise ValueError(f"{self.name()} has a knob {knob._name} already")
        knob._owner, knob._definition = self, knob._definition
        self._user_knobs().append(knob._name)
        self._knobs[knob._name] = knob

    def _user_knobs(self) -> list[str]:
        first = self._clone_of or self
        return first._added

    def readKnobs(self, s: str) -> None:
        from .scripts import read_body

        read_body(self, tcl.list_words(s))

    def _reveal(self) -> None:
        """A Write has its format's knobs once it knows its format."""
        if self._class_name == "Write" and self._knobs["file_type"]._value == "exr":
            for knob in make_knobs("WriteExr"):
                if knob._name not in self._knobs:
                    knob._owner = self
                    self._knobs[knob._name] = knob

    # ---- inputs ------------------------------------------------------------------------------

    def inputs(self) -> int:
        return len(self._inputs)

    def input(self, index: int) -> Node | None:
        return self._inputs[index] if index < len(self._inputs) else None

    def minInputs(self) -> int:
        return INPUTS.get(self._class_name, (1, 1))[0]

    def maxInputs(self) -> int:
        if isinstance(self, Group):
            return sum(node._class_name == "Input" for node in self._children)
        return INPUTS.get(self._class_name, (1, 1))[1]

    def setInput(self, i: int, node: Node | None) -> bool:
        if i >= self.maxInputs():
            return False
        if node is not None and node._parent is not self._parent:
            raise ValueError(f"{node._path()} is not in the group of {self._path()}")
        if node is not None and self in _upstream(node):
            raise ValueError(f"{self.name()} would be its own input")
        old = list(self._inputs)
        self._inputs.extend([None] * (i + 1 - len(self._inputs)))
        self._inputs[i] = node

        def back() -> None:
            self._inputs = old

        remember("connect", back)
        self._fire_dummy("inputChange")
        return True

    def dependent(self, mask: int = 1, forceEvaluate: bool = True) -> list[Node]:
        peers = self._parent._children if self._parent is not None else []
        return [node for node in peers if self in node._inputs]

    def _source(self) -> Node | None:
        """The node whose frames this one's are: input 0, through the walls of groups."""
        if self._class_name == "Input" and self._parent is not None:
            names = [n for n in self._parent._children if n._class_name == "Input"]
            return self._parent.input(sorted(names, key=_number_of).index(self))
        if isinstance(self, Group):
            return next((n for n in self._children if n._class_name == "Output"), None)
        if self._class_name == "Switch" and self._inputs:
            which = int(float(str(self._knobs["which"].value())))
            return self.input(max(0, min(which, len(self._inputs) - 1)))
        return self.input(0)

    # ---- frames and pictures -----------------------------------------------------------------

    def frameRange(self) -> FrameRange:
        names = {"Read": ("first", "last"), "Constant": ("first", "last")}
        names["FrameRange"] = ("first_frame", "last_frame")
        if self._class_name in names:
            first, last = (int(str(self._knobs[name].value())) for name in names[self._class_name])
            return FrameRange(first, last)
        source = self._source()
        if source is None:
            root = root_node()
            return FrameRange(root.firstFrame(), root.lastFrame())
        found = source.frameRange()
        if self._class_name == "TimeOffset":
            by = int(str(self._knobs["time_offset"].value()))
            return FrameRange(found.first() + by, found.last() + by)
        return found

    def firstFrame(self) -> int:
        return self.frameRange().first()

    def lastFrame(self) -> int:
        return self.frameRange().last()

    def format(self) -> Format:
        from .pixels import size_of

        return Format(*size_of(self))

    def width(self) -> int:
        return self.format().width()

    def height(self) -> int:
        return self.format().height()

    def pixelAspect(self) -> float:
        return self.format().pixelAspect()

    def channels(self) -> list[str]:
        return [f"rgba.{name}" for name in ("red", "green", "blue", "alpha")]

    def error(self) -> bool:
        return False

    def metadata(self, key: str = "", time: float = 0.0, view: str = "") -> object:
        from .pixels import metadata_of

        found = metadata_of(self)
        return found.get(key) if key else found

    def opHashes(self) -> list[int]:
        return [hash(_fingerprint(self))]

    def proxy(self) -> bool:
        return root_node().proxy()

    # ---- panel and callbacks -----------------------------------------------------------------

    def showControlPanel(self, forceFloat: bool = False) -> None:
        if not session.gui:
            raise RuntimeError("showControlPanel: Invalid function call in non-gui mode")
        session.panels.append(self._path())
        self._fire_dummy("showPanel")

    def shown(self) -> bool:
        return self._path() in session.panels

    def _fire_dummy(self, name: str) -> None:
        dummy = PythonKnob(name)
        dummy._owner = self
        self._fire_knob(dummy)

    def _fire_knob(self, knob: Knob) -> None:
        if not session.loading and self._alive:
            self._fire("knobChanged", knob)

    def _fire(self, kind: str, knob: Knob | None, *, strict: bool = False) -> None:
        """Run what the node and Python want to happen; errors are told, unless `strict`."""
        key = (id(self), f"{kind} {knob._name if knob else ''}")
        if key in session.busy:
            return
        session.busy.add(key)
        session.fired.append((kind, self._path(), knob._name if knob else ""))
        calls: list[Callable[[], object]] = []
        held = self._knobs.get(kind)
        if held is not None and held._value:
            calls.append(lambda: self._run(str(held._value), knob))
        for call, wanted in session.callbacks.get(kind, []):
            if wanted in {"*", self._class_name}:
                calls.append(partial(self._within, knob, call))
        try:
            for call in calls:
                call()
        except Exception as error:
            if strict:
                raise
            session.errors.append(error)
            traceback.print_exc()
        finally:
            session.busy.discard(key)

    def _within(self, knob: Knob | None, call: Callable[[], object]) -> object:
        depth = len(session.groups)
        session.this.append((self, knob))
        if self._parent is not None:
            session.groups.append(self._parent)
        try:
            return call()
        finally:
            session.this.pop()
            del session.groups[depth:]

    def _run(self, script: str, knob: Knob | None) -> None:
        import sys

        names = {"__name__": "__main__", "nuke": sys.modules["nuke"]}
        code = compile(script, f"<{self._path()}.{knob._name if knob else 'callback'}>", "exec")
        self._within(knob, lambda: exec(code, names))

    # ---- expressions -------------------------------------------------------------------------

    def _find_node(self, name: str) -> Node | None:
        """The node that a name means here, seen from this node."""
        if name == "this":
            return self
        if name == "parent":
            return self._parent
        if name == "root":
            return root_node()
        if re.fullmatch(r"input\d*", name):
            if self._class_name == "Input":
                return self._source()
            return self.input(int(name[5:] or 0))
        peers = self._parent._children if self._parent is not None else []
        inside = self._children if isinstance(self, Group) else []
        return next((node for node in [*peers, *inside] if node.name() == name), None)

    def _find_knob(self, path: str) -> Knob | None:
        *nodes, name = path.split(".")
        node: Node | None = self
        for part in nodes:
            node = node._find_node(part) if node is not None else None
        return node._knobs.get(name) if node is not None else None

    def _evaluate(self, text: str, knob: Knob | None = None) -> float:
        return float(evaluate(text, self._look_up, self._evaluate_text))

    def _look_up(self, name: str) -> float:
        if name in {"frame", "x", "t"}:
            return float(session.frame)
        if name in {"$gui", "$GUI"}:
            return float(session.gui and not session.busy & {(0, "rendering")})
        *nodes, last = name.split(".")
        node: Node | None = self
        for part in nodes:
            node = node._find_node(part) if node is not None else None
        if node is None and nodes == ["input"]:
            node = root_node()  # nothing is connected: Nuke gives the project's
        if node is None:
            raise RuntimeError(f"{self._path()}: {name} names no node")
        if last in node._knobs:
            value = node._knobs[last].getValue()
            if not isinstance(node._knobs[last], Array_Knob):
                raise RuntimeError(f"{self._path()}: {name} is no number")
            return float(str(value))
        measured = {
            "first_frame": node.firstFrame, "last_frame": node.lastFrame, "width": node.width,
            "height": node.height, "pixel_aspect": node.pixelAspect,
        }  # fmt: skip
        if last not in measured:
            raise RuntimeError(f"{self._path()}: {name} names no knob")
        return float(measured[last]())

    def _evaluate_text(self, text: str, frame: float | None = None) -> str:
        number = int(session.frame if frame is None else frame)

        def call(words: list[str]) -> str:
            return self._command(words, number)

        done = tcl.substitute(text, call) if "[" in text else text
        done = re.sub(r"#+", lambda found: f"%0{len(found[0])}d", done)
        return re.sub(r"%0?(\d*)d", lambda found: f"{number:0{found[1] or 1}d}", done)

    def _command(self, words: list[str], frame: int) -> str:
        match words:
            case ["value" | "knob", path, *_]:
                knob = self._find_knob(path)
                if knob is None:
                    raise tcl.TclError(f"{self._path()}: [value {path}] names no knob")
                held = getattr(knob, "evaluate", knob.value)()
                if isinstance(held, bool):
                    return str(held).lower()
                return f"{held:g}" if isinstance(held, float) else str(held)
            case ["file", "exists", *path]:
                return str(int(os.path.exists(self._evaluate_text(path[-1], frame))))
            case ["file", "dirname", path]:
                return os.path.dirname(path)
            case ["file", "tail", path]:
                return os.path.basename(path)
            case ["frame"]:
                return str(frame)
            case ["format", pattern, *given]:
                return pattern % tuple(
                    int(float(word)) if "d" in pattern else word for word in given
                )
            case ["expr", *parts]:
                return f"{self._evaluate(' '.join(parts)):g}"
            case ["string", "length", text]:
                return str(len(text))
            case ["string", "equal", left, right]:
                return str(int(left == right))
            case ["getenv", name, *default]:
                return os.environ.get(name, *default)
            case ["if", condition, body, *rest]:
                truth = float(evaluate(condition, self._look_up, self._evaluate_text))
                chosen = body if truth else rest[-1] if rest else ""
                lines = tcl.commands(chosen)
                return (
                    self._command([self._evaluate_text(word, frame) for word in lines[-1]], frame)
                    if lines
                    else ""
                )
            case ["return", word]:
                return word
            case _:
                raise tcl.TclError(f"{self._path()}: this host has no Tcl command {words}")


class Group(Node):
    """A node of nodes; ``with group:`` makes it the place where nodes are made and found."""

    _children: list[Node]

    def begin(self) -> Group:
        session.groups.append(self)
        return self

    def end(self) -> None:
        if not session.groups or session.groups[-1] is not self:
            raise RuntimeError(f"{self._path()}.end() without its begin()")
        session.groups.pop()

    def __enter__(self) -> Group:
        return self.begin()

    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.end()

    def nodes(self) -> list[Node]:
        return list(self._children)

    def node(self, s: str) -> Node | None:
        return find(s, self)

    def run(self, callable: Callable[[], object]) -> object:
        with self:
            return callable()

    def output(self) -> Node | None:
        return next((n for n in self._children if n._class_name == "Output"), None)

    def _all(self, *, recurse: bool) -> Iterator[Node]:
        for node in self._children:
            yield node
            if recurse and isinstance(node, Group) and node._clone_of is None:
                yield from node._all(recurse=True)


class Root(Group):
    """The script."""

    def firstFrame(self) -> int:
        return int(str(self._knobs["first_frame"].value()))

    def lastFrame(self) -> int:
        return int(str(self._knobs["last_frame"].value()))

    def fps(self) -> int:
        return int(self.realFps())

    def realFps(self) -> float:
        return float(str(self._knobs["fps"].value()))

    def proxy(self) -> bool:
        return bool(self._knobs["proxy"].value())

    def setProxy(self, on: bool) -> None:
        self._knobs["proxy"].setValue(on)

    def modified(self) -> bool:
        return bool(session.undo_steps)

    def name(self) -> str:
        return str(self._knobs["name"]._value) or "Root"


class Viewer(Node):
    """Where pictures are looked at."""


class BackdropNode(Node):
    """A coloured ground."""


_KINDS: dict[str, type[Node]] = {
    "Group": Group,
    "Viewer": Viewer,
    "BackdropNode": BackdropNode,
    "Root": Root,
}
_root: list[Root] = []


def root_node() -> Root:
    """The script's root."""
    return _root[0]


def clear() -> None:
    """An empty script; wrappers of its nodes die."""
    if _root:
        for node in _root[0]._all(recurse=True):
            node._alive = False
    _root[:] = [Root.__new__(Root)]
    root_node()._begin("Root", None, {knob._name: knob for knob in make_knobs("Root")})
    root_node()._children = []


def here() -> Group:
    """The group in which nodes are made and found."""
    return session.groups[-1] if session.groups else root_node()


def make(class_name: str, name: str = "") -> Node:
    """A new node in the current group; its callbacks have not run.

    Raises:
        RuntimeError: There is no such class.
    """
    if class_name not in KNOBS or class_name in {"Root", "WriteExr"}:
        raise RuntimeError(f"{class_name}: Unknown command or node")
    kind = _KINDS.get(class_name, Node)
    node = kind.__new__(kind)
    node._begin(class_name, here(), {knob._name: knob for knob in make_knobs(class_name)})
    if isinstance(node, Group):
        node._children = []
    _place(node, name or f"{class_name}1")
    return node


def make_clone(first: Node) -> Node:
    """A node that shares all knobs but those of its place, its name among the shared."""
    first = first._clone_of or first
    node = type(first).__new__(type(first))
    own = {
        knob._name: knob
        for knob in make_knobs(first._class_name)
        if knob._name in {"xpos", "ypos", "selected"}
    }
    shared = {name: own.get(name, knob) for name, knob in first._knobs.items()}
    node._begin(first._class_name, here(), shared)
    node._clone_of = first
    if isinstance(node, Group) and isinstance(first, Group):
        node._children = first._children
    here()._children.append(node)
    return node


def _place(node: Node, name: str) -> None:
    group = here()
    taken = {other.name() for other in group._children}
    node._knobs["name"]._value = _free(name, taken)
    group._children.append(node)

    def back() -> None:
        group._children.remove(node)
        node._alive = False

    remember(f"create {name}", back)


def delete(node: Node) -> None:
    """Take a node out; what hung on it hangs on its first input."""
    group = node._parent
    assert group is not None
    node._fire("onDestroy", None)
    hung = [(other, list(other._inputs)) for other in node.dependent()]
    for other, _ in hung:
        other._inputs = [node.input(0) if one is node else one for one in other._inputs]
    at = group._children.index(node)
    del group._children[at]
    inside = list(node._all(recurse=True)) if isinstance(node, Group) and not node.clones() else []
    for one in [node, *inside]:
        one._alive = False

    def back() -> None:
        group._children.insert(at, node)
        for one in [node, *inside]:
            one._alive = True
        for other, held in hung:
            other._inputs = held

    remember(f"delete {node._knobs['name']._value}", back)


def find(name: str, group: Group) -> Node | None:
    """The node of a name, ``Group1.Read1`` or ``root.Group1.Read1``, seen from a group."""
    node: Node | None = group
    for part in name.split("."):
        if part == "root":
            node = root_node()
        elif part == "this" and session.this:
            node = session.this[-1][0]
        elif part == "parent" and node is not None:
            node = node._parent
        elif isinstance(node, Group):
            node = next((one for one in node._children if one.name() == part), None)
        else:
            node = None
    return node


@contextmanager
def loading() -> Iterator[None]:
    """While a script is read no knob fires and nothing is taken down for undo."""
    session.loading += 1
    try:
        yield
    finally:
        session.loading -= 1


def _free(name: str, taken: set[str]) -> str:
    stem = name.rstrip("0123456789")
    count = int(name[len(stem) :] or 0)
    while name in taken:
        count += 1
        name = f"{stem}{count}"
    return name


def _upstream(node: Node) -> set[Node]:
    found, waiting = {node}, [node]
    while waiting:
        for one in waiting.pop()._inputs:
            if one is not None and one not in found:
                found.add(one)
                waiting.append(one)
    return found


def _number_of(node: Node) -> float:
    return float(str(node._knobs["number"]._value))


def _fingerprint(node: Node) -> tuple[object, ...]:
    """What decides about a node's picture: knobs as they come out now, and what is above."""
    knobs: list[object] = []
    if not isinstance(node, Group):
        for name, knob in sorted(node._knobs.items()):
            if name not in _QUIET:
                told = getattr(knob, "evaluate", knob.value)()
                knobs.append((name, str(told) if isinstance(told, list) else told))
    above = (
        [node._source()] if isinstance(node, Group) or node._class_name == "Input" else node._inputs
    )
    return (node._class_name, *knobs, *(_fingerprint(one) for one in above if one is not None))
