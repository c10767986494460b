"""Knobs: typed values with expressions, that fire callbacks and can be undone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import tcl
from .state import remember

if TYPE_CHECKING:
    from .nodes import Node

STARTLINE, INVISIBLE, DISABLED, DO_NOT_WRITE, NO_UNDO = 0x1000, 0x400, 0x80, 0x200, 0x80000
_FLAG_WORDS = {
    "STARTLINE": STARTLINE,
    "INVISIBLE": INVISIBLE,
    "HIDDEN": 0x40000,
    "DISABLED": DISABLED,
}


class Knob:
    """What all knobs have in common: a name, a label, text."""

    default: object = ""

    def __init__(self, name: str, label: str = "") -> None:
        self._name, self._label, self._tooltip, self._flags = name, label, "", 0
        self._owner: Node | None = None
        self._value: object = self.default
        self._default: object = self.default
        self._definition: list[str] | None = None
        self._expressions: dict[int, str] = {}
        self._pending: dict[int, str] = {}

    def _attached(self) -> bool:
        return self._owner is None or self._owner._alive

    # ---- what it is --------------------------------------------------------------------------

    def Class(self) -> str:
        return type(self).__name__

    def name(self) -> str:
        return self._name

    def setName(self, name: str) -> None:
        self._name = name

    def label(self) -> str:
        return self._label

    def tooltip(self) -> str:
        return self._tooltip

    def node(self) -> Node:
        if self._owner is None:
            raise ValueError(f"knob {self._name} has no node")
        return self._owner

    # ---- what it holds -----------------------------------------------------------------------

    def value(self, index: int = 0) -> object:
        return self._value

    def getValue(self, channel: int = -1) -> object:
        return self._value

    def setValue(self, val: object, chan: int = -1) -> bool:
        return self._set(self._checked(val))

    def hasExpression(self, index: int = -1) -> bool:
        return bool(self._expressions)

    def setExpression(self, expression: str, index: int = -1, view: str | None = None) -> bool:
        raise RuntimeError(f"{self.Class()} {self._name} takes no expression")

    def toScript(self, quote: bool = True, context: object = None) -> str:
        return tcl.quoted(self._text()) if quote else self._text()

    def fromScript(self, script: str) -> None:
        self._set(self._read(script))

    def _checked(self, value: object) -> object:
        return value

    def _read(self, text: str) -> object:
        return text

    def _text(self) -> str:
        return str(self._value)

    def _set(self, value: object) -> bool:
        old, held = self._value, dict(self._expressions)
        self._value = value
        if isinstance(self, Array_Knob):
            self._expressions.clear()
        if self._owner is None:
            return True
        if self._name == "file_type":
            self._owner._reveal()

        def back() -> None:
            self._value, self._expressions = old, held

        if not self._flags & NO_UNDO:
            remember(f"set {self._name}", back)
        if old != value or held:
            self._owner._fire_knob(self)
        return True

    def _not_default(self) -> bool:
        return self._value != self._default or bool(self._expressions)


class String_Knob(Knob):
    """Text, as it was typed."""

    def value(self, oc: object = None) -> str:
        return str(self._value)

    def _checked(self, value: object) -> object:
        if not isinstance(value, str):
            raise TypeError(f"{self.Class()} {self._name} wants a string, not {value!r}")
        return value


class EvalString_Knob(String_Knob):
    """Text with Tcl in it; :meth:`evaluate` does it."""

    def evaluate(self, frame: float | None = None) -> str:
        return self.node()._evaluate_text(self.value(), frame)


class Multiline_Eval_String_Knob(EvalString_Knob):
    """The same on several lines."""


class File_Knob(EvalString_Knob):
    """A path; frames stand as ``%04d`` or ``####``."""

    def _checked(self, value: object) -> object:
        text = super()._checked(value)
        if "\\" in str(text):
            raise ValueError(f"{self._name}: Nuke's paths have /, not \\: {text!r}")
        return text


class PythonKnob(String_Knob):
    """Python that runs at its occasion, such as ``onCreate``."""


class Script_Knob(String_Knob):
    """A button with a script."""

    def command(self) -> str:
        return self.value()

    def execute(self) -> None:
        """Press the button: what its Python raises comes out, as in Nuke's dialog."""
        self.node()._run(self.value(), self)


class PyScript_Knob(Script_Knob):
    """A Python button."""

    def __init__(self, name: str, label: str = "", command: str = "") -> None:
        super().__init__(name, label)
        self._value = self._default = command


class Text_Knob(Knob):
    """Text that only scripts change."""

    def __init__(self, name: str, label: str = "", value: str = "") -> None:
        super().__init__(name, label)
        self._value = self._default = value

    def value(self, index: int = 0) -> str:
        return str(self._value)

    def _checked(self, value: object) -> object:
        if not isinstance(value, str):
            raise TypeError(f"Text_Knob {self._name} wants a string, not {value!r}")
        return value


