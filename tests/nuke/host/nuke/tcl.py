"""As much Tcl as scripts and knobs need: lists, commands and substitution.

``tests/nuke/test_gizmo_text.py`` holds this against the real Tcl wherever there is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CODE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|\n[ \t]*|(.))", re.DOTALL)
_CLOSERS = {"{": "}", "[": "]"}
_PLAIN = re.compile(r"[\w./:%#*+,@=<>!?&|^~()-]+")


class TclError(RuntimeError):
    """Text that Tcl would refuse."""


def backslashes(text: str) -> str:
    """What Tcl makes of a text's backslashes."""

    def meant(found: re.Match[str]) -> str:
        code, other = found[1] or found[2], found[3]
        if code is not None:
            return chr(int(code, 16))
        return " " if other is None else _ESCAPES.get(other, other)

    return _CODE.sub(meant, text)


def list_words(text: str) -> list[str]:
    """The elements of a Tcl list."""
    return [word for line in _lines(text, breaks="") for word in line]


def commands(text: str) -> list[list[str]]:
    """The commands of a script; ``$x`` and ``[x]`` stay as they are."""
    return [line for line in _lines(text, breaks="\n;") if line]


def substitute(text: str, call: Callable[[list[str]], str]) -> str:
    """A text with its ``[commands]`` done, innermost first."""
    out, at = [], 0
    while at < len(text):
        if text[at] == "\\":
            out.append(backslashes(text[at : at + 2]))
            at += 2
        elif text[at] == "[":
            end = _balanced(text, at)
            inside = _marked(text[at + 1 : end - 1])
            words = [word if braced else substitute(word, call) for word, braced in inside]
            out.append(call(words) if words else "")
            at = end
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def quoted(text: str) -> str:
    """A text as one word of a script, the way Nuke writes it."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = re.sub(r'([\\"\[{}$])', r"\\\1", text)
    return '"' + escaped.replace("\n", "\\n") + '"'


def _marked(line: str) -> Iterator[tuple[str, bool]]:
    """Words of a command, and whether each stood in braces."""
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        braced = line[at] == "{"
        word, at = _word(line, at, bare_ends=" \t\n", keep=True)
        yield word, braced


def _lines(text: str, breaks: str) -> Iterator[list[str]]:
    """Words, command by command; with no `breaks` all of it is one list."""
    line: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in breaks:
            yield line
            line, at = [], at + 1
        elif text.startswith("\\\n", at):
            at += 2
        elif char.isspace():
            at += 1
        elif char == "#" and breaks and not line:
            at = (text.find("\n", at) + 1 or len(text) + 1) - 1
        else:
            word, at = _word(text, at, bare_ends=" \t\r\n" + breaks, keep=False)
            line.append(word)
    yield line


def _word(text: str, at: int, bare_ends: str, *, keep: bool) -> tuple[str, int]:
    """The word at a place and where it ends; `keep` leaves backslashes for a later pass."""
    opener = text[at]
    if opener == "{":
        end = _balanced(text, at)
        word = text[at + 1 : end - 1]
    elif opener == '"':
        found = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(text, at)
        if found is None:
            raise TclError("missing quote")
        end, word = found.end(), found[1] if keep else backslashes(found[1])
    else:
        end = at
        while end < len(text) and text[end] not in bare_ends:
            end = _balanced(text, end) if text[end] == "[" else end + 1 + (text[end] == "\\")
        return (text[at:end] if keep else backslashes(text[at:end])), end
    if end < len(text) and not text[end].isspace() and text[end] not in bare_ends:
        raise TclError(f"extra characters after a close of {opener}: {text[end : end + 20]!r}")
    return word, end


def _balanced(text: str, at: int) -> int:
    """Behind the bracket or brace that closes the one at a place."""
    opener, depth = text[at], 0
    for found in re.compile(r"\\.|[{}\[\]]", re.DOTALL).finditer(text, at):
        depth += {opener: 1, _CLOSERS[opener]: -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    raise TclError(f"missing close of {opener}")
