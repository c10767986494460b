"""Spaces that a plate comes in: a curve, a gamut, and the names they go by.

Names and aliases are those of the ACES studio configs, so that a script made under one finds its
spaces under the other. The short names of :mod:`lumivid_fx.color.config` are aliases, and so are
the Color Interop Forum's ids.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import PyOpenColorIO
from PyOpenColorIO import BuiltinTransform, ColorSpace, GroupTransform, MatrixTransform

from lumivid_fx.color import primaries, transfer
from lumivid_fx.color.camera_curves import CURVES, Canon, Power, in_print

LUMIVID_LOGC3 = "LumiVid LogC3 (Rec.709)"
"""What LumiVid's model speaks. Not ARRI's camera space: that one has ARRI's primaries."""


class SceneSpace(NamedTuple):
    """A scene-referred space of the config.

    Attributes:
        name: As ACES configs call it.
        family: Where menus put it.
        gamut: One of :data:`primaries.GAMUTS`, or one whose matrix alone is printed.
        curve: One of :data:`CURVES`; none where codes are light.
        aliases: Other names of it, with commas between.
        about: What it is; empty where gamut and curve say all.
    """

    name: str
    family: str
    gamut: str
    curve: str | None
    aliases: str
    about: str = ""

    @property
    def encoding(self) -> str:
        """What kind of numbers it holds, in OpenColorIO's words."""
        if self.curve is None:
            return "scene-linear"
        return "sdr-video" if isinstance(CURVES[self.curve], Power) else "log"

    @property
    def description(self) -> str:
        """What it is, in a sentence or two."""
        if self.about:
            return self.about
        if self.curve is None:
            return f"Linear light of {self.gamut}, as a raw developer writes it."
        return f"{self.curve} codes of {self.gamut} light."

    def to_aces(self) -> Any:
        """The transform to ACES2065-1; None for that space itself."""
        curve = CURVES[self.curve] if self.curve else None
        if isinstance(curve, Canon):
            return BuiltinTransform(curve.style)
        steps = [curve.to_linear()] if curve else []
        if self.gamut != "AP0":
            steps.append(matrix_transform(primaries.to_aces(self.gamut)))
        return GroupTransform(steps) if len(steps) > 1 else next(iter(steps), None)

    def color_space(self) -> Any:
        """The space as OpenColorIO has it; ACES2065-1 is its reference."""
        space = ColorSpace(
            name=self.name,
            aliases=self.aliases.split(", "),
            family=self.family,
            equalityGroup=self.name,
            description=self.description,
            encoding=self.encoding,
            bitDepth=PyOpenColorIO.BIT_DEPTH_F32,
            categories=["file-io", "texture"] if self.encoding == "sdr-video" else ["file-io"],
        )
        if (to_aces := self.to_aces()) is not None:
            space.setTransform(to_aces, PyOpenColorIO.COLORSPACE_DIR_TO_REFERENCE)
        return space


def matrix_transform(matrix: primaries.Matrix) -> Any:
    """A matrix of three rows as OpenColorIO has it."""
    rows = [[*map(in_print, row), 0.0] for row in matrix]
    return MatrixTransform([*rows[0], *rows[1], *rows[2], 0.0, 0.0, 0.0, 1.0])


