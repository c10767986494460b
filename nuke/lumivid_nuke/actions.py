"""What the buttons do besides rendering."""

from __future__ import annotations

import secrets
import webbrowser
from pathlib import Path
from xml.sax.saxutils import escape

import nuke

from lumivid_fx.errors import InputError
from lumivid_nuke import colour, host, knobs, results

CDL = """<?xml version="1.0" encoding="UTF-8"?>
<ColorCorrection xmlns="urn:ASC:CDL:v1.01" id="{name}">
  <Description>{stops:+g} stops on linear {space}; apply before any other grade</Description>
  <SOPNode>
    <Slope>{slope:.9g} {slope:.9g} {slope:.9g}</Slope>
    <Offset>0 0 0</Offset>
    <Power>1 1 1</Power>
  </SOPNode>
  <SatNode>
    <Saturation>1</Saturation>
  </SatNode>
</ColorCorrection>
"""
"""ASC CDL 1.01 as a ``.cc`` file, which OpenColorIO, Nuke and Resolve read."""


def import_as_read(here: nuke.Node) -> nuke.Node:
    """Make a Read of the shown result, beside the node and selected.

    Raises:
        InputError: There is no result.
    """
    folder = _result(here)
    there = sorted(results.frames_there(folder))
    if not there:
        raise InputError(f"no frame of {here.name()} is finished yet; press Render")
    with host.one_undo("Import as Read"), host.group_of(here):
        read = nuke.nodes.Read(file=results.result_pattern(folder, "%04d"))
        for name, value in (
            *(("first", there[0]), ("last", there[-1])),
            *(("origfirst", there[0]), ("origlast", there[-1]), ("origset", True)),
            *(("raw", True), ("on_error", "error"), ("label", _provenance(here))),
        ):
            knob = read.knob(name)
            if knob is not None:
                knob.setValue(value)
        read.setXYpos(here.xpos() + 110, here.ypos())
        for each in nuke.selectedNodes():
            each.setSelected(False)
        read.setSelected(True)
    return read


def export_cdl(here: nuke.Node, path: str | None = None) -> Path | None:
    """Write the node's exposure as an ASC CDL: slope is 2 to the power of the stops.

    Args:
        here: A LumiVid.
        path: Where to; None asks, in the GUI.

    Returns:
        Where it is; None if nobody said where.

    Raises:
        InputError: It cannot be written.
    """
    if path is None:
        path = nuke.getFilename("Export CDL", "*.cc") if host.has_gui() else None
    if not path:
        return None
    stops = float(here["exposure"].value())
    space = colour.worker_name(knobs.text(here, "output_space")) or colour.working_space()
    text = CDL.format(
        name=escape(here.name(), {'"': "&quot;"}),
        stops=stops,
        space=escape(space),
        slope=2.0**stops,
    )
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); choose another place"
        ) from error
    return Path(path)


def open_cache(here: nuke.Node) -> None:
    """Show where the results lie in the desktop's file browser."""
    key = str(here["result_key"].value())
    folder = results.cache_dir(here)
    if key and results.result_folder(folder, key).is_dir():
        folder = results.result_folder(folder, key)
    if not folder.is_dir():
        raise InputError(f"{folder} is not there yet; press Render")
    webbrowser.open(folder.as_uri())


def copy_settings(here: nuke.Node) -> int:
    """Give every other LumiVid that is selected this one's settings; how many those are."""
    settings = knobs.read_settings(here)
    others = [
        each
        for each in nuke.selectedNodes()
        if knobs.is_ours(each) and each.fullName() != here.fullName()
    ]
    with host.one_undo("Copy settings"):
        for each in others:
            knobs.write_settings(each, settings)
    return len(others)


def randomise(here: nuke.Node) -> None:
    """Take another seed."""
    with host.one_undo("Randomise seed"):
        here["seed"].setValue(secrets.randbelow(knobs.MAX_SEED + 1))


def from_input(here: nuke.Node) -> None:
    """Let the range follow the input again."""
    with host.one_undo("Range from input"):
        for name in ("first", "last"):
            here[name].setExpression(f"input.{name}_frame")


def pick_view(here: nuke.Node) -> None:
    """Choose the view that the plate was made with from those of the script."""
    views = ["unknown", *colour.script_views()]
    chosen = nuke.choice("LumiVid", "SDR view that the plate was made with", views)
    if chosen is not None:
        with host.one_undo("Source view"):
            here["source_view"].setValue("" if chosen == 0 else views[int(chosen)])


def _provenance(here: nuke.Node) -> str:
    """How a result was made, for the label of its Read."""
    said = knobs.read_settings(here)
    model = Path(said.model).name or "worker's model"
    lora = f", {Path(said.lora).name} x {said.lora_strength:g}" if said.lora else ""
    steps = f", {said.steps} steps" if said.steps else ""
    return f"{here.name()}: {model}{lora}, seed {said.seed}{steps}, detail {said.detail:g}"


def _result(here: nuke.Node) -> Path:
    key = str(here["result_key"].value())
    if not key:
        raise InputError(f"{here.name()} has no result yet; press Render")
    return results.result_folder(results.cache_dir(here), key)
