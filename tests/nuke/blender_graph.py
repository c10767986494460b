"""A compositor's half of the way, run by Blender's own Python; says what it measured as JSON.

    python blender_graph.py FOLDER LUMIVID_HOME

Upstream graph -> half EXR -> our client -> worker -> half EXR -> downstream graph -> half EXR. The
environment is ``scripts/blender.sh``'s; nothing of the tests is imported.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import bpy
import numpy as np

from lumivid_fx import client
from lumivid_fx.protocol.messages import Settings
from lumivid_fx.protocol.places import HOME, Places

WIDTH, HEIGHT = 96, 64
FIRST, LAST = 1001, 1009
LIFT = 1.0
"""Stops that the upstream graph adds, and the downstream one takes away."""


def main(folder: Path, home: str) -> dict[str, object]:
    """Send a plate through the worker, and back into the graph."""
    for name in ("source", "plate", "result", "opened", "final"):
        (folder / name).mkdir()
    for frame in range(FIRST, LAST + 1):
        write(folder / f"source/source.{frame:04d}.exr", picture(frame))
    upstream = graph(folder / "source/source", folder / "plate", "plate.", LIFT)
    begun = time.monotonic()
    ended = []
    with client.connect(places=Places.of({HOME: home}), name="blender") as worker:
        # As scene-linear light the plate holds all there is; as code values it was clipped at 1.
        for space, target in (("lin_rec709", "result"), ("srgb", "opened")):
            job = worker.submit(
                folder / "plate/plate.####.exr",
                folder / f"{target}/result.####.exr",
                frames=f"{FIRST}-{LAST}",
                settings=Settings(input_space=space, output_space="lin_rec709"),
                label=f"{space} from Blender's compositor",
            )
            ended.append(job.wait(500))
    rendered = time.monotonic() - begun
    downstream = graph(folder / "result/result", folder / "final", "final.", -LIFT)
    return {
        "blender": bpy.app.version_string,
        "states": [done.state for done in ended],
        "frames": [done.frames for done in ended],
        "seconds": {"upstream": upstream, "worker": rendered, "downstream": downstream},
        "plate": measure(folder / "plate", "plate", folder / "source", "source", 2.0**LIFT),
        "result": measure(folder / "result", "result", folder / "plate", "plate", 1.0),
        "opened": measure(folder / "opened", "result", folder / "plate", "plate", 1.0),
        "final": measure(folder / "final", "final", folder / "result", "result", 2.0**-LIFT),
    }


def picture(frame: int) -> np.ndarray:
    """A ramp that a lamp moves over, with a strip below 0 and one far above 1."""
    across, down = np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT)[:, None]
    out = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    lamp = np.hypot(across - 0.1 * (frame - FIRST), down - 0.5) < 0.15
    out[..., 0] = np.where(lamp, 1.0, 0.6 * across)
    out[..., 1] = np.where(lamp, 0.9, 0.4 * across)
    out[..., 2] = np.where(lamp, 0.8, 0.3 * down)
    out[:8, :, :3] = -0.0625
    out[-8:, :, :3] = 12.0
    out[..., 3] = 1.0
    return out


def graph(pattern: Path, target: Path, name: str, stops: float) -> float:
    """Render a sequence through an Exposure node into half EXRs; seconds."""
    tree = bpy.data.node_groups.new("graph", "CompositorNodeTree")
    scene = bpy.context.scene
    scene.compositing_node_group = tree
    image = bpy.data.images.load(f"{pattern}.{FIRST:04d}.exr", check_existing=False)
    image.source, image.colorspace_settings.is_data = "SEQUENCE", True
    read = tree.nodes.new("CompositorNodeImage")
    read.image, read.use_auto_refresh = image, True
    read.frame_start, read.frame_offset = FIRST, FIRST - 1
    read.frame_duration = LAST - FIRST + 1
    exposure = tree.nodes.new("CompositorNodeExposure")
    exposure.inputs["Exposure"].default_value = stops
    output = tree.nodes.new("CompositorNodeOutputFile")
    # A name that ends in a dot and an item without one: Blender writes plate.1001.exr.
    output.directory, output.file_name = f"{target}/", name
    output.format.media_type, output.format.file_format = "IMAGE", "OPEN_EXR"
    output.format.color_depth = "16"
    output.file_output_items.new("RGBA", "")
    tree.links.new(read.outputs[0], exposure.inputs[0])
    tree.links.new(exposure.outputs[0], output.inputs[0])
    scene.frame_start, scene.frame_end = FIRST, LAST
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.resolution_percentage = 100
    scene.render.filepath = f"{target.parent}/unused_"
    scene.render.image_settings.file_format = "OPEN_EXR"
    begun = time.monotonic()
    bpy.ops.render.render(animation=True)
    return time.monotonic() - begun


def write(path: Path, pixels: np.ndarray) -> None:
    """A float EXR by Blender itself."""
    image = bpy.data.images.new("w", WIDTH, HEIGHT, float_buffer=True, alpha=True, is_data=True)
    image.pixels.foreach_set(pixels.ravel())
    image.file_format, image.filepath_raw = "OPEN_EXR", str(path)
    image.save()
    bpy.data.images.remove(image)


def read(path: Path) -> np.ndarray:
    """An EXR's pixels as Blender sees them, bottom line first."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.is_data = True
    pixels = np.empty(WIDTH * HEIGHT * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(HEIGHT, WIDTH, 4)


def measure(folder: Path, name: str, before: Path, old: str, gain: float) -> dict[str, object]:
    """Frame numbers, extremes, and how far frames are from those before, times a gain."""
    numbers = sorted(int(path.name.split(".")[1]) for path in folder.glob(f"{name}.*.exr"))
    now = np.stack([read(folder / f"{name}.{n:04d}.exr") for n in numbers])
    then = np.stack([read(before / f"{old}.{n:04d}.exr") for n in numbers])
    wanted = then[..., :3] * gain
    return {
        "numbers": numbers,
        "low": float(now[..., :3].min()),
        "high": float(now[..., :3].max()),
        "relative": float((abs(now[..., :3] - wanted) / np.maximum(abs(wanted), 1e-3)).max()),
        "alpha": float(abs(now[..., 3] - then[..., 3]).max()),
        "changed": float((abs(now[..., :3] - wanted).max(axis=-1) > 0.01).mean()),
        "below_zero": float((now[..., :3] < 0).mean()),
        "above_one": float((now[..., :3] > 1).mean()),
    }


if __name__ == "__main__":
    sys.stdout.write(f"MEASURED {json.dumps(main(Path(sys.argv[1]), sys.argv[2]))}\n")
