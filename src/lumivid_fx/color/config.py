"""One OpenColorIO config, with the few spaces that every render needs.

Some short names (:data:`SHORT_NAMES`) mean the same space in every config. A short name is looked
for in the config itself, then under the names and aliases the built-in config has for that space.

A studio's config may lack the linear spaces that this package works in. Those are defined by their
primaries alone, so they are added to the copy in memory, through the config's ``aces_interchange``
role; so is ``logc3_rec709``, ARRI's curve on Rec.709 light, which no published config holds. Camera
and display encodings are never invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import PyOpenColorIO
from PyOpenColorIO import (
    ColorSpace,
    Config,
    ExceptionMissingFile,
    FileTransform,
    GroupTransform,
)

from lumivid_fx.color import transfer
from lumivid_fx.color.camera_curves import LUMIVID_LOGC3_CURVE
from lumivid_fx.color.primaries import GAMUTS
from lumivid_fx.errors import InputError

DEFAULT_CONFIG = "ocio://studio-config-v2.1.0_aces-v1.3_ocio-v2.3"
"""Old enough for the OpenColorIO inside Nuke, so that names mean the same there."""

OUR_CONFIG = "ocio://lumivid"
"""The config of ``ocio/``, made anew in memory."""

SCENE_LINEAR = "scene_linear"
LINEAR_REC709 = "lin_rec709"
LINEAR_REC2020 = "lin_rec2020"
LINEAR_P3D65 = "lin_p3d65"
ACESCG = "acescg"
ACES2065_1 = "aces2065-1"
LOGC3_REC709 = transfer.LOGC3_REC709.name


class WorkingSpace(NamedTuple):
    """A linear space that is its primaries and nothing else.

    Attributes:
        builtin: Its name in the built-in config.
        chromaticities: CIE 1931 xy of red, green, blue and white.
        interop_id: The ASWF Color Interop Forum's id for it.
    """

    builtin: str
    chromaticities: tuple[float, ...]
    interop_id: str


def _working_space(builtin: str, gamut: str, interop_id: str) -> WorkingSpace:
    return WorkingSpace(builtin, tuple(map(float, GAMUTS[gamut].xy)), interop_id)


# Ids: as OpenColorIO's studio-config-v4.0.0_aces-v2.0_ocio-v2.5 gives them.
WORKING_SPACES = {
    LINEAR_REC709: _working_space("Linear Rec.709 (sRGB)", "Rec.709", "lin_rec709_scene"),
    ACESCG: _working_space("ACEScg", "AP1", "lin_ap1_scene"),
    ACES2065_1: _working_space("ACES2065-1", "AP0", "lin_ap0_scene"),
    LINEAR_REC2020: _working_space("Linear Rec.2020", "Rec.2020", "lin_rec2020_scene"),
    LINEAR_P3D65: _working_space("Linear P3-D65", "P3-D65", "lin_p3d65_scene"),
}

BUILTIN_NAMES = {
    **{short: space.builtin for short, space in WORKING_SPACES.items()},
    "acescct": "ACEScct",
    "srgb": "sRGB - Texture",
    "logc3": "ARRI LogC3 (EI800)",
    "logc4": "ARRI LogC4",
    "slog3": "S-Log3 S-Gamut3.Cine",
    "log3g10": "Log3G10 REDWideGamutRGB",
    "clog2": "CanonLog2 CinemaGamut D55",
    "clog3": "CanonLog3 CinemaGamut D55",
    "vlog": "V-Log V-Gamut",
}
"""Short names by what the built-in config calls them."""

SHORT_NAMES = (SCENE_LINEAR, *BUILTIN_NAMES, LOGC3_REC709)
"""Names that mean the same space in every config."""

OCIO_ERRORS = (PyOpenColorIO.Exception, ExceptionMissingFile, UnicodeDecodeError)
"""What OpenColorIO raises; the last where its message quotes the bytes of a binary file."""


def brief(error: Exception) -> str:
    """Put OpenColorIO's message on one line, to stand inside a sentence of ours."""
    return " ".join(str(error).split()).rstrip(".")


def load_config(source: str) -> Any:
    """Read a config and add, in memory, the working spaces it lacks.

    Args:
        source: Path of a ``config.ocio``, or an ``ocio://`` address, :data:`OUR_CONFIG` among them.

    Raises:
        InputError: The config is missing or is not one that OpenColorIO can read.
    """
    config = read_config(source)
    try:
        _add_working_spaces(config)
    except OCIO_ERRORS as error:
        raise _unusable(source, error) from error
    return config