class Tab_Knob(Knob):
    """A tab, or the beginning or end of a group of knobs."""


class Link_Knob(Knob):
    """Another knob, shown here."""

    def getLink(self) -> str:
        return str(self._value)

    def getLinkedKnob(self) -> Knob | None:
        return self.node()._find_knob(self.getLink())

    def _target(self) -> Knob:
        knob = self.getLinkedKnob()
        if knob is None:
            raise RuntimeError(f"link {self._name}: there is no {self._value}")
        return knob

    def value(self, index: int = 0) -> object:
        return self._target().value()

    def getValue(self, channel: int = -1) -> object:
        return self._target().getValue()

    def setValue(self, val: object = None, chan: int = -1) -> bool:
        return self._target().setValue(val)


class Format_Knob(Knob):
    """A format by name, or ``width height pixel_aspect name``."""

    def _checked(self, value: object) -> object:
        return value if isinstance(value, str) else str(getattr(value, "name", lambda: value)())


class Channel_Knob(Knob):
    """Channels by the name of their layer."""

    default = "rgba"

    def _checked(self, value: object) -> object:
        if not isinstance(value, str):
            raise TypeError(f"{self._name} wants the name of a layer, not {value!r}")
        return value


class ChannelMask_Knob(Channel_Knob):
    """Channels of which each can be switched."""

    default = "all"


class Array_Knob(Knob):
    """One number or several, each of which may have an expression."""

    default: object = 0.0

    def value(self, index: int = 0) -> object:
        numbers = self._numbers()
        return self._typed(numbers[0]) if len(numbers) == 1 else numbers

    def getValue(self, channel: int = -1) -> object:
        numbers = self._numbers()
        return numbers[0] if len(numbers) == 1 else numbers

    def setValue(self, val: object, chan: int = -1) -> bool:
        checked = self._checked(val)
        if chan >= 0 and isinstance(self._value, list):
            checked = [checked if at == chan else old for at, old in enumerate(self._value)]
        return self._set(checked)

    def setExpression(self, expression: str, channel: int = -1, view: str | None = None) -> bool:
        held = dict(self._expressions)
        self._expressions[max(channel, 0)] = expression
        remember(f"expression of {self._name}", lambda: self._expressions.update(held))
        if self._owner is not None:
            self._owner._fire_knob(self)
        return True

    def _numbers(self) -> list[float]:
        held = self._value if isinstance(self._value, list) else [self._value]
        return [
            float(self.node()._evaluate(self._expressions[at], self))
            if at in self._expressions
            else float(number)
            for at, number in enumerate(held)
        ]

    def _typed(self, number: float) -> object:
        return number

    def _checked(self, value: object) -> object:
        if isinstance(value, bool | int | float):
            return float(value)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [float(number) for number in value]
        raise TypeError(f"{self.Class()} {self._name} wants a number, not {value!r}")

    def _number(self, text: str) -> float:
        return float(int(text, 16)) if text.startswith("0x") else float(text)

    def _read(self, text: str) -> object:
        words = tcl.list_words(text)
        numbers: list[float] = []
        expressions: dict[int, str] = {}
        for at, word in enumerate(words):
            try:
                numbers.append(self._number(word))
            except ValueError:
                expressions[at] = _expression(word)
                numbers.append(0.0)
        self._pending = expressions
        return numbers[0] if len(numbers) == 1 else numbers

    def fromScript(self, script: str) -> None:
        value = self._read(script)
        pending, self._pending = self._pending, {}
        self._set(value)
        self._expressions.update(pending)

    def _text(self) -> str:
        held = self._value if isinstance(self._value, list) else [self._value]
        words = [
            "{{" + tcl.quoted(self._expressions[at]) + "}}"
            if at in self._expressions
            else str(int(number))
            if float(number).is_integer()
            else f"{number:.9g}"
            for at, number in enumerate(held)
        ]
        return words[0] if len(words) == 1 else "{" + " ".join(words) + "}"

    def toScript(self, quote: bool = True, context: object = None) -> str:
        return self._text()


class Double_Knob(Array_Knob):
    """A float."""


class AColor_Knob(Array_Knob):
    """A colour, or one number for all of its channels."""


class XY_Knob(Array_Knob):
    """Two floats."""

    default = [0.0, 0.0]


class Unsigned_Knob(Array_Knob):
    """A whole number from 0 on; colours of tiles are one."""

    def _typed(self, number: float) -> object:
        return int(number)

    def _checked(self, value: object) -> object:
        if not isinstance(value, int) or value < 0:
            raise TypeError(f"{self._name} wants a whole number from 0 on, not {value!r}")
        return float(value)


class Int_Knob(Array_Knob):
    """A whole number."""

    def _typed(self, number: float) -> object:
        return int(number)

    def _checked(self, value: object) -> object:
        if not isinstance(value, bool | int | float):
            raise TypeError(f"Int_Knob {self._name} wants a whole number, not {value!r}")
        return float(int(value))


