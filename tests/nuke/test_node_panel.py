"""Knobs, buttons and what the node shows, without a worker."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import nuke
import numpy as np
import OpenImageIO
import PyOpenColorIO
import pytest

import lumivid_nuke
from lumivid_fx.errors import InputError
from lumivid_fx.protocol.messages import Done, Progress
from lumivid_nuke import actions, colour, follow, knobs, upstream
from lumivid_nuke.exr_digest import exr_digest
from lumivid_nuke.knobs import NodeSettings
from lumivid_nuke.node import disown_copies
from tests.nuke.host.nuke import pixels
from tests.nuke.host.nuke.state import session
from tests.nuke.shots import NODE, level, new_node, new_read, write_frame, write_plate

pytestmark = pytest.mark.usefixtures("host")

KEY = "0" * 64


@pytest.fixture
def node(tmp_path: Path) -> nuke.Node:
    """A node behind a Read of four frames."""
    return new_node(new_read(write_plate(tmp_path / "plate")), tmp_path / "cache", None)


@pytest.fixture
def shown(node: nuke.Node, tmp_path: Path) -> nuke.Node:
    """The same with a result of two frames, eight times as bright."""
    folder = tmp_path / "cache" / KEY
    folder.mkdir(parents=True)
    for frame in (1001, 1002):
        write_frame(folder / f"result.{frame}.exr", 8 * level(frame))
    node["result_key"].setValue(KEY)
    return node


def picture(node: nuke.Node, frame: int) -> float:
    """The red that the node shows."""
    made = pixels.picture_of(node, frame, ())  # type: ignore[arg-type]
    return float(made[0, 0, 0])


def test_node_from_the_menu(tmp_path: Path) -> None:
    """The menu makes it, connected to the selection; its callbacks say nothing yet."""
    read = new_read(write_plate(tmp_path / "plate"))
    session.plugin_path.append(str(NODE))
    read.setSelected(True)
    runpy.run_path(str(NODE / "menu.py"))
    item = nuke.menu("Nodes").findItem("LumiVid/LumiVid")
    assert item is not None
    item.invoke()
    made = nuke.toNode("LumiVid1")
    assert made is not None
    assert made.Class() == "Group"
    assert made.input(0) == read
    assert knobs.frames(made) == (1001, 1004)
    assert set(knobs.KNOBS) <= set(made.knobs())
    assert made["status"].value() == "idle"
    assert knobs.read_settings(made) == NodeSettings()


def test_settings_round_trip(node: nuke.Node) -> None:
    """Through the knobs, and through a copy of the node."""
    settings = NodeSettings(
        input_space="srgb",
        output_space="acescg",
        source_view="ACES/Rec.709",
        model="/models/big",
        lora="/models/sky.safetensors",
        lora_strength=0.5,
        seed=2**31 - 1,
        steps=8,
        detail=0.25,
        model_size="960",
    )
    knobs.write_settings(node, settings)
    assert knobs.read_settings(node) == settings
    node.setSelected(True)
    nuke.nodeCopy("%clipboard%")
    copy = nuke.nodePaste("%clipboard%")
    assert copy is not None
    assert knobs.read_settings(copy) == settings
    assert settings.model_side == 960
    assert (NodeSettings(model_size="plate").model_side, NodeSettings().model_side) == (0, None)
    with pytest.raises(InputError, match="'huge'"):
        _ = NodeSettings(model_size="huge").model_side


def test_what_the_node_shows(shown: nuke.Node) -> None:
    """Source, result, their difference and the mask; the exposure is two to the power of stops."""
    assert picture(shown, 1001) == 8 * level(1001)
    shown["exposure"].setValue(-2.0)
    assert picture(shown, 1001) == 2 * level(1001)
    shown["mode"].setValue("difference")
    assert picture(shown, 1001) == pytest.approx(level(1001))
    shown["mode"].setValue("source")
    assert picture(shown, 1001) == level(1001)
    shown["mode"].setValue("mask")
    assert picture(shown, 1001) == 0.0
    result = Path(str(shown["cache_dir"].value())) / KEY / "result.1001.exr"
    write_frame(result, 8 * level(1001), mask=0.75)
    assert picture(shown, 1001) == 0.75
    shown["exposure"].setValue(3.0)
    assert picture(shown, 1001) == 0.75


def test_mask_is_known_wherever_the_node_goes(shown: nuke.Node, tmp_path: Path) -> None:
    """A script as it is saved, and what is pasted elsewhere, bring the layer with them."""
    result = Path(str(shown["cache_dir"].value())) / KEY / "result.1001.exr"
    write_frame(result, level(1001), mask=0.75)
    shown["mode"].setValue("mask")
    name = shown.name()
    shown.setSelected(True)
    nuke.nodeCopy("%clipboard%")
    copied = session.clipboard
    nuke.scriptSaveAs(str(tmp_path / "shot.nk"))
    session.layers.clear()
    nuke.scriptOpen(str(tmp_path / "shot.nk"))
    opened = nuke.toNode(name)
    assert opened is not None
    assert picture(opened, 1001) == 0.75
    session.layers.clear()
    nuke.scriptClear()
    nuke.scriptReadText(copied)
    pasted = nuke.toNode(name)
    assert pasted is not None
    assert picture(pasted, 1001) == 0.75
    session.layers.clear()
    with pytest.raises(RuntimeError, match="lumivid"):
        picture(pasted, 1001)


def test_missing_frames(shown: nuke.Node) -> None:
    """Error, black, checkerboard, or the input; frames that are there are shown by all."""
    for how in knobs.MISSING:
        shown["missing"].setValue(how)
        assert picture(shown, 1002) == 8 * level(1002)
        if how == "error":
            with pytest.raises(RuntimeError, match=r"result\.1003\.exr"):
                picture(shown, 1003)
        else:
            assert picture(shown, 1003) == (level(1003) if how == "read input" else 0.0)


def test_node_without_result_shows_its_input_and_fails_a_render(node: nuke.Node) -> None:
    """Nobody sees an error in a viewer; nobody renders a plate that is no result."""
    assert picture(node, 1001) == level(1001)
    session.gui = False
    with pytest.raises(RuntimeError, match="No such file"):
        picture(node, 1001)


def test_from_input_and_randomise(node: nuke.Node) -> None:
    """A range that was typed follows the input again; each is one step of undo."""
    node["first"].setValue(1002)
    assert knobs.frames(node) == (1002, 1004)
    steps = nuke.Undo.undoSize()
    lumivid_nuke.from_input(node)
    assert knobs.frames(node) == (1001, 1004)
    assert nuke.Undo.undoSize() == steps + 1
    lumivid_nuke.randomise(node)
    seed = node["seed"].value()
    lumivid_nuke.randomise(node)
    assert node["seed"].value() != seed
    assert 0 <= node["seed"].value() <= knobs.MAX_SEED


def test_import_as_read(shown: nuke.Node) -> None:
    """A Read of the frames there are, raw, selected alone; one step of undo."""
    steps = nuke.Undo.undoSize()
    read = lumivid_nuke.import_as_read(shown)
    assert read is not None
    assert read.Class() == "Read"
    assert nuke.selectedNodes() == [read]
    assert (read["first"].value(), read["last"].value()) == (1001, 1002)
    assert read["raw"].value()
    assert str(read["file"].value()).endswith(f"/cache/{KEY}/result.%04d.exr")
    assert picture(read, 1002) == 8 * level(1002)
    assert nuke.Undo.undoSize() == steps + 1
    shown["result_key"].setValue("")
    assert lumivid_nuke.import_as_read(shown) is None
    assert "press Render" in str(shown["status"].value())


def test_import_before_any_frame(node: nuke.Node) -> None:
    """A result of which no frame is finished is none yet."""
    node["result_key"].setValue(KEY)
    assert lumivid_nuke.import_as_read(node) is None
    assert "no frame of LumiVid1 is finished" in str(node["status"].value())


@pytest.mark.parametrize("stops", [-3.0, 0.0, 0.5, 4.0])
def test_cdl(node: nuke.Node, tmp_path: Path, stops: float) -> None:
    """The slope is two to the power of the stops, and nothing else is changed."""
    node["exposure"].setValue(stops)
    path = lumivid_nuke.export_cdl(node, str(tmp_path / "trim.cc"))
    assert path is not None
    text = path.read_text()
    found = {
        name: [float(word) for word in re.findall(rf"<{name}>(.*)</{name}>", text)[0].split()]
        for name in ("Slope", "Offset", "Power", "Saturation")
    }
    cdl = PyOpenColorIO.CDLTransform.CreateFromFile(str(path), "")
    assert cdl.getSlope() == pytest.approx([2.0**stops] * 3, rel=1e-6)  # single precision
    # Nine digits are written.
    assert found["Slope"] == pytest.approx([2.0**stops] * 3, rel=1e-8)
    assert (found["Offset"], found["Power"]) == ([0] * 3, [1] * 3)
    assert found["Saturation"] == [1]


def test_cdl_asks_where(node: nuke.Node, tmp_path: Path) -> None:
    """In the GUI; nothing is written if the artist says nowhere, and what fails is told."""
    session.answers += [str(tmp_path / "asked.cc"), None]
    assert lumivid_nuke.export_cdl(node) == tmp_path / "asked.cc"
    assert (tmp_path / "asked.cc").is_file()
    assert lumivid_nuke.export_cdl(node) is None
    assert lumivid_nuke.export_cdl(node, str(tmp_path / "no/such.cc")) is None
    assert "choose another place" in str(node["status"].value())


def test_copy_settings(node: nuke.Node, tmp_path: Path) -> None:
    """To the others that are selected, LumiVids alone; one step of undo."""
    other = new_node(node.input(0), tmp_path / "cache", None)
    third = new_node(node.input(0), tmp_path / "cache", None)
    node["seed"].setValue(11)
    for each in (node, other):
        each.setSelected(True)
    steps = nuke.Undo.undoSize()
    assert lumivid_nuke.copy_settings(node) == 1
    assert (other["seed"].value(), third["seed"].value()) == (11, 0)
    assert nuke.Undo.undoSize() == steps + 1


def test_pick_view(node: nuke.Node) -> None:
    """From the script's own; unknown is the first."""
    session.answers += ["srgb", "unknown", None]
    lumivid_nuke.pick_view(node)
    assert node["source_view"].value() == "srgb"
    lumivid_nuke.pick_view(node)
    assert node["source_view"].value() == ""
    lumivid_nuke.pick_view(node)
    assert node["source_view"].value() == ""


