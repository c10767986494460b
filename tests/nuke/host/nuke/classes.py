"""Which nodes this host has, and their knobs.

A table of the few classes that scripts around the node use; values are Nuke's defaults.
"""

from __future__ import annotations

from collections.abc import Callable

from . import knobs as k

# fmt: off
_COMMON = """name:s xpos:i ypos:i selected:b label:m tile_color:u gl_color:u note_font:s
        note_font_color:u note_font_size:d=11 hide_input:b cached:b dope_sheet:b postage_stamp:b
        onCreate:p onDestroy:p knobChanged:p updateUI:p autolabel:p help:m indicators:d bookmark:b
        icon:s lifetimeStart:i lifetimeEnd:i useLifetime:b"""

_IMAGE = """ channels:c=rgb disable:D mix:d=1 maskChannelInput:s=none maskChannelMask:s=none
        unpremult:s=none inject:b"""

_FILE = """file:f proxy:f colorspace:C raw:b premultiplied:b file_type:s views:s=main reload:x"""

KNOBS: dict[str, str] = {
    "Root": """
        name:f frame:i=1 first_frame:i=1 last_frame:i=100 lock_range:b fps:d=24 format:F=HD_1080
        proxy:b proxy_type:e=format|scale proxy_format:F proxy_scale:d=0.5 project_directory:f
        onScriptLoad:p onScriptSave:p colorManagement:e=Nuke|OCIO
        OCIO_config:e=nuke-default|aces_1.2|fn-nuke_cg-config-v1.0.0_aces-v1.3_ocio-v2.1|custom
        customOCIOConfigPath:f workingSpaceLUT:C monitorLut:C int8Lut:C int16Lut:C logLut:C
        floatLut:C defaultViewerLUT:s=Nuke views:s=main nuke_version:s""",
    "Group": "disable:D lock_connections:b",
    "Input": "number:i", "Output": "", "Dot": "", "Viewer": "disable:D",
    "NoOp": "disable:D", "StickyNote": "", "BackdropNode": "bdwidth:i bdheight:i",
    "Read": _FILE + """
        first:i=1 last:i=1 origfirst:i=1 origlast:i=1 origset:b before:e=hold|loop|bounce|black
        after:e=hold|loop|bounce|black frame_mode:e=expression|start_at|offset frame:s
        format:F=HD_1080 proxy_format:F on_error:e=error|black|checkerboard|nearest_frame
        auto_alpha:b version:i disable:D localizationPolicy:s first_part:s use_limit:b
        in_colorspace:s out_colorspace:s""",
    "Write": _FILE + """
        channels:c=rgb first:i=1 last:i=1 use_limit:b create_directories:b Render:x beforeRender:p
        afterRender:p beforeFrameRender:p afterFrameRender:p noprefix:b render_order:i=1
        heroview:i disable:D first_part:s""",
    # what a Write has once it knows that it writes EXR
    "WriteExr": """datatype:e=16_bit_half|32_bit_float
        compression:e=none|Zip_(1_scanline)|Zip_(16_scanlines)|RLE=Zip_(1_scanline)
        metadata:e=no_metadata|default_metadata|all_metadata=default_metadata autocrop:b
        interleave:s standard_layer_name_format:b""",
    "Grade": "blackpoint:d whitepoint:d=1 black:d white:d=1 multiply:d=1 add:d gamma:d=1 reverse:b"
             " black_clamp:b=1 white_clamp:b" + _IMAGE,
    "Multiply": "value:d=1" + _IMAGE, "Add": "value:d" + _IMAGE,
    "Clamp": "minimum:d maximum:d=1 minimum_enable:b=1 maximum_enable:b=1" + _IMAGE,
    "Switch": "which:d disable:D",
    "Merge2": "operation:s=over bbox:s=union output:s=rgba also_merge:s=none" + _IMAGE,
    "Expression": " ".join(f"temp_name{n}:s temp_expr{n}:s" for n in range(4))
                  + " " + " ".join(f"channel{n}:s expr{n}:s" for n in range(4)) + _IMAGE,
    "Copy": "from0:s to0:s from1:s to1:s from2:s to2:s from3:s to3:s channels:c=none disable:D",
    "Shuffle2": "mappings:s in1:s=rgba out1:s=rgba fromInput1:s disable:D",
    "Constant": "channels:c=rgb color:A format:F=HD_1080 first:i=1 last:i=1",
    "CheckerBoard2": "boxsize:d=64 color0:A color1:A color2:A color3:A format:F=HD_1080",
    "FrameRange": "first_frame:i=1 last_frame:i=1 disable:D",
    "FrameHold": "first_frame:i increment:i disable:D",
    "TimeOffset": "time_offset:i disable:D",
    "OCIOColorSpace": "in_colorspace:C out_colorspace:C" + _IMAGE,
    "OCIOCDLTransform": "slope:A=1 offset:A power:A=1 saturation:d=1 file:f"
                        " direction:e=forward|inverse read_from_file:b working_space:C" + _IMAGE,
    "Text2": "message:m" + _IMAGE,
    "AddMode": "", "Remove": "operation:e=remove|keep channels:c=all disable:D",
}
INPUTS: dict[str, tuple[int, int]] = {
    # class: fewest and most inputs; others have one
    "Root": (0, 0), "Input": (0, 0), "Read": (0, 0), "Constant": (0, 0), "CheckerBoard2": (0, 0),
    "StickyNote": (0, 0), "BackdropNode": (0, 0), "Switch": (1, 100), "Merge2": (2, 100),
    "Viewer": (1, 10),
    "Copy": (2, 3), "Shuffle2": (1, 2), "Group": (0, 100),
}
# fmt: on