# fmt: off
SCENE_SPACES = (
    SceneSpace("ACES2065-1", "ACES", "AP0", None,
        "aces2065_1, lin_ap0, lin_ap0_scene, ACES - ACES2065-1",
        "The reference of this config: linear AP0, SMPTE ST 2065-1."),
    SceneSpace("ACEScg", "ACES", "AP1", None,
        "lin_ap1, lin_ap1_scene, ACES - ACEScg",
        "Linear AP1, AMPAS S-2014-004."),
    SceneSpace("ACEScct", "ACES", "AP1", "ACEScct",
        "acescct_ap1, ACES - ACEScct",
        "Quasi-logarithmic codes of AP1 light, AMPAS S-2016-001."),
    SceneSpace("Linear Rec.709 (sRGB)", "Utility", "Rec.709", None,
        "lin_rec709_srgb, lin_rec709, lin_rec709_scene, lin_srgb, "
        "Utility - Linear - Rec.709, Utility - Linear - sRGB",
        "Linear light of Rec.709 and sRGB; what LumiVid writes if not told otherwise."),
    SceneSpace("Linear Rec.2020", "Utility", "Rec.2020", None,
        "lin_rec2020, lin_rec2020_scene, Utility - Linear - Rec.2020",
        "Linear light of Rec.2020 and Rec.2100."),
    SceneSpace("Linear P3-D65", "Utility", "P3-D65", None,
        "lin_p3d65, lin_p3d65_scene, lin_displayp3, Linear Display P3, Utility - Linear - P3-D65",
        "Linear light of P3 with a D65 white."),
    SceneSpace(LUMIVID_LOGC3, "LumiVid", "Rec.709", "LumiVid LogC3",
        f"{transfer.LOGC3_REC709.name}, lumivid_logc3",
        "ARRI's LogC3 curve at EI 800 on linear Rec.709: what LumiVid's model works in. It is not "
        "ARRI LogC3 (EI800), the camera's space, which has ARRI Wide Gamut 3: never read a "
        "camera's file as this, nor this as a camera's."),
    SceneSpace("ARRI LogC3 (EI800)", "Input/ARRI", "ARRI Wide Gamut 3", "ARRI LogC3",
        "arri_logc3_ei800, logc3, logc3ei800_alexawide, "
        "Input - ARRI - V3 LogC (EI800) - Wide Gamut"),
    SceneSpace("Linear ARRI Wide Gamut 3", "Input/ARRI", "ARRI Wide Gamut 3", None,
        "lin_arri_wide_gamut_3, lin_alexawide, Input - ARRI - Linear - ALEXA Wide Gamut"),
    SceneSpace("ARRI LogC4", "Input/ARRI", "ARRI Wide Gamut 4", "ARRI LogC4",
        "arri_logc4, logc4"),
    SceneSpace("Linear ARRI Wide Gamut 4", "Input/ARRI", "ARRI Wide Gamut 4", None,
        "lin_arri_wide_gamut_4, lin_awg4"),
    SceneSpace("S-Log3 S-Gamut3.Cine", "Input/Sony", "S-Gamut3.Cine", "S-Log3",
        "slog3_sgamut3cine, slog3, slog3_sgamutcine, Input - Sony - S-Log3 - S-Gamut3.Cine"),
    SceneSpace("Linear S-Gamut3.Cine", "Input/Sony", "S-Gamut3.Cine", None,
        "lin_sgamut3cine, Input - Sony - Linear - S-Gamut3.Cine"),
    SceneSpace("S-Log3 S-Gamut3", "Input/Sony", "S-Gamut3", "S-Log3",
        "slog3_sgamut3, Input - Sony - S-Log3 - S-Gamut3"),
    SceneSpace("Linear S-Gamut3", "Input/Sony", "S-Gamut3", None,
        "lin_sgamut3, Input - Sony - Linear - S-Gamut3"),
    SceneSpace("S-Log3 Venice S-Gamut3.Cine", "Input/Sony", "Venice S-Gamut3.Cine", "S-Log3",
        "slog3_venice_sgamut3cine, slog3_venice_sgamutcine, "
        "Input - Sony - S-Log3 - Venice S-Gamut3.Cine"),
    SceneSpace("S-Log3 Venice S-Gamut3", "Input/Sony", "Venice S-Gamut3", "S-Log3",
        "slog3_venice_sgamut3, Input - Sony - S-Log3 - Venice S-Gamut3"),
    SceneSpace("Log3G10 REDWideGamutRGB", "Input/RED", "REDWideGamutRGB", "Log3G10",
        "log3g10_redwidegamutrgb, log3g10, rl3g10_rwg, "
        "Input - RED - REDLog3G10 - REDWideGamutRGB"),
    SceneSpace("Linear REDWideGamutRGB", "Input/RED", "REDWideGamutRGB", None,
        "lin_redwidegamutrgb, lin_rwg, Input - RED - Linear - REDWideGamutRGB"),
    SceneSpace("CanonLog2 CinemaGamut D55", "Input/Canon", "CinemaGamut D55", "Canon Log 2",
        "canonlog2_cinemagamut_d55, clog2, canonlog2_cgamutday, "
        "Input - Canon - Canon-Log2 - Cinema Gamut Daylight"),
    SceneSpace("CanonLog3 CinemaGamut D55", "Input/Canon", "CinemaGamut D55", "Canon Log 3",
        "canonlog3_cinemagamut_d55, clog3, canonlog3_cgamutday, "
        "Input - Canon - Canon-Log3 - Cinema Gamut Daylight"),
    SceneSpace("Linear CinemaGamut D55", "Input/Canon", "CinemaGamut D55", None,
        "lin_cinemagamut_d55, lin_canoncgamutday, "
        "Input - Canon - Linear - Canon Cinema Gamut Daylight"),
    SceneSpace("V-Log V-Gamut", "Input/Panasonic", "V-Gamut", "V-Log",
        "vlog_vgamut, vlog, Input - Panasonic - V-Log - V-Gamut"),
    SceneSpace("Linear V-Gamut", "Input/Panasonic", "V-Gamut", None,
        "lin_vgamut, Input - Panasonic - Linear - V-Gamut"),
    SceneSpace("DaVinci Intermediate WideGamut", "Input/BlackmagicDesign", "DaVinci WideGamut",
        "DaVinci Intermediate", "davinci_intermediate_widegamut"),
    SceneSpace("Linear DaVinci WideGamut", "Input/BlackmagicDesign", "DaVinci WideGamut", None,
        "lin_davinci_widegamut"),
    SceneSpace("sRGB - Texture", "Utility", "Rec.709", "sRGB",
        "srgb_tx, srgb, srgb_texture, srgb_rec709_scene, srgb_encoded_rec709_srgb, "
        "sRGB Encoded Rec.709 (sRGB), Utility - sRGB - Texture, "
        "Input - Generic - sRGB - Texture",
        "sRGB codes, IEC 61966-2-1, for stills and textures."),
    SceneSpace("Camera Rec.709", "Utility", "Rec.709", "Camera Rec.709",
        "camera_rec709, rec709_camera, Utility - Rec.709 - Camera",
        "Codes of the camera's curve of ITU-R BT.709; a monitor has another, Gamma 2.4."),
    SceneSpace("Gamma 2.4 Rec.709 - Texture", "Utility", "Rec.709", "Gamma 2.4",
        "g24_rec709_tx, g24_rec709, g24_encoded_rec709, Gamma 2.4 Encoded Rec.709, "
        "rec709_display, Utility - Rec.709 - Display",
        "Codes for a Rec.709 monitor, ITU-R BT.1886."),
    SceneSpace("Gamma 2.2 Rec.709 - Texture", "Utility", "Rec.709", "Gamma 2.2",
        "g22_rec709_tx, g22_rec709, g22_rec709_scene, g22_encoded_rec709, "
        "Gamma 2.2 Encoded Rec.709, Utility - Gamma 2.2 - Rec.709 - Texture",
        "Codes for a Rec.709 monitor of plain gamma 2.2."),
)
# fmt: on
"""Every scene-referred space of the config but data, ACES2065-1 first."""
