"""What nodes make of pictures: float32 ``h w 5`` in the working space, files by OpenImageIO.

Red, green, blue, alpha, and the one further channel that scripts here have: the node's mask.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .expression import evaluate
from .nodes import Group, Node, root_node
from .state import session

if TYPE_CHECKING:
    import numpy as np
    import OpenImageIO as oiio
    from numpy.typing import NDArray

    Picture = NDArray[np.float32]

DEPTH = 5
"""Channels of a picture."""

_CHANNELS = {
    "rgba.red": 0, "rgba.green": 1, "rgba.blue": 2, "rgba.alpha": 3, "lumivid.generated": 4,
}  # fmt: skip
_IN_FILES = {"R": 0, "G": 1, "B": 2, "A": 3, "lumivid.generated": 4}
_LINEAR = {"linear", "scene_linear", "default (linear)", "ACES - ACEScg", "raw"}
_FORMATS = {"HD_1080": (1920, 1080)}


def render(write: Node, frame: int) -> None:
    """Render one frame of a Write.

    Raises:
        RuntimeError: As Nuke raises it, with the reason.
    """
    import OpenImageIO as oiio

    path = Path(_text(write, "file", frame))
    if write._knobs["use_limit"].value() and not _int(write, "first") <= frame <= _int(
        write, "last"
    ):
        raise RuntimeError(f"{write.name()}: frame {frame} is outside of its limit")
    source = write.input(0)
    if source is None:
        raise RuntimeError(f"{write.name()}: no input")
    picture = picture_of(source, frame, ())
    if root_node().proxy():
        picture = picture[::2, ::2]
    if not path.parent.is_dir():
        if not write._knobs["create_directories"].value():
            raise RuntimeError(f"{write.name()}: {path}: No such file or directory")
        path.parent.mkdir(parents=True)
    channels = 4 if str(write._knobs["channels"].value()) in {"rgba", "all"} else 3
    half = "datatype" in write._knobs and write._knobs["datatype"].value() == "16 bit half"
    height, width = picture.shape[:2]
    spec = oiio.ImageSpec(width, height, channels, "half" if half else "float")
    if "compression" in write._knobs:
        packing = str(write._knobs["compression"].value()).split(" ")[0].lower()
        spec.attribute("compression", "zips" if packing == "zip" else packing)
    if not write._knobs["raw"].value():
        raise RuntimeError(f"{write.name()}: this host writes raw alone")
    for name, value in metadata_of(source).items():
        if "metadata" in write._knobs and "all" in str(write._knobs["metadata"].value()):
            spec.attribute(f"nuke/{name}", str(value))
    buffer = oiio.ImageBuf(spec)
    buffer.set_pixels(oiio.ROI.All, picture[..., :channels].copy())
    if not buffer.write(str(path)):
        raise RuntimeError(f"{write.name()}: {path}: {buffer.geterror()}")


def picture_of(node: Node, frame: int, within: tuple[Group, ...]) -> Picture:
    """A node's picture.

    Args:
        node: Any.
        frame: Which frame.
        within: The groups that lie around it, outermost first; clones share their insides.

    Raises:
        RuntimeError: A file is missing, or this host does not know how.
    """
    before, session.frame = session.frame, frame
    try:
        return _picture(node, frame, within)
    finally:
        session.frame = before


def size_of(node: Node) -> tuple[int, int]:
    """Width and height of a node's picture, or of the project's where there is none."""
    read: Node | None = node
    while read is not None and read._class_name != "Read":
        read = read._source()
    if read is not None:
        found = _spec(_text(read, "file", _int(read, "first")))
        if found is not None:
            return int(found.width), int(found.height)
    said = str(root_node()._knobs["format"].value())
    words = said.split()
    if len(words) > 1:
        return int(words[0]), int(words[1])
    return _FORMATS.get(said, (1920, 1080))


def metadata_of(node: Node) -> dict[str, object]:
    """What the file above a node says of itself."""
    read: Node | None = node
    while read is not None and read._class_name != "Read":
        read = read._source()
    if read is None:
        return {}
    path = _text(read, "file", session.frame)
    spec = _spec(path)
    told: dict[str, object] = {"input/filename": path}
    if spec is not None:
        told["input/width"], told["input/height"] = spec.width, spec.height
        rate = spec.get_float_attribute("framesPerSecond")
        if rate:
            told["input/frame_rate"] = rate
    return told


def _picture(node: Node, frame: int, within: tuple[Group, ...]) -> Picture:
    import numpy as np

    kind, knobs = node._class_name, node._knobs
    if isinstance(node, Group):
        off = knobs.get("disable")
        output = node.output()
        if off is not None and off.value():
            return _input(node, 0, frame, within)
        if output is None:
            raise RuntimeError(f"{node._path()} has no Output")
        return picture_of(output, frame, (*within, node))
    if kind == "Input":
        group = within[-1]
        inputs = [one for one in group._children if one._class_name == "Input"]
        index = sorted(inputs, key=lambda one: float(str(one._knobs["number"].value()))).index(node)
        return _input(group, index, frame, within[:-1])
    if kind == "Read":
        return _read(node, frame)
    if kind == "Constant":
        width, height = size_of(node)
        colour = knobs["color"].getValue()
        out = np.zeros((height, width, DEPTH), np.float32)
        out[..., :4] = np.asarray(colour, np.float32)
        return out
    if kind == "Switch":
        which = int(float(str(knobs["which"].getValue())))
        return _input(node, max(0, min(which, len(node._inputs) - 1)), frame, within)
    if kind == "FrameHold":
        return _input(node, 0, _int(node, "first_frame"), within)
    if kind == "TimeOffset":
        return _input(node, 0, frame - _int(node, "time_offset"), within)
    picture = _input(node, 0, frame, within)
    off = knobs.get("disable")
    passes = {"Output", "Dot", "NoOp", "Write", "FrameRange", "Viewer"}
    if kind in passes or (off is not None and off.value()):
        return picture
    return _worked(node, picture, frame, within)


def _worked(node: Node, picture: Picture, frame: int, within: tuple[Group, ...]) -> Picture:
    """Arithmetic on the channels that the node works on."""
    import numpy as np

    count = {"rgb": 3, "rgba": 4, "all": 4}.get(str(node._knobs["channels"].value()), 3)
    part, kind = picture[..., :count], node._class_name

    def number(name: str) -> Picture:
        value = np.asarray(node._knobs[name].getValue(), np.float32)
        return value[:count] if value.ndim else value

    if kind == "Multiply":
        part = part * number("value")
    elif kind == "Add":
        part = part + number("value")
    elif kind == "Clamp":
        part = np.clip(part, number("minimum"), number("maximum"))
    elif kind == "Grade":
        slope = number("multiply") * (number("white") - number("black"))
        slope = slope / (number("whitepoint") - number("blackpoint"))
        part = slope * part + number("add") + number("black") - slope * number("blackpoint")
        if float(number("gamma")) != 1.0:
            raise RuntimeError("this host's Grade has no gamma")
        part = np.maximum(part, 0) if node._knobs["black_clamp"].value() else part
        part = np.minimum(part, 1) if node._knobs["white_clamp"].value() else part
    elif kind == "Merge2":
        return _merged(node, picture, _input(node, 1, frame, within))
    elif kind == "Copy":
        return _copied(node, picture, _input(node, 1, frame, within))
    elif kind == "Expression":
        return _expressed(node, picture)
    else:
        raise RuntimeError(f"{node._path()}: this host cannot render {kind}")
    out = picture.copy()
    out[..., :count] = part
    return out


def _merged(node: Node, below: Picture, above: Picture) -> Picture:
    """Input 0 is B, input 1 is A."""
    import numpy as np

    how = str(node._knobs["operation"].value())
    alpha = above[..., 3:4]
    found: Picture = {
        "over": above + below * (1 - alpha), "plus": above + below, "minus": above - below,
        "from": below - above, "difference": abs(above - below), "multiply": above * below,
        "copy": above,
    }[how]  # fmt: skip
    return np.concatenate([found[..., :4], below[..., 4:]], axis=-1)  # it merges rgba


def _copied(node: Node, below: Picture, above: Picture) -> Picture:
    out = below.copy()
    for index in range(4):
        to = str(node._knobs[f"to{index}"].value())
        if to in _CHANNELS:
            out[..., _CHANNELS[to]] = above[
                ..., _CHANNELS[str(node._knobs[f"from{index}"].value())]
            ]
    return out


def _expressed(node: Node, picture: Picture) -> Picture:
    import numpy as np

    names: dict[str, object] = {letter: picture[..., at] for at, letter in enumerate("rgba")}

    for channels in session.layers.values():
        names |= {each: picture[..., _CHANNELS[each]] for each in channels}

    def look_up(name: str) -> object:
        return names[name] if name in names else node._look_up(name)

    for index in range(4):
        temporary = str(node._knobs[f"temp_name{index}"].value())
        if temporary:
            text = str(node._knobs[f"temp_expr{index}"].value())
            names[temporary] = evaluate(text, look_up, node._evaluate_text)
    out = picture.copy()
    usual = ["rgba.red", "rgba.green", "rgba.blue", "rgba.alpha"]
    words = {"rgb": [0, 1, 2], "rgba": [0, 1, 2, 3], "alpha": [3], "rgba.alpha": [3]}
    for index in range(4):
        text = str(node._knobs[f"expr{index}"].value())
        said = str(node._knobs[f"channel{index}"].value()) or usual[index]
        if text:
            for at in words.get(said) or [_CHANNELS[one] for one in said.split()]:
                out[..., at] = np.float32(1) * evaluate(text, look_up, node._evaluate_text)
    return out


def _input(node: Node, index: int, frame: int, within: tuple[Group, ...]) -> Picture:
    import numpy as np

    source = node.input(index)
    if source is None:
        width, height = size_of(node)
        return np.zeros((height, width, DEPTH), np.float32)
    return picture_of(source, frame, within)


def _read(node: Node, frame: int) -> Picture:
    first, last = _int(node, "first"), _int(node, "last")
    held = max(first, min(frame, last))
    for wanted in {"before": frame < first, "after": frame > last}.items():
        if wanted[1] and node._knobs[wanted[0]].value() == "black":
            return _blank(node, frame)
    how = str(node._knobs["on_error"].value())
    path = Path(_text(node, "file", held))
    if how == "nearest frame" and not path.exists():
        there = [n for n in range(first, last + 1) if Path(_text(node, "file", n)).exists()]
        if there:
            path = Path(_text(node, "file", min(there, key=lambda n: abs(n - held))))
    if not path.exists():
        if how == "error" or how == "nearest frame":
            raise RuntimeError(f"{node._path()}: {path}: No such file or directory")
        return _blank(node, frame, checkered=how == "checkerboard")
    return _file(node, path)


def _file(node: Node, path: Path) -> Picture:
    import numpy as np
    import OpenImageIO as oiio

    buffer = oiio.ImageBuf(str(path))
    pixels = np.asarray(buffer.get_pixels("float"), np.float32)
    if buffer.has_error:
        raise RuntimeError(f"{node._path()}: {path}: {buffer.geterror()}")
    out = np.zeros((*pixels.shape[:2], DEPTH), np.float32)
    for at, name in enumerate(buffer.spec().channelnames):
        if name in _IN_FILES:
            out[..., _IN_FILES[name]] = pixels[..., at]
    space = str(node._knobs["colorspace"].value())
    if node._knobs["raw"].value() or space in _LINEAR:
        return out
    if space not in {"sRGB", "default (sRGB)"}:
        raise RuntimeError(f"{node._path()}: this host knows no {space}")
    light = out[..., :3]
    out[..., :3] = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    return out


def _blank(node: Node, frame: int, *, checkered: bool = False) -> Picture:
    import numpy as np

    width, height = size_of(node)
    out = np.zeros((height, width, DEPTH), np.float32)
    if checkered:
        out[(np.indices((height, width)).sum(0) // 8) % 2 == 1, :4] = 0.5
    return out


def _spec(path: str) -> oiio.ImageSpec | None:
    import OpenImageIO as oiio

    opened = oiio.ImageInput.open(path)
    oiio.geterror()  # a file that is not there is no news
    return None if opened is None else opened.spec()


def _int(node: Node, name: str) -> int:
    return int(float(str(node._knobs[name].getValue())))


def _text(node: Node, name: str, frame: int) -> str:
    return node._evaluate_text(str(node._knobs[name]._value), frame)
