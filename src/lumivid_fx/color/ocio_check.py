"""Whether a config is sound, has the spaces we ask for, and agrees with our tensors.

PQ and HLG are monitors in a config, and curves of light in :mod:`lumivid_fx.color.transfer`; their
greys are compared, HLG's through the gamma that BT.2100 gives a monitor of 1000 cd/m2. OpenColorIO
does that gamma above 0.03 cd/m2 only, so nothing below is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import PyOpenColorIO
import torch
from PyOpenColorIO import Config

from lumivid_fx.color import transfer
from lumivid_fx.color.config import (
    LOGC3_REC709,
    OCIO_ERRORS,
    SHORT_NAMES,
    brief,
    find_space,
    read_config,
)
from lumivid_fx.color.ocio_config import config_text
from lumivid_fx.color.transfer import Transfer

AGREES = 1e-5
"""Codes, and light in parts of itself, may differ by so much."""

LEAST_LIGHT = 1e-2
"""Under this, light is compared as a part of this: in ARRI's toe OpenColorIO lies 5e-8 off."""

HLG_LEAST_LIGHT, HLG_LEAST_CODE = 2e-3, 2.5e-2
"""Where OpenColorIO's gamma of HLG begins."""

_WHITE = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
"""CIE XYZ of D65 at luminance 1."""

Samples = npt.NDArray[np.float64]


class Agreement(NamedTuple):
    """A curve in a config beside ours.

    Attributes:
        curve: Our name for it.
        space: The config's space; none where it has none.
        code: Largest difference in codes, none without a space.
        light: Largest difference in light, as a part of it; none without a space.
    """

    curve: str
    space: str | None
    code: float | None = None
    light: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it is our curve; one that is missing is not another."""
        return all(apart is None or apart <= AGREES for apart in (self.code, self.light))


class Checked(NamedTuple):
    """What was found in a config.

    Attributes:
        library: The OpenColorIO that looked, as ``2.6.0``.
        profile: The oldest OpenColorIO that reads it, as ``2.0``.
        fault: Why OpenColorIO does not validate it; none if it does.
        messages: What OpenColorIO said while it did.
        spaces: Our short names, each with the config's own; none where it has none.
        curves: Its curves beside our tensors.
    """

    library: str
    profile: str
    fault: str | None
    messages: list[str]
    spaces: dict[str, str | None]
    curves: list[Agreement]

    @property
    def sound(self) -> bool:
        """Whether it validates and the curves it has agree."""
        return self.fault is None and all(curve.holds for curve in self.curves)


def check(source: str | None = None) -> Checked:
    """Check a config.

    Args:
        source: Path of a ``config.ocio``, or an ``ocio://`` address; none for our own.

    Raises:
        InputError: The config is missing or is not one that OpenColorIO can read.
    """
    fault, curves = None, []
    with ocio_messages() as messages:
        config = Config.CreateFromStream(config_text()) if source is None else read_config(source)
        spaces = {short: find_space(config, short) for short in SHORT_NAMES}
        try:
            config.validate()
            curves = [*_scene_curves(config), *_monitor_curves(config)]
        except OCIO_ERRORS as error:
            fault = brief(error)
    return Checked(
        library=str(PyOpenColorIO.GetVersion()),
        profile=f"{config.getMajorVersion()}.{config.getMinorVersion()}",
        fault=fault,
        messages=messages,
        spaces={short: space and str(space.getName()) for short, space in spaces.items()},
        curves=curves,
    )


@contextmanager
def ocio_messages() -> Iterator[list[str]]:
    """Collect what OpenColorIO says, which else goes to standard error."""
    messages: list[str] = []

    def hear(said: str) -> None:
        message = re.sub(r"^\[OpenColorIO \w+\]: ", "", " ".join(said.split()))
        if message not in messages:
            messages.append(message)

    PyOpenColorIO.SetLoggingFunction(hear)
    try:
        yield messages
    finally:
        # Left in place, a function of Python's keeps the interpreter from ever ending.
        PyOpenColorIO.ResetToDefaultLoggingFunction()


def _scene_curves(config: Any) -> Iterator[Agreement]:
    for curve, short in ((transfer.LOGC3_REC709, LOGC3_REC709), (transfer.ACESCCT_AP1, "acescct")):
        lit, coded = find_space(config, curve.primaries), find_space(config, short)
        if lit is None or coded is None:
            yield Agreement(curve.name, None)
            continue
        light = np.linspace(-1, curve.linear_range[1], 20_001)
        light = np.concatenate([light, np.geomspace(1e-6, 60_000, 20_001)])
        codes = np.linspace(-0.5, 1.1, 20_001)
        ends = lit.getName(), coded.getName()
        yield _agreement(
            curve,
            coded,
            (light, _greys(config, light, *ends)),
            (codes, _greys(config, codes, *reversed(ends))),
        )


def _monitor_curves(config: Any) -> Iterator[Agreement]:
    role = PyOpenColorIO.ROLE_INTERCHANGE_DISPLAY
    for curve, monitor, least_light, least_code, gamma, peak in (
        (transfer.PQ_REC2020, "Rec.2100-PQ - Display", 0.0, 0.0, 1.0, 100.0),
        (
            transfer.HLG_REC2020,
            "Rec.2100-HLG - Display",
            HLG_LEAST_LIGHT,
            HLG_LEAST_CODE,
            1.2,
            10.0,
        ),
    ):
        space = config.getColorSpace(monitor)
        if space is None or not config.hasRole(role):
            yield Agreement(curve.name, None)
            continue
        high = curve.linear_range[1]
        light = np.linspace(least_light, high, 20_001)
        light = np.concatenate([light, np.geomspace(max(least_light, 1e-6), high, 20_001)])
        codes = np.linspace(least_code, 1, 20_001)
        shown = peak * (light / high) ** gamma
        seen = _greys(config, codes, space.getName(), role)
        yield _agreement(
            curve,
            space,
            (light, _greys(config, shown, role, space.getName(), white=_WHITE)),
            (codes, high * (seen / peak) ** (1 / gamma)),
        )


def _agreement(
    curve: Transfer,
    space: Any,
    light_to_codes: tuple[Samples, Samples],
    codes_to_light: tuple[Samples, Samples],
) -> Agreement:
    """Hold what a config made of light and of codes against our tensors, in float64."""
    differences = []
    for (given, theirs), function, least in (
        (light_to_codes, curve.forward, 1.0),
        (codes_to_light, curve.inverse, LEAST_LIGHT),
    ):
        ours = function(torch.from_numpy(given)).numpy()
        differences.append(float((np.abs(theirs - ours) / np.maximum(np.abs(ours), least)).max()))
    return Agreement(curve.name, str(space.getName()), *differences)


def _greys(
    config: Any, values: Samples, source: str, target: str, white: Samples | float = 1.0
) -> Samples:
    """Send greys from one space to another, and give their second channel: green, or luminance."""
    pixels = np.array(values[:, None] * white * np.ones(3), np.float32)
    processor = config.getProcessor(source, target)
    processor.getOptimizedCPUProcessor(PyOpenColorIO.OPTIMIZATION_LOSSLESS).applyRGB(pixels)
    return pixels[:, 1].astype(np.float64)
