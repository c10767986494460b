"""Nuke's expressions, as far as the node uses them, on numbers and on whole pictures."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

Number = Any  # a float, or an array of them: numpy is not there in every Python this runs in
Lookup = Callable[[str], Number]

_WORD = re.compile(
    r"\s*(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|[A-Za-z_$][\w.$]*|&&|\|\||[<>=!]=|\*\*|[-+*/%^?:(),<>!\[])"
)
_LEVELS: list[dict[str, Callable[[Number, Number], Number]]] = [
    {"||": lambda a, b: ((a != 0) + (b != 0) > 0) * 1.0},
    {"&&": lambda a, b: (a != 0) * (b != 0) * 1.0},
    {"==": lambda a, b: (a == b) * 1.0, "!=": lambda a, b: (a != b) * 1.0},
    {
        "<": lambda a, b: (a < b) * 1.0,
        "<=": lambda a, b: (a <= b) * 1.0,
        ">": lambda a, b: (a > b) * 1.0,
        ">=": lambda a, b: (a >= b) * 1.0,
    },
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": operator.truediv, "%": operator.mod},
    {"^": operator.pow, "**": operator.pow},
]
_SIGNS: dict[str, Callable[[Number], Number]] = {
    "-": operator.neg,
    "+": operator.pos,
    "!": lambda value: (value == 0) * 1.0,
}
_ONE: dict[str, str] = {name: name for name in ("floor", "ceil", "exp", "sqrt", "log", "fabs")}
_ONE["abs"] = "fabs"
FUNCTIONS = {"pow", "min", "max", "clamp", "int", "rint", "lerp", *_ONE}
"""What may be called; a name of another function is an error, as in Nuke."""


class ExpressionError(RuntimeError):
    """An expression that Nuke would show as an error on the node."""


def evaluate(text: str, lookup: Lookup, tcl: Callable[[str], str]) -> Number:
    """The value of an expression.

    Args:
        text: Such as ``pow(2, parent.exposure)``.
        lookup: Gives the value of a name.
        tcl: Does the ``[commands]`` of a text.

    Raises:
        ExpressionError: It cannot be read, or names what is not there.
    """
    return _Reader(text, lookup, tcl).whole()


class _Reader:
    """One expression, read once and worked out at the same time."""

    def __init__(self, text: str, lookup: Lookup, tcl: Callable[[str], str]) -> None:
        self._text, self._at = text, 0
        self._lookup, self._tcl = lookup, tcl
        self._asleep = 0  # inside the branch of a condition that is not taken

    def whole(self) -> Number:
        value = self._choice()
        if self._text[self._at :].strip():
            raise ExpressionError(f"cannot read {self._text!r} from {self._text[self._at :]!r} on")
        return value

    def _peek(self) -> str:
        found = _WORD.match(self._text, self._at)
        return found[1] if found else ""

    def _take(self, wanted: str = "") -> str:
        found = _WORD.match(self._text, self._at)
        if found is None or (wanted and found[1] != wanted):
            raise ExpressionError(f"{self._text!r} lacks {wanted or 'a value'}")
        self._at = found.end()
        return found[1]

    def _choice(self) -> Number:
        condition = self._level(0)
        if self._peek() != "?":
            return condition
        self._take("?")
        whole = not hasattr(condition, "shape")
        yes = self._branch(whole and not condition)
        self._take(":")
        no = self._branch(whole and bool(condition))
        if whole:
            return yes if condition else no
        import numpy as np

        return np.where(condition, yes, no)

    def _branch(self, idle: bool) -> Number:
        self._asleep += idle
        value = self._choice()
        self._asleep -= idle
        return value

    def _level(self, level: int) -> Number:
        if level == len(_LEVELS):
            return self._single()
        value = self._level(level + 1)
        while self._peek() in _LEVELS[level]:
            do = _LEVELS[level][self._take()]
            right = self._level(level + 1)
            value = 0.0 if self._asleep else do(value, right)
        return value

    def _single(self) -> Number:
        word = self._take()
        if word in "-+!":
            value = self._single()
            return _SIGNS[word](value)
        if word == "(":
            value = self._choice()
            self._take(")")
            return value
        if word == "[":
            return self._command()
        if word[0].isdigit() or word[0] == ".":
            return float(word)
        if self._peek() == "(":
            return self._call(word)
        if not re.match(r"[A-Za-z_$]", word):
            raise ExpressionError(f"{self._text!r} has {word!r} where a value belongs")
        return 0.0 if self._asleep else self._lookup(word)

    def _command(self) -> Number:
        start, depth = self._at - 1, 1
        while depth:
            if self._at >= len(self._text):
                raise ExpressionError(f"{self._text!r} lacks ]")
            depth += {"[": 1, "]": -1}.get(self._text[self._at], 0)
            self._at += 1
        if self._asleep:
            return 0.0
        told = self._tcl(self._text[start : self._at])
        try:
            return float(told)
        except ValueError:
            raise ExpressionError(f"{self._text!r}: {told!r} is no number") from None

    def _call(self, name: str) -> Number:
        if name not in FUNCTIONS:
            raise ExpressionError(f"{self._text!r} calls {name}, which there is not")
        self._take("(")
        given = [self._choice()]
        while self._peek() == ",":
            self._take(",")
            given.append(self._choice())
        self._take(")")
        return 0.0 if self._asleep else _called(name, given)


def _called(name: str, given: list[Number]) -> Number:
    if name == "pow":
        return given[0] ** given[1]
    if name == "lerp":
        return given[0] + (given[1] - given[0]) * given[2]
    if name == "clamp":
        low, high = given[1:] or (0.0, 1.0)
        return _called("min", [_called("max", [given[0], low]), high])
    if any(hasattr(value, "shape") for value in given):
        import numpy as np

        many = {"min": np.minimum, "max": np.maximum}
        if name in many:
            value = given[0]
            for other in given[1:]:
                value = many[name](value, other)
            return value
        single = {"int": np.trunc, "rint": np.rint}.get(name) or getattr(np, _ONE.get(name, name))
        return single(given[0])
    if name in {"min", "max"}:
        return (min if name == "min" else max)(given)
    if name in {"int", "rint"}:
        return float(int(given[0]) if name == "int" else math.floor(given[0] + 0.5))
    return float(getattr(math, _ONE[name])(given[0]))