def read_config(source: str) -> Any:
    """Read a config as it is.

    Raises:
        InputError: The config is missing or is not one that OpenColorIO can read.
    """
    PyOpenColorIO.ClearAllCaches()  # else a table that was edited stays as it was first read
    if source == OUR_CONFIG:
        from lumivid_fx.color.ocio_config import config_text

        return Config.CreateFromStream(config_text())
    try:
        return Config.CreateFromFile(source)
    except OCIO_ERRORS as error:
        raise _unusable(source, error) from error


def _unusable(source: str, error: Exception) -> InputError:
    return InputError(
        f"OCIO config {source!r} cannot be used ({brief(error)}); "
        "give the path of a readable config.ocio"
    )


def files_of(config: Any, source: str) -> list[Path]:
    """List the files that a loaded config is made of: its own, and the tables that it names."""
    found = set() if source.startswith("ocio://") else {Path(source)}
    context = config.getCurrentContext()
    for name in _table_names(GroupTransform([*filter(None, _transforms(config))])):
        with suppress(*OCIO_ERRORS):  # a table that is missing is no part of any result
            found.add(Path(context.resolveFileLocation(name)))
    return sorted(found)


def _transforms(config: Any) -> Iterator[Any]:
    """Every transform that a config holds, None among them."""
    spaces = PyOpenColorIO.SEARCH_REFERENCE_SPACE_ALL, PyOpenColorIO.COLORSPACE_ALL
    for space in config.getColorSpaces(*spaces):
        yield space.getTransform(PyOpenColorIO.COLORSPACE_DIR_TO_REFERENCE)
        yield space.getTransform(PyOpenColorIO.COLORSPACE_DIR_FROM_REFERENCE)
    for view in config.getViewTransforms():
        yield view.getTransform(PyOpenColorIO.VIEWTRANSFORM_DIR_TO_REFERENCE)
        yield view.getTransform(PyOpenColorIO.VIEWTRANSFORM_DIR_FROM_REFERENCE)
    for look in config.getLooks():
        yield look.getTransform()
        yield look.getInverseTransform()


def _table_names(transform: Any) -> Iterator[str]:
    """The tables that a transform reads, and those within it."""
    if isinstance(transform, GroupTransform):
        for part in transform:
            yield from _table_names(part)
    elif isinstance(transform, FileTransform):
        yield transform.getSrc()


def find_space(config: Any, name: str) -> Any:
    """Give the space of that name, alias, role or short name, or None."""
    own = config.getColorSpace(name)
    if own is not None or name.lower() not in BUILTIN_NAMES:
        return own
    twin = _builtin_config().getColorSpace(BUILTIN_NAMES[name.lower()])
    found = map(config.getColorSpace, (twin.getName(), *twin.getAliases()))
    return next((space for space in found if space is not None), None)


@cache
def _builtin_config() -> Any:
    return Config.CreateFromFile(DEFAULT_CONFIG)


def _add_working_spaces(config: Any) -> None:
    role = PyOpenColorIO.ROLE_INTERCHANGE_SCENE
    aces = config.getColorSpace(role) or find_space(config, ACES2065_1)
    for short, space in WORKING_SPACES.items():
        if aces is not None and find_space(config, short) is None:
            to_aces = Config.GetProcessorFromConfigs(
                *(_builtin_config(), space.builtin, role), *(config, aces.getName(), aces.getName())
            )
            _add_space(config, short, "scene-linear", to_aces.createGroupTransform(), aces)
    rec709 = find_space(config, LINEAR_REC709)
    if rec709 is not None and find_space(config, LOGC3_REC709) is None:
        curve = LUMIVID_LOGC3_CURVE.to_linear()
        _add_space(config, LOGC3_REC709, "log", curve, rec709)


def _add_space(config: Any, name: str, encoding: str, to_base: Any, base: Any) -> None:
    """Add the space that `to_base` takes to the space `base`."""
    to_reference = by_way_of([to_base], base)
    config.addColorSpace(ColorSpace(name=name, encoding=encoding, toReference=to_reference))


def by_way_of(to_base: list[Any], base: Any) -> Any:
    """Join the steps to the space `base` with its own to its config's reference."""
    to_reference = GroupTransform(to_base)
    if (known := base.getTransform(PyOpenColorIO.COLORSPACE_DIR_TO_REFERENCE)) is not None:
        to_reference.appendTransform(known)
    elif (known := base.getTransform(PyOpenColorIO.COLORSPACE_DIR_FROM_REFERENCE)) is not None:
        inverse = PyOpenColorIO.TRANSFORM_DIR_INVERSE
        to_reference.appendTransform(GroupTransform([known], direction=inverse))
    return to_reference
