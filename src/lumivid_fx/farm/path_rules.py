"""What a plan's folders are called on another machine, and which it may name there.

Open Job Description gives each session a file of path mapping rules; a plan is read by them. A
machine's administrator may name the roots that plans work in, by ``LUMIVID_FARM_ROOTS``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from lumivid_fx.errors import InputError
from lumivid_fx.farm.plan_file import Plan, check_plan, read_plan
from lumivid_fx.protocol.messages import PathSource

MAX_RULES = 1024 * 1024
"""Bytes of a file of rules; a storage profile has a few dozen of them."""


ROOTS = "LUMIVID_FARM_ROOTS"
"""Environment variable: folders that plans may name files in, as ``PATH`` separates them."""


class PathRule(Struct, frozen=True):
    """A folder there and here.

    Attributes:
        source_path: What the plan calls it.
        destination_path: What it is called here.
        source_path_format: ``POSIX``; rules of other systems meet no path of a plan.
    """

    source_path: str
    destination_path: str
    source_path_format: str = "POSIX"


class _Rules(Struct, frozen=True):
    version: Literal["pathmapping-1.0"] = "pathmapping-1.0"
    path_mapping_rules: Annotated[tuple[PathRule, ...], Meta(max_length=1000)] = ()


def read_rules(path: Path) -> Sequence[PathRule]:
    """Read a session's rules, longest first, for the longest match counts.

    Raises:
        InputError: They cannot be read.
    """
    try:
        with path.open("rb") as file:
            rules = msgspec.json.decode(file.read(MAX_RULES) or b"{}", type=_Rules)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{path} holds no path mapping rules ({error}); leave it out") from error
    found = [rule for rule in rules.path_mapping_rules if rule.source_path_format == "POSIX"]
    return sorted(found, key=lambda rule: len(rule.source_path), reverse=True)


def read_plan_here(path: Path, rules: Path | None) -> Plan:
    """Read a plan with its paths as this machine calls them.

    Args:
        path: The plan.
        rules: File of the session's rules, if it has some.

    Raises:
        InputError: One of the two is not what it should be, or the plan leaves this machine's
            roots.
    """
    plan = read_plan(path)
    if rules is not None:
        plan = mapped(plan, read_rules(rules), path)
    _require_inside(plan, path)
    return plan


def mapped(plan: Plan, rules: Sequence[PathRule], where: Path) -> Plan:
    """A plan with its paths as this machine calls them.

    Args:
        plan: The plan.
        rules: See :func:`read_rules`.
        where: The plan's file, for messages.

    Raises:
        InputError: A rule leads to what is no absolute path.
    """
    if not rules:
        return plan
    request, to = plan.request, _mapping(rules)
    replaced = msgspec.structs.replace(
        request,
        source=PathSource(path=to(plan.source)),
        target=to(plan.target),
        mask=None if request.mask is None else to(request.mask),
        lora=None if request.lora is None else to(request.lora),
        ocio=None if request.ocio is None else to(request.ocio),
        model=None if request.model is None else to(request.model),
    )
    here = msgspec.structs.replace(
        plan,
        request=replaced,
        folder=to(plan.folder),
        files=tuple(msgspec.structs.replace(file, path=to(file.path)) for file in plan.files),
    )
    check_plan(here, where)
    return here


def _require_inside(plan: Plan, where: Path) -> None:
    """Refuse a plan that names files outside of this machine's roots, links followed."""
    roots = [os.path.realpath(root) for root in os.environ.get(ROOTS, "").split(os.pathsep) if root]
    for named in plan.paths if roots else ():
        real = Path(os.path.realpath(named))
        if "://" not in named and not any(real.is_relative_to(root) for root in roots):
            raise InputError(
                f"{where} names {named}, which does not lie under this machine's {ROOTS} "
                f"({', '.join(roots)}); move it there, or add a root"
            )


def _mapping(rules: Sequence[PathRule]) -> Callable[[str], str]:
    def to(path: str) -> str:
        for rule in rules:
            source = rule.source_path.rstrip("/")
            if path.startswith("/") and PurePosixPath(path).is_relative_to(source or "/"):
                return rule.destination_path.rstrip("/") + path[len(source) :]
        return path

    return to
