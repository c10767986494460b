"""What files say of their colour: a space where it is one of ours, or why it is none.

Silence is an answer too: integers are display-referred Rec.709 then, floats linear Rec.709. A plate
that says it is something else is never taken for one of these. What it says is its `doubt`, and
whoever renders it names the space.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import numpy as np
import numpy.typing as npt

from lumivid_fx.color.config import WORKING_SPACES
from lumivid_fx.color.primaries import GAMUTS
from lumivid_fx.color.spaces import LINEAR_REC709, chromaticities_to_space

Told = tuple[str, str]
"""A space, and the doubt about it: the second half of a sentence, or empty."""

SPACES_BY_ID = {
    **{space.interop_id: short for short, space in WORKING_SPACES.items()},
    "srgb_rec709_scene": "srgb",
    "srgb_rec709_display": "srgb",
    "g24_rec709_display": "rec709",
    "g22_rec709_scene": "gamma22",
    "g22_rec709_display": "gamma22",
}
"""Colour Interop Forum's identifiers, as EXR's `colorInteropID` holds them, of spaces of ours."""

_DPX_LOG = ("Printing density", "Logarithmic", "ADX")

_SRGB_COLORANTS = (0.6484, 0.3309, 0.3212, 0.5979, 0.1559, 0.0661)
"""xy of sRGB's red, green and blue adapted to D50, as every ICC profile of it has them."""

# Code points of ITU-T H.273. 0 stands for what a header left out.
_SDR_TRANSFERS = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15})
_OTHER_TRANSFERS = {
    8: "linear light",
    9: "a logarithmic curve",
    10: "a logarithmic curve",
    16: "PQ, so it is HDR already",
    17: "the curve of digital cinema",
    18: "HLG, so it is HDR already",
}
_REC709_PRIMARIES = frozenset({0, 1, 2, 3, 5, 6, 7, 22})
"""Rec.709, and those of standard definition, whose colours differ from it by a few per cent."""

_OTHER_PRIMARIES = {
    4: "the primaries of NTSC 1953",
    8: "the primaries of film",
    9: "the primaries of Rec.2020",
    10: "CIE XYZ",
    11: "the primaries of DCI-P3",
    12: "the primaries of Display P3",
}


def tagged_doubt(transfer: int, primaries: int) -> str:
    """Why code points of ITU-T H.273 are not those of display-referred Rec.709."""
    if transfer not in _SDR_TRANSFERS:
        return f"is tagged {_OTHER_TRANSFERS.get(transfer, f'transfer {transfer}')}"
    if primaries not in _REC709_PRIMARIES:
        return f"is tagged {_OTHER_PRIMARIES.get(primaries, f'primaries {primaries}')}"
    return ""


def camera_doubt(tags: Mapping[str, str]) -> str:
    """Why a movie is no display picture, in the words of the camera that wrote its tags.

    Cameras tag log footage as Rec.709 and say the truth beside it, as ARRI does under
    `com.arri.camera.ColorGammaSxS`.
    """
    for name, value in tags.items():
        if "gamma" in name.lower() and "log" in value.lower():
            return f"says that its gamma is {value}"
    return ""


def light_space(attributes: Mapping[str, object]) -> Told:
    """Space of float pixels: by `colorInteropID`, else by primaries; linear Rec.709 in silence."""
    interop = str(attributes.get("colorInteropID", "unknown"))
    if interop in SPACES_BY_ID:
        return SPACES_BY_ID[interop], ""
    doubt = "" if interop in ("", "unknown") else f"has the colour space {interop}"
    told = attributes.get("chromaticities")
    if not isinstance(told, tuple) or len(told) != 8:
        return LINEAR_REC709, doubt
    space = chromaticities_to_space(told)
    if space is None:
        return LINEAR_REC709, doubt or f"has the primaries of {_gamut(told)}"
    return space, doubt


def _gamut(chromaticities: tuple[float, ...]) -> str:
    for name, gamut in GAMUTS.items():
        if np.allclose(chromaticities, [float(xy) for xy in gamut.xy], rtol=0, atol=1e-3):
            return name
    return "no space that is known"


def code_space(attributes: Mapping[str, object], profile: npt.NDArray[np.uint8] | None) -> Told:
    """Space of integer pixels: display-referred Rec.709 unless the header says another.

    Args:
        attributes: Of the header.
        profile: The ICC profile in it.
    """
    transfer = attributes.get("dpx:Transfer")
    if transfer in _DPX_LOG:
        return "srgb", f"is tagged {transfer}, which is logarithmic"
    if transfer == "Linear":
        return LINEAR_REC709, ""
    cicp = attributes.get("CICP")
    if isinstance(cicp, tuple) and len(cicp) == 4:
        return "srgb", tagged_doubt(cicp[1], cicp[0])
    return "srgb", "" if profile is None else _profile_doubt(profile)


def _profile_doubt(profile: npt.NDArray[np.uint8]) -> str:
    from PIL import ImageCms

    try:
        core = ImageCms.ImageCmsProfile(BytesIO(profile.tobytes())).profile
    except (OSError, ImageCms.PyCMSError):  # a profile that cannot be read says nothing
        return ""
    parts = (core.red_primary, core.green_primary, core.blue_primary)
    if not all(parts):
        return ""  # of grey, or a table
    xy = [value for part in parts if part for value in part[1][:2]]
    if np.allclose(xy, _SRGB_COLORANTS, rtol=0, atol=5e-3):
        return ""
    return f"has the ICC profile {(core.profile_description or '').strip()!r}"
