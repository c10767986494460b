"""Whether a ``nuke`` of our own has no name, and takes no argument, that Nuke's stubs have not.

The stubs are types-nuke's ``.pyi`` files, read by ``ast``. A stub of ``(*args, **kwargs)`` says
nothing of a call, so that any passes; an overload that fits is enough.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from types import ModuleType

Functions = dict[str, list[ast.FunctionDef]]


class Stubs:
    """What types-nuke says there is: functions, classes with their methods, and plain names."""

    def __init__(self, paths: list[Path]) -> None:
        self.functions: Functions = {}
        self.names: set[str] = set()
        self._classes: dict[str, ast.ClassDef] = {}
        for path in paths:
            for node in ast.parse(path.read_text("utf-8")).body:
                match node:
                    case ast.FunctionDef(name=name):
                        self.functions.setdefault(name, []).append(node)
                    case ast.ClassDef(name=name):
                        self._classes[name] = node
                    case (
                        ast.AnnAssign(target=ast.Name(id=name))
                        | ast.Assign(targets=[ast.Name(id=name)])
                    ):
                        self.names.add(name)
                        if isinstance(node.value, ast.Name):
                            self.functions[name] = self.functions.get(node.value.id, [])
                    case _:
                        pass

    @classmethod
    def installed(cls) -> Stubs | None:
        """Those of types-nuke; None where it is not installed."""
        try:
            found = files("types-nuke") or []
        except PackageNotFoundError:
            return None
        wanted = {"__init__", "_nuke", "_nuke_color", "utils", "callbacks", "colorspaces"}
        wanted |= {"executeInMain", "overrides", "scripts"}
        paths = [Path(str(file.locate())) for file in found if file.suffix == ".pyi"]
        return cls([path for path in paths if path.stem in wanted])

    def has_class(self, name: str) -> bool:
        """Whether there is such a class."""
        return name in self._classes

    def methods(self, kind: str, name: str) -> list[ast.FunctionDef]:
        """A method as the class and all those it descends from have it."""
        found = self._classes.get(kind)
        if found is None:
            return []
        own = [n for n in found.body if isinstance(n, ast.FunctionDef) and n.name == name]
        above = [base.id for base in found.bases if isinstance(base, ast.Name)]
        return [*own, *(method for base in above for method in self.methods(base, name))]

    def bases(self, kind: str) -> set[str]:
        """All classes that a class descends from."""
        found = self._classes.get(kind)
        above = {b.id for b in found.bases if isinstance(b, ast.Name)} if found else set()
        return above.union(*(self.bases(base) for base in above))


def departures(module: ModuleType, stubs: Stubs) -> list[str]:
    """Where a module is not as the stubs say."""
    return sorted(_departures(module, stubs))


def _departures(module: ModuleType, stubs: Stubs) -> Iterator[str]:
    for name, member in vars(module).items():
        if name.startswith("_") or isinstance(member, ModuleType) or _borrowed(member, module):
            continue
        if inspect.isclass(member):
            yield from _of_class(name, member, stubs)
        elif inspect.isfunction(member):
            if name not in stubs.functions:
                yield f"{name}: there is no such function"
            elif not _fits(member, stubs.functions[name], bound=False):
                yield f"{name}{inspect.signature(member)}: {_told(stubs.functions[name])}"
        elif not name.isupper() and name not in stubs.names:
            yield f"{name}: there is no such name"
        elif name.isupper() and name not in stubs.names:
            yield f"{name}: there is no such constant"


def _of_class(name: str, kind: type, stubs: Stubs) -> Iterator[str]:
    if not stubs.has_class(name):
        yield f"class {name}: there is no such class"
        return
    for base in kind.__mro__[1:-1]:
        if stubs.has_class(base.__name__) and base.__name__ not in stubs.bases(name):
            yield f"class {name}: is no {base.__name__}"
    for method, member in vars(kind).items():
        static = isinstance(member, staticmethod)
        call = member.__func__ if isinstance(member, staticmethod | classmethod) else member
        if method.startswith("_") or not inspect.isfunction(call):
            continue
        known = stubs.methods(name, method)
        if not known:
            yield f"{name}.{method}: there is no such method"
        elif not _fits(call, known, bound=not static):
            yield f"{name}.{method}{inspect.signature(call)}: {_told(known)}"


def _fits(call: Callable[..., object], known: list[ast.FunctionDef], *, bound: bool) -> bool:
    """Whether a stub has the same parameters, or says nothing of them.

    What a stub may leave out must have a default here too.
    """
    mine = list(inspect.signature(call).parameters.values())[bound:]
    if any(p.kind is p.VAR_POSITIONAL for p in mine):
        return True
    required = sum(p.default is p.empty for p in mine)
    for node in known:
        if node.args.vararg is not None:
            return True
        theirs = [a.arg for a in node.args.args]
        theirs = theirs[1:] if theirs[:1] in (["self"], ["cls"]) else theirs
        needed = len(theirs) - len(node.args.defaults)
        if required <= needed and [p.name for p in mine] == theirs:
            return True
    return False


def _told(known: list[ast.FunctionDef]) -> str:
    return "Nuke has " + " or ".join(f"({ast.unparse(node.args)})" for node in known)


def _borrowed(member: object, module: ModuleType) -> bool:
    """Whether a member is the standard library's, imported for use, or a mere annotation."""
    home = getattr(member, "__module__", None)
    return isinstance(home, str) and not home.startswith(module.__name__)
