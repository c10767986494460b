"""Scripts read by the real Tcl, in an interpreter that can do nothing but read.

Every command that a script may hold is an alias that takes its words down; all others are gone. So
what Nuke's own Tcl would trip over, trips here: braces, quotes, substitution.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from tkinter import Tcl, TclError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ScriptNode", "TclError", "list_words", "loose_brackets", "read_script"]

_COMMANDS = {"version", "push", "add_layer", "clone", "define_window_layout_xml", "end_group"}
_TCL = Tcl()
_SCRIPT = """
set inner [interp create -safe]
foreach one [interp eval $inner {info commands}] {
    if {$one ne "set"} { interp hide $inner $one }
}
interp alias $inner unknown {} noted
interp alias $inner stack {} noted stack
"""


@dataclass
class ScriptNode:
    """A node as it stands in a script.

    Attributes:
        kind: Its class.
        knobs: Names and texts, in order; `addUserKnob` as often as it stands there.
        children: Of a group.
        inputs: What it is connected to, by the rules of the stack.
        clone: Whether it shares another's knobs, its name among them.
    """

    kind: str
    knobs: list[tuple[str, str]]
    children: list[ScriptNode] = field(default_factory=list)
    inputs: list[ScriptNode | None] = field(default_factory=list)
    clone: bool = False

    def value(self, name: str, default: str = "") -> str:
        """The text of a knob."""
        return next((text for knob, text in self.knobs if knob == name), default)

    @property
    def name(self) -> str:
        """What it is called; its class where nothing is said."""
        return self.value("name", self.kind)

    @property
    def user_knobs(self) -> dict[str, list[str]]:
        """The words of each `addUserKnob`, by the knob's name."""
        lines = [list_words(text) for name, text in self.knobs if name == "addUserKnob"]
        return {words[1]: words for words in lines}

    def option(self, knob: str, letter: str) -> str | None:
        """An option of a user knob: `l` label, `t` tooltip, `T` script, `M` words."""
        words = self.user_knobs[knob][2:]
        return words[words.index(letter) + 1] if letter in words else None

    def walk(self) -> Iterator[ScriptNode]:
        """It and all that is inside."""
        yield self
        for child in self.children:
            yield from child.walk()


def list_words(text: str) -> list[str]:
    """The elements of a list, as Tcl takes it apart.

    Raises:
        TclError: It is none.
    """
    return [str(word) for word in _TCL.splitlist(text)]


def read_script(path: Path) -> ScriptNode:
    """Read a ``.nk`` or ``.gizmo``.

    Returns:
        A root that holds the script's nodes.

    Raises:
        TclError: Tcl refuses it, or a node lacks a value or a group its end.
    """
    reader = _Reader()
    tcl = Tcl()
    tcl.createcommand("noted", reader.noted)
    tcl.eval(_SCRIPT)
    tcl.setvar("text", path.read_text("utf-8"))
    try:
        tcl.eval("interp eval $inner $text")
    except TclError as error:
        raise TclError(str(error) or "; ".join(reader.faults)) from None
    if len(reader.groups) != 1:
        raise TclError(f"{path.name}: {len(reader.groups) - 1} groups are not ended")
    return reader.groups[0]


class _Reader:
    """What a script has said so far."""

    def __init__(self) -> None:
        self.groups = [ScriptNode("Root", [])]
        self._stacks: list[list[ScriptNode | None]] = [[]]
        self._marks: list[ScriptNode | None] = []
        self.faults: list[str] = []

    def noted(self, *words: str) -> str:
        """One command; `set x [stack 0]` keeps the number that stands for a node."""
        try:
            return self._noted(words)
        except TclError as error:
            self.faults.append(str(error))  # on its way through Tcl it loses its words
            raise

    def _noted(self, words: tuple[str, ...]) -> str:
        match words:
            case ["stack", index]:
                stack = self._stacks[-1]
                self._marks.append(stack[-1 - int(index)] if int(index) < len(stack) else None)
                return f"node{len(self._marks) - 1}"
            case ["push", mark]:
                known = mark.startswith("node")
                self._stacks[-1].append(self._marks[int(mark[4:])] if known else None)
            case ["end_group"]:
                if len(self.groups) == 1:
                    raise TclError("end_group without group")
                self._stacks.pop()
                self._stacks[-1].append(self.groups.pop())
            case ["clone", mark, body]:
                first = self._marks[int(mark[4:])]
                if first is None:
                    raise TclError("clone of nothing")
                knobs = [*_pairs("clone", body), *first.knobs]
                self._settle(ScriptNode(first.kind, knobs, clone=True), body, opens=False)
            case [command, *_] if command in _COMMANDS:
                pass
            case [kind, body]:
                opens = kind in {"Group", "Gizmo", "LiveGroup"}
                self._settle(ScriptNode(kind, _pairs(kind, body)), body, opens=opens)
            case _:
                raise TclError(f"invalid command {words}")
        return ""

    def _settle(self, node: ScriptNode, body: str, *, opens: bool) -> None:
        if node.kind == "Root":
            self.groups[0].knobs = node.knobs
            return
        said = dict(_pairs(node.kind, body)).get("inputs")
        count = sum(map(int, said.split("+"))) if said else int(node.kind not in {"Input", "Read"})
        stack = self._stacks[-1]
        node.inputs = [stack.pop() if stack else None for _ in range(count)]
        self.groups[-1].children.append(node)
        if opens:
            self.groups.append(node)
            self._stacks.append([])
        else:
            stack.append(node)


def _pairs(kind: str, body: str) -> list[tuple[str, str]]:
    words = list_words(body)
    if len(words) % 2:
        raise TclError(f"{kind} has a knob without a value: {words[-1]}")
    return list(zip(words[::2], words[1::2], strict=True))


def loose_brackets(text: str) -> list[int]:
    """Lines with a ``[`` inside quotes that no backslash stands before.

    Nuke substitutes it when the script is read; Tcl's braces around the body hide it from
    :func:`read_script`. Outside of quotes a bracket belongs to `set x [stack 0]`.
    """
    found, quoted, line, at = [], False, 1, 0
    while at < len(text):
        char = text[at]
        line += char == "\n"
        if char == "\\":
            line += text[at + 1 : at + 2] == "\n"
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char == "[" and quoted:
            found.append(line)
        at += 1
    return found
