"""The table of faults: it names a test for each of the 25 cases, and each test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
CASES = range(1, 26)

_ROW = re.compile(r"\| (\d+) \| [^|]+ \| [^|]+ \| ([^|]+) \|")
_NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
_CASES = re.compile(r"Cases? (\d+(?:, \d+)*(?: and \d+)?)[:,.]")


def present() -> dict[tuple[str, str], str]:
    """Every test beside this file, with its docstring."""
    return {
        (path.name, node.name): ast.get_docstring(node) or ""
        for path in HERE.glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def table() -> dict[int, set[tuple[str, str]]]:
    """The tests that the table names for each case."""
    rows = _ROW.findall((HERE / "README.md").read_text("utf-8"))
    return {int(case): set(_NAMED.findall(tests)) for case, tests in rows}


def test_every_case_has_a_test() -> None:
    """Each of the 25 stands in the table once, with at least one test that exists."""
    rows, there = table(), present()
    assert list(rows) == list(CASES)
    for case, named in rows.items():
        assert named, f"case {case} has no test"
        assert named <= there.keys(), f"case {case} names {named - there.keys()}"


def test_tests_say_which_case_they_are_of() -> None:
    """What a docstring calls its case is the row that names the test, and the other way round."""
    said: dict[int, set[tuple[str, str]]] = {case: set() for case in CASES}
    for test, words in present().items():
        for numbers in _CASES.findall(words):
            for number in re.findall(r"\d+", numbers):
                said[int(number)].add(test)
    for case, named in table().items():
        assert said[case] == named, f"case {case}: {said[case] ^ named}"