def test_cache_folder_is_filled_in(
    node: nuke.Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment, beside the script, or in the home."""
    from lumivid_nuke import results

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(results.CACHE, raising=False)
    said = {}
    for name, script, told in (
        ("home", "", ""),
        ("script", f"{tmp_path.as_posix()}/comp/sh010.nk", ""),
        ("told", f"{tmp_path.as_posix()}/comp/sh010.nk", "/cache/of/the/show"),
    ):
        node["cache_dir"].setValue("")
        nuke.root()["name"].setValue(script)
        if told:
            monkeypatch.setenv(results.CACHE, told)
        said[name] = results.cache_dir(node)
        assert node["cache_dir"].value() == said[name].as_posix()
    assert said == {
        "home": tmp_path / "lumivid",
        "script": tmp_path / "comp/lumivid",
        "told": Path("/cache/of/the/show"),
    }


def test_clones_share_a_job(node: nuke.Node) -> None:
    """A clone shares its knobs with the first, and so the job, whatever its owner's name is."""
    node["job_id"].setValue("1" * 32)
    node["job_owner"].setValue(f"|{node.fullName()}")
    clone = nuke.clone(node, "", False)
    assert clone.clones()
    assert not disown_copies(clone)
    assert node["job_id"].value() == "1" * 32
    node["job_owner"].setValue("/other.nk|LumiVid1")
    assert not disown_copies(node)


@pytest.mark.parametrize(
    ("space", "name"),
    [
        ("linear", "lin_rec709"),
        ("sRGB", "srgb"),
        ("default (sRGB)", "srgb"),
        ("scene_linear (ACES - ACEScg)", "acescg"),
        ("ACES - ACES2065-1", "aces2065-1"),
        ("Utility - sRGB - Texture", "srgb"),
        ("Gamma2.2", "gamma22"),
        ("acescg", "acescg"),
        ("", ""),
    ],
)
def test_names_of_spaces(space: str, name: str) -> None:
    """Nuke's own and those of ACES 1.2, by the worker's names."""
    assert colour.worker_name(space) == name


def test_names_under_ocio(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the config's, whose path goes along if it is the studio's own."""
    monkeypatch.delenv("OCIO", raising=False)
    root = nuke.root()
    root["colorManagement"].setValue("OCIO")
    root["OCIO_config"].setValue("custom")
    root["customOCIOConfigPath"].setValue("/show/config.ocio")
    assert colour.config_path() == "/show/config.ocio"
    assert colour.worker_name("Camera Rec.709") == "Camera Rec.709"
    assert colour.worker_name("linear") == "linear"
    assert colour.working_space() == "scene_linear"
    root["OCIO_config"].setValue("aces_1.2")
    assert colour.config_path() is None
    assert colour.worker_name("ACES - ACEScg") == "acescg"
    assert colour.view_names(["None", "Raw (ACES)", "sRGB (ACES)", "Rec.709 (sRGB)"]) == [
        "ACES/sRGB",
        "sRGB/Rec.709",
    ]
    assert colour.script_views() == ["srgb", "gamma22", "rec709"]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/show/plate.%04d.exr", "/show/plate.####.exr"),
        ("/show/plate.####.dpx", "/show/plate.####.dpx"),
        ("/show/plate.%d.png", "/show/plate.#.png"),
        ("/show/v002/clip.mov", "/show/v002/clip.mov"),
        ("plate.%04d.exr", None),
        ("/show/still.exr", None),
        ("/show/%V/plate.%04d.exr", None),
        ("/show/plate.%04d.psd", None),
        ("/show/%04d/plate.%04d.exr", None),
    ],
)
def test_paths_that_a_worker_reads(path: str, sent: str | None) -> None:
    """As the worker takes them; None goes through a Write."""
    assert upstream.worker_path(path) == sent


@pytest.mark.parametrize(
    ("knob", "value"),
    [("frame_mode", "offset"), ("colorspace", "Output - sRGB"), ("last", 1003), ("disable", True)],
)
def test_reads_that_are_not_bare(node: nuke.Node, knob: str, value: object) -> None:
    """What the worker would see otherwise than Nuke shows it goes through a Write."""
    read = node.input(0)
    assert read is not None
    assert upstream.file_plate(node, 1001, 1004) is not None
    read[knob].setValue(value)
    if knob == "frame_mode":
        read["frame"].setValue("10")
    assert upstream.file_plate(node, 1001, 1004) is None


def test_raw_read_is_in_the_working_space(node: nuke.Node) -> None:
    """Its numbers are taken as they are, and so they are sent."""
    read = node.input(0)
    assert read is not None
    read["colorspace"].setValue("sRGB")
    plate = upstream.file_plate(node, 1001, 1004)
    assert plate is not None
    assert plate.space == "srgb"
    read["raw"].setValue(True)
    plate = upstream.file_plate(node, 1001, 1004)
    assert plate is not None
    assert plate.space == "lin_rec709"


def test_digest_is_of_pixels(tmp_path: Path) -> None:
    """The time in the header does not count, every pixel does; damage is told."""

    def write(name: str, value: float, date: str) -> Path:
        path = tmp_path / name
        spec = OpenImageIO.ImageSpec(16, 8, 3, OpenImageIO.HALF)
        spec.attribute("DateTime", date)
        spec.attribute("compression", "none")
        output = OpenImageIO.ImageOutput.create(str(path))
        assert output is not None
        output.open(str(path), spec)
        picture = np.full((8, 16, 3), 0.25, np.float32)
        picture[7, 15, 2] = value
        output.write_image(picture)
        output.close()
        return path

    one, two = (
        write("1.exr", 0.5, "2024:01:01 00:00:00"),
        write("2.exr", 0.5, "2025:02:03 04:05:06"),
    )
    other = write("3.exr", 0.625, "2024:01:01 00:00:00")
    assert one.read_bytes() != two.read_bytes()
    assert exr_digest(one) == exr_digest(two) != exr_digest(other)
    content = one.read_bytes()
    for cut in (0, 3, 50, 200, 400):
        damaged = tmp_path / "damaged.exr"
        damaged.write_bytes(content[:cut])
        with pytest.raises(InputError, match="render it again"):
            exr_digest(damaged)
    with pytest.raises(InputError, match=r"missing\.exr"):
        exr_digest(tmp_path / "missing.exr")


@pytest.mark.parametrize(
    ("progress", "words", "percent"),
    [
        (Progress(job="", state="queued", ahead=0), "waiting, next", 0),
        (Progress(job="", state="queued", ahead=1), "waiting, 1 job before it", 0),
        (Progress(job="", state="queued", ahead=3), "waiting, 3 jobs before it", 0),
        (Progress(job="", state="running", phase="load"), "load", 0),
        (
            Progress(job="", state="running", frames=12, total=40, eta_s=200.0),
            "12 of 40 frames, 3:20 left",
            30,
        ),
        (
            Progress(
                job="", state="running", total=40, step=2, steps=4, window=2, windows=2, attempt=2
            ),
            "0 of 40 frames, attempt 2",
            75,
        ),
    ],
)
def test_progress_in_words(progress: Progress, words: str, percent: int) -> None:
    """What the status line and the bar say."""
    assert (follow.in_words(progress), follow.share(progress)) == (words, percent)


def test_end_in_words() -> None:
    """Done with what was kept, with notes, and over an hour."""
    done = Done(job="", state="done", frames=3, kept=1, cached=1, seconds=3723, notes=("a note",))
    assert follow.end_in_words(done) == "3 frames, 2 of them from before, 1:02:03; a note"
    assert follow.end_in_words(Done(job="", state="cancelled", frames=1)) == (
        "cancelled; 1 frame finished and kept"
    )
    assert actions.CDL.startswith("<?xml")