class Boolean_Knob(Array_Knob):
    """On or off."""

    def _typed(self, number: float) -> object:
        return bool(number)

    def _checked(self, value: object) -> object:
        if not isinstance(value, bool | int | float):
            raise TypeError(f"Boolean_Knob {self._name} wants a bool, not {value!r}")
        return float(bool(value))

    def _number(self, text: str) -> float:
        return {"true": 1.0, "false": 0.0}[text] if text in {"true", "false"} else float(text)

    def _text(self) -> str:
        return ("true" if self._value else "false") if not self._expressions else super()._text()


class Disable_Knob(Boolean_Knob):
    """Whether the node does nothing."""


class Enumeration_Knob(Unsigned_Knob):
    """One of several words; its number is what expressions see."""

    def __init__(self, name: str, label: str = "", values: Sequence[str] = ()) -> None:
        super().__init__(name, label)
        self._words = list(values)

    def values(self) -> list[str]:
        return list(self._words)

    def _typed(self, number: float) -> object:
        return self._words[int(number)] if 0 <= int(number) < len(self._words) else ""

    def _checked(self, value: object) -> object:
        if isinstance(value, str):
            if value not in self._words:
                raise ValueError(f"{self._name} has no {value!r}, but {self._words}")
            return float(self._words.index(value))
        return super()._checked(value)

    def _read(self, text: str) -> object:
        words = tcl.list_words(text)
        if text in self._words:
            return float(self._words.index(text))
        if len(words) == 1 and re.fullmatch(r"\d+", words[0]):
            return float(words[0])
        if text.startswith("{"):
            return super()._read(text)
        self._words.append(text)  # as Nuke does: a word of another config stays what it was
        return float(len(self._words) - 1)

    def _text(self) -> str:
        return tcl.quoted(str(self.value())) if not self._expressions else super()._text()


def _expression(word: str) -> str:
    """The expression in one element of an array's text: ``{expr}``, ``{"expr" more}``."""
    inner = tcl.list_words(word)
    if inner[0] == "curve":
        raise tcl.TclError(f"this host has no animation: {word}")
    return inner[0] if len(inner) == 1 or word.lstrip().startswith('"') else word


_BY_ID: dict[int, type[Knob]] = {
    1: EvalString_Knob, 2: File_Knob, 3: Int_Knob, 4: Enumeration_Knob, 6: Boolean_Knob,
    7: Double_Knob, 12: XY_Knob, 18: AColor_Knob, 20: Tab_Knob, 22: PyScript_Knob, 26: Text_Knob,
    41: Link_Knob, 43: Multiline_Eval_String_Knob,
}  # fmt: skip
USER_KNOB_IDS = frozenset({*_BY_ID, 13, 14, 15, 17, 19, 30, 32, 52, 68, 78, 83})
"""Of ``addUserKnob``, as far as they are known; this host makes those of :data:`_BY_ID`."""


def user_knob(definition: list[str]) -> Knob:
    """The knob of an ``addUserKnob`` line.

    Raises:
        TclError: It is none.
    """
    number, name, *rest = definition
    kind = _BY_ID.get(int(number))
    if kind is None:
        raise tcl.TclError(f"user knob {name} has the id {number}, which this host has not")
    options, at, flags = {}, 0, 0
    while at < len(rest):
        if rest[at][0] in "+-" and rest[at][1:] in _FLAG_WORDS:
            bit = _FLAG_WORDS[rest[at][1:]]
            flags = flags | bit if rest[at][0] == "+" else flags & ~bit
            at += 1
        elif rest[at] == "R":
            at += 3
        else:
            options[rest[at]] = rest[at + 1]
            at += 2
    label = options.get("l", name)
    if kind is Enumeration_Knob:
        knob: Knob = Enumeration_Knob(name, label, [w for w in tcl.list_words(options["M"]) if w])
    elif kind is PyScript_Knob:
        knob = PyScript_Knob(name, label, options.get("T", ""))
    elif kind is Text_Knob:
        knob = Text_Knob(name, label, options.get("T", ""))
    else:
        knob = kind(name, label)
        if kind is Link_Knob:
            knob._value = options.get("T", "")
    knob._tooltip, knob._flags, knob._definition = options.get("t", ""), flags, definition
    return knob


def definition_of(knob: Knob) -> list[str]:
    """The ``addUserKnob`` words of a knob, which may have been made by Python."""
    if knob._definition is not None:
        return knob._definition
    number = next(number for number, kind in _BY_ID.items() if type(knob) is kind)
    words = [str(number), knob._name, "l", knob._label]
    if isinstance(knob, Enumeration_Knob):
        words += ["M", " ".join(map(tcl.quoted, knob._words))]
    if isinstance(knob, PyScript_Knob):
        words += ["T", knob.value()]
    return [*words, *(["+INVISIBLE"] if knob._flags & INVISIBLE else [])]
