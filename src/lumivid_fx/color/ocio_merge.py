"""Our spaces and looks inside a studio's config, which stays what it is.

Whatever the studio's config has, it has for a reason: a space of ours is added only where there is
none of its name and none that gives the same light. Nothing is changed or taken out, and the
finished text is read again and held against the config it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PyOpenColorIO
from PyOpenColorIO import Config, GroupTransform

from lumivid_fx.color.config import (
    BUILTIN_NAMES,
    OCIO_ERRORS,
    brief,
    by_way_of,
    files_of,
    read_config,
)
from lumivid_fx.color.display_curves import Pixels
from lumivid_fx.color.looks import EXPOSURES, exposure_look, false_colour_look
from lumivid_fx.color.ocio_config import PROFILE
from lumivid_fx.color.ocio_probe import (
    INTERCHANGE,
    SAME,
    difference,
    light_of_spaces,
    looked_at,
    our_light,
)
from lumivid_fx.color.scene_spaces import LUMIVID_LOGC3, SCENE_SPACES, SceneSpace
from lumivid_fx.errors import InputError

OURS = " (lumivid-fx)"
"""What our name gets where it is taken, for the one space that has to be there."""


class Outcome(StrEnum):
    """What became of a space or a look of ours."""

    ADDED = "added"
    PRESENT = "present"
    DIFFERS = "differs"


class Item(NamedTuple):
    """A space or a look of ours and what became of it.

    Attributes:
        name: What we call it.
        outcome: What became of it.
        there: What the merged config calls it, or what bears its name there.
        difference: Largest relative difference in light from what is there; none if not told.
        dropped: Aliases that were left out, for they mean something else there, or would in paths.
    """

    name: str
    outcome: Outcome
    there: str
    difference: float | None = None
    dropped: tuple[str, ...] = ()


class Merged(NamedTuple):
    """A studio's config with our spaces.

    Attributes:
        text: The new config.
        items: What became of each space and look of ours.
        raised: The config's profile was raised to :data:`PROFILE`, which ours needs.
        searched: Its file rules look for names of spaces in paths, so that a path with one of the
            added names in it is now taken for that space.
    """

    text: str
    items: list[Item]
    raised: bool
    searched: bool


def merge(source: str, folder: Path) -> Merged:
    """Add what is ours to a studio's config.

    Args:
        source: Path of a ``config.ocio``, or an ``ocio://`` address.
        folder: Where the new config will lie.

    Raises:
        InputError: The config cannot be read, has no ``aces_interchange`` role, finds its tables by
            paths that lead nowhere from `folder`, or would not read back as it was.
    """
    if source.endswith(".ocioz"):
        raise InputError(f"{source} is an archive; unpack it with `ocioarchive --extract` first")
    studio, config = read_config(source), read_config(source)
    if not config.hasRole(INTERCHANGE):
        raise InputError(
            f"{source} has no '{INTERCHANGE}' role, so that its light cannot be told; add the "
            "role, naming its ACES2065-1 space, and merge again"
        )
    _require_tables(config, source, folder)
    raised = (config.getMajorVersion(), config.getMinorVersion()) < PROFILE
    if raised:
        config.setVersion(*PROFILE)
    searched = _searches_paths(config)
    try:
        theirs = dict(light_of_spaces(config))
        items = [_add_space(config, space, theirs, short=not searched) for space in SCENE_SPACES]
        items += [_add_look(config, look) for look in _looks(config)]
        text = str(config.serialize())
        _require_unchanged(studio, text, items, source)
    except OCIO_ERRORS as error:
        raise InputError(
            f"{source} cannot be merged ({brief(error)}); mend it, `ociocheck` says more"
        ) from error
    return Merged(text, items, raised, searched)


def _searches_paths(config: Any) -> bool:
    rules = config.getFileRules()
    names = {rules.getName(index) for index in range(rules.getNumEntries())}
    return PyOpenColorIO.FILE_PATH_SEARCH_RULE_NAME in names


def _add_space(config: Any, space: SceneSpace, theirs: dict[str, Pixels], *, short: bool) -> Item:
    """Add a space, unless the config has it, has its name, or has it under another.

    Args:
        config: The config.
        space: The space.
        theirs: What the config's own spaces make of the probe.
        short: Whether it may bring our short name, such as `vlog`, that many a path has in it.
    """
    light = our_light(space)
    labels = (space.name, *space.aliases.split(", "))
    bearers = [found.getName() for found in map(config.getColorSpace, labels) if found]
    differences = {name: difference(light, their) for name, their in theirs.items()}
    for name in [*bearers, *differences]:
        if differences.get(name, np.inf) <= SAME:
            return Item(space.name, Outcome.PRESENT, name, differences[name])
    named = config.getColorSpace(space.name)
    if space.name != LUMIVID_LOGC3 and (named or _is_taken(config, space.name)):
        there = named.getName() if named else space.name
        return Item(space.name, Outcome.DIFFERS, there, differences.get(there))
    aces = config.getColorSpace(INTERCHANGE)
    ours = space.color_space()
    if _is_taken(config, space.name):
        ours.setName(space.name + OURS)
    ours.setEqualityGroup("")  # the studio's own groups know nothing of ours
    dropped = [
        label
        for label in labels[1:]
        if _is_taken(config, label) or (label in BUILTIN_NAMES and not short)
    ]
    for label in dropped:
        ours.removeAlias(label)
    to_aces = ours.getTransform(PyOpenColorIO.COLORSPACE_DIR_TO_REFERENCE)
    steps = list(to_aces) if isinstance(to_aces, GroupTransform) else [to_aces]
    to_reference = by_way_of(steps, aces)
    ours.setTransform(to_reference, PyOpenColorIO.COLORSPACE_DIR_TO_REFERENCE)
    config.addColorSpace(ours)
    return Item(space.name, Outcome.ADDED, ours.getName(), dropped=tuple(dropped))


def _is_taken(config: Any, label: str) -> bool:
    """Whether a space, a role or a named transform goes by that name."""
    return bool(config.getColorSpace(label) or config.getNamedTransform(label))


def _looks(config: Any) -> Iterator[Any]:
    """Our looks, on the light that the config exchanges."""
    aces = config.getColorSpace(INTERCHANGE).getName()
    for stops in EXPOSURES:
        yield exposure_look(stops, aces)
    yield false_colour_look(aces)


def _add_look(config: Any, look: Any) -> Item:
    name = look.getName()
    known = config.getLook(name)
    if known is None:
        config.addLook(look)
        return Item(name, Outcome.ADDED, name)
    same = np.allclose(looked_at(known), looked_at(look), rtol=SAME, atol=1e-6)
    return Item(name, Outcome.PRESENT if same else Outcome.DIFFERS, name)


def _require_tables(config: Any, source: str, folder: Path) -> None:
    """Refuse a folder from which the config's tables are not found.

    Raises:
        InputError: A table that is found from where the config lies is not found from `folder`.
    """
    here = set(files_of(config, source)) - {Path(source)}
    moved = read_config(source)
    moved.setWorkingDir(str(folder.resolve()))
    lost = {path.resolve() for path in here} - {
        path.resolve() for path in files_of(moved, "ocio://")
    }
    if lost:
        raise InputError(
            f"{source} looks for {min(lost).name} beside itself, and would not find it from "
            f"{folder}; write the new config into {Path(source).parent}"
        )


def _require_unchanged(studio: Any, text: str, items: list[Item], source: str) -> None:
    """Refuse a text that is not the studio's config with ours beside it.

    Raises:
        InputError: What was the studio's reads otherwise, or gives other light.
    """
    merged, again = Config.CreateFromStream(text), Config.CreateFromStream(text)
    added = {item.there for item in items if item.outcome is Outcome.ADDED}
    looks = [look for look in again.getLooks() if look.getName() not in added]
    again.clearLooks()
    for look in looks:
        again.addLook(look)
    for name in added:
        again.removeColorSpace(name)
    before = Config.CreateFromStream(studio.serialize())
    before.setVersion(again.getMajorVersion(), again.getMinorVersion())
    changed = [] if before.serialize() == again.serialize() else ["a definition"]
    merged.setWorkingDir(studio.getWorkingDir())
    light, lit = dict(light_of_spaces(studio)), dict(light_of_spaces(merged))
    changed += [
        name for name in light if not np.array_equal(light[name], lit.get(name, []), equal_nan=True)
    ]
    if changed:
        raise InputError(
            f"{source} cannot be merged without changing {changed[0]} of it, which is left as it "
            "was; send it to us, or add our spaces by hand"
        )
    if _is_valid(studio):
        merged.validate()


def _is_valid(config: Any) -> bool:
    try:
        config.validate()
    except OCIO_ERRORS:
        return False
    return True