COLORSPACES = [
    "scene_linear", "linear", "sRGB", "rec709", "ACES - ACEScg", "ACES - ACES2065-1", "raw",
    "Output - sRGB", "Input - ARRI - V3 LogC (EI800) - Wide Gamut",
]  # fmt: skip
"""What colour space knobs offer; a test may change the list before it makes nodes."""

_KINDS: dict[str, Callable[[str], k.Knob]] = {
    "s": k.EvalString_Knob, "m": k.Multiline_Eval_String_Knob, "f": k.File_Knob, "i": k.Int_Knob,
    "d": k.Double_Knob, "b": k.Boolean_Knob, "D": k.Disable_Knob, "u": k.Unsigned_Knob,
    "p": k.PythonKnob, "x": k.PyScript_Knob, "c": k.ChannelMask_Knob, "F": k.Format_Knob,
    "A": k.AColor_Knob,
}  # fmt: skip


def make_knobs(class_name: str) -> list[k.Knob]:
    """New knobs of a node, as they are by default."""
    common = "" if class_name in {"Root", "WriteExr"} else _COMMON
    names = f"{KNOBS[class_name]} {common}"
    return [_knob(class_name, entry) for entry in names.split()]


def _knob(class_name: str, entry: str) -> k.Knob:
    name, _, kind = entry.partition(":")
    letter, _, default = kind.partition("=")
    if letter == "e":
        default, _, chosen = default.partition("=")
        words = [word.replace("_", " ") for word in default.split("|")]
        if class_name == "Root":
            words = default.split("|")
        knob: k.Knob = k.Enumeration_Knob(name, name, words)
        default = chosen.replace("_", " ")
    elif letter == "C":
        usual = ["default (linear)"] if class_name != "Root" else []
        knob = k.Enumeration_Knob(name, name, [*usual, *COLORSPACES])
    else:
        knob = _KINDS[letter](name)
    if default:
        knob._value = knob._read(default)
    elif name in {"Render", "reload"}:
        knob._value = "pass"
    knob._default = knob._value
    return knob
