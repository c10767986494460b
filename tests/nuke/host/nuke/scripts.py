"""Scripts as text: reading ``.nk`` and ``.gizmo``, and writing what was copied."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import tcl
from .classes import KNOBS
from .knobs import Array_Knob, EvalString_Knob, Knob, definition_of, user_knob
from .nodes import Group, Node, _free, here, loading, make, make_clone, root_node
from .state import session

_STACK = re.compile(r"\[stack (\d+)\]")


def read_script(text: str, paste_onto: Node | None = None) -> list[Node]:
    """Make the nodes of a script in the current group; their ``onCreate`` runs once all is there.

    Args:
        text: The script.
        paste_onto: What lies on the stack at first, and becomes ``$cut_paste_input``.

    Returns:
        The nodes made in that group.

    Raises:
        TclError: The text is damaged.
    """
    made: list[Node] = []
    with loading():
        reader = _Reader(paste_onto)
        for line in tcl.commands(text):
            reader.do(line)
        if reader.depth:
            raise tcl.TclError(f"{reader.depth} groups are not ended")
        made = reader.made
    for node in reader.all:
        if node._alive:
            node._fire("onCreate", None)
    return made


class _Reader:
    """One script on its way in."""

    def __init__(self, paste_onto: Node | None) -> None:
        self.depth = 0
        self.made: list[Node] = []
        self.all: list[Node] = []
        self._variables: dict[str, Node | None] = {}
        self._stacks: list[list[Node | None]] = [[] if paste_onto is None else [paste_onto]]

    def do(self, words: list[str]) -> None:
        match words:
            case ["version", *_] | ["define_window_layout_xml", *_]:
                pass
            case ["add_layer", body]:
                layer, *channels = tcl.list_words(body)
                session.layers[layer] = channels
            case ["set", name, value]:
                found = _STACK.fullmatch(value)
                self._variables[name] = self._at(int(found[1])) if found else None
            case ["push", "0" | "{}"]:
                self._stacks[-1].append(None)
            case ["push", value]:
                name = value.removeprefix("$")
                if name not in self._variables:
                    raise tcl.TclError(f'can\'t read "{name}": no such variable')
                self._stacks[-1].append(self._variables[name])
            case ["end_group"]:
                self._end_group()
            case ["clone", name, body]:
                first = self._variables[name.removeprefix("$")]
                assert first is not None
                self._settle(make_clone(first), tcl.list_words(body))
            case ["Root", body]:
                read_body(root_node(), tcl.list_words(body))
            case [kind, body] if kind not in KNOBS and gizmo_file(kind):
                self._settle_gizmo(gizmo_file(kind), tcl.list_words(body))
            case [kind, body]:
                self._settle(make(kind), tcl.list_words(body))
            case _:
                raise tcl.TclError(f"invalid command {words}")

    def _at(self, index: int) -> Node | None:
        stack = self._stacks[-1]
        return stack[-1 - index] if index < len(stack) else None

    def _settle_gizmo(self, path: str, words: list[str]) -> None:
        """A node by the name of its gizmo: what the file holds, then what the script says."""
        within = _Reader(None)
        for line in tcl.commands(Path(path).read_text("utf-8")):
            within.do(line)
        node = within.made[0]
        self.all += within.all
        self.made += [node] if self.depth == 0 else []
        count = read_body(node, words)
        stack = self._stacks[-1]
        node._inputs = [
            stack.pop() if stack else None for _ in range(1 if count is None else count)
        ]
        stack.append(node)

    def _settle(self, node: Node, words: list[str]) -> None:
        count = read_body(node, words)
        if count is None:
            count = min(1, node.minInputs()) if node._class_name != "Group" else 1
            count = (
                0
                if node.minInputs() == node.maxInputs() == 0 and node._class_name != "Group"
                else count
            )
        stack = self._stacks[-1]
        taken = [stack.pop() if stack else None for _ in range(count)]
        node._inputs = taken
        self.all.append(node)
        if self.depth == 0:
            self.made.append(node)
        if isinstance(node, Group) and node._clone_of is None:
            node.begin()
            self._stacks.append([])
            self.depth += 1
            self._variables[f"\0{self.depth}"] = node
        else:
            stack.append(node)

    def _end_group(self) -> None:
        if not self.depth:
            raise tcl.TclError("end_group without group")
        group = self._variables[f"\0{self.depth}"]
        assert isinstance(group, Group)
        group.end()
        self.depth -= 1
        self._stacks.pop()
        self._stacks[-1].append(group)
        self.all.remove(group)  # it comes to be when all that is in it has
        self.all.append(group)


def gizmo_file(kind: str) -> str:
    """The gizmo of a name on the plug-in path; empty if there is none."""
    paths = (os.path.join(folder, f"{kind}.gizmo") for folder in session.plugin_path)
    return next((path for path in paths if os.path.isfile(path)), "")


def read_body(node: Node, words: Sequence[str]) -> int | None:
    """Set a node's knobs from its lines; how many inputs it says that it has, if it says so.

    Raises:
        TclError: A knob is not there, or a line lacks its value.
    """
    if len(words) % 2:
        raise tcl.TclError(f"{node._class_name} has a knob without a value: {words[-1]}")
    inputs = None
    for name, text in zip(words[::2], words[1::2], strict=True):
        if name == "inputs":
            inputs = sum(map(int, text.split("+")))
        elif name == "addUserKnob":
            _add(node, user_knob(tcl.list_words(text)))
        elif name == "name" and node._parent is not None:
            taken = {one.name() for one in node._parent._children if one is not node}
            node._knobs["name"]._value = _free(text, taken)
        elif name not in node._knobs:
            raise tcl.TclError(f"{node._class_name} has no knob {name}")
        elif isinstance(node._knobs[name], Array_Knob):
            node._knobs[name].fromScript(text)
        else:
            node._knobs[name]._value = text
            if name == "file_type":
                node._reveal()
    return inputs


def _add(node: Node, knob: Knob) -> None:
    if knob._name in node._knobs:
        raise tcl.TclError(f"{node._class_name} has two knobs {knob._name}")
    node.addKnob(knob)


def write_nodes(nodes: Sequence[Node], outside: str = "0") -> str:
    """The text that makes these nodes again, their connections among each other included.

    Args:
        nodes: Which; in one group.
        outside: What stands for inputs that are not among them.
    """
    lines: list[str] = []
    names: dict[int, str] = {}

    def write(node: Node) -> None:
        if id(node) in names:
            return
        for above in node._inputs:
            if above is not None and above in nodes:
                write(above)
        for above in reversed(node._inputs):
            known = names.get(id(above)) if above is not None else None
            lines.append(f"push ${known}" if known else f"push {outside if above else 0}")
        names[id(node)] = f"N{id(node):x}"
        first = node._clone_of
        if first is not None and id(first) in names:
            lines.append(f"clone ${names[id(first)]} {{")
            lines.extend(body_lines(node, only={"xpos", "ypos", "selected"}))
        else:
            lines.append(f"{node._class_name} {{")
            lines.extend(body_lines(node))
        lines.append("}")
        if isinstance(node, Group) and node._clone_of is None:
            lines.append(write_nodes(node._children) + "end_group")
        lines.append(f"set {names[id(node)]} [stack 0]")

    for node in nodes:
        write(node)
    return "".join(f"{line}\n" for line in lines)


def body_lines(node: Node, *, names: bool = True, only: set[str] | None = None) -> Iterator[str]:
    """A node's knobs that are not as by default, one a line."""
    if only is not None or names:
        yield f" inputs {len(node._inputs)}"
    user = node._user_knobs()
    for name, knob in node._knobs.items():
        if only is not None and name not in only:
            continue
        if name in user:
            yield " addUserKnob {" + " ".join(map(tcl.quoted, definition_of(knob))) + "}"
        if name == "name" and not names:
            continue
        if knob._not_default() and not (
            name in user and isinstance(knob, EvalString_Knob) and knob._value == ""
        ):
            yield f" {name} {knob.toScript()}"


def layers() -> str:
    """What makes the layers of this script known to another."""
    told = (" ".join([layer, *channels]) for layer, channels in session.layers.items())
    return "".join(f"add_layer {{{line}}}\n" for line in told)


def copied() -> str:
    """What copying the selection puts on the clipboard."""
    chosen = [node for node in here()._children if node.isSelected()]
    body = write_nodes(chosen, "$cut_paste_input")
    return f"set cut_paste_input [stack 0]\nversion 15.0 v4\n{layers()}{body}"


def paste(text: str) -> Node | None:
    """Make what was copied once more, selected; the first of it."""
    chosen = [node for node in here()._children if node.isSelected()]
    onto = chosen[0] if chosen else None
    for node in chosen:
        node.setSelected(False)
    made = read_script(text, paste_onto=onto)
    for node in made:
        node.setSelected(True)
    return made[0] if made else None
