"""The node's way through a shot, told line by line; ``scripts/node_walk.sh`` prepares it.

    python3.11 -I -S scripts/node_walk.py FOLDER HOST SHOT

FOLDER is what ``lumivid nuke install --target`` made, HOST the folder of the tests' in-memory
``nuke``, SHOT a folder with ``clip.mp4`` that a running worker may read and write. Nothing else is
on the path: what this Python can import, Nuke's own could.
"""

from __future__ import annotations

import runpy
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

FRAMES = 25
ENOUGH = 5
"""Finished frames after which the render is cancelled."""

PATIENCE_S = 900.0


def start(folder: str, host: str) -> None:
    """Be Nuke at its start, ``init.py`` and all; say what was imported from where."""
    sys.path += [host]
    here: Any = import_module("nuke")
    here._start(gui=True)
    _session().plugin_path.append(folder)
    runpy.run_path(f"{folder}/init.py")
    import lumivid_nuke  # noqa: F401 - what is told is where it comes from

    print(f"python {sys.version.split()[0]}")
    for name in ("lumivid_nuke", "lumivid_fx.client", "zmq", "msgpack", "msgspec"):
        place = Path(str(sys.modules[name].__file__)).relative_to(folder).parent
        print(f"  {name:18} from {place}")
    print(f"  torch or numpy: {sorted({'torch', 'numpy'} & set(sys.modules)) or 'not loaded'}")


class Walk:
    """A node behind a clip, and what it says of itself.

    Args:
        shot: Folder of the clip and of the cache.
    """

    def __init__(self, shot: str) -> None:
        import nuke

        self.cache = Path(shot) / "cache"
        self.began = time.monotonic()
        read = nuke.nodes.Read(file=f"{shot}/clip.mp4")
        for name, value in (("first", 1), ("last", FRAMES), ("colorspace", "sRGB")):
            read[name].setValue(value)
        self.node: Any = nuke.createNode("LumiVid")
        self.node.setInput(0, read)
        self.node["cache_dir"].setValue(self.cache.as_posix())

    def there(self) -> int:
        """How many frames of the shown result are finished."""
        from lumivid_nuke import results

        key = str(self.node["result_key"].value())
        return len(results.frames_there(self.cache / key)) if key else 0

    def tell(self, what: str) -> None:
        """A line of the transcript."""
        seconds, said = time.monotonic() - self.began, self.node["status"].value()
        print(f"{seconds:6.1f} s  {what:24} frames: {self.there():2}  status: {said}")

    def wait(self, frames: int = FRAMES + 1) -> None:
        """Be Nuke's event loop until so many frames are there or no job is under way."""
        events: Any = import_module("nuke.state")
        events.process_events(
            lambda: self.there() >= frames or not self.node["job_id"].value(), PATIENCE_S
        )


def _session() -> Any:
    """What the in-memory Nuke remembers beside the graph; types-nuke knows nothing of it."""
    return import_module("nuke.state").session


def main(folder: str, host: str, shot: str) -> None:
    """Create, render, cancel, render missing, export, import; each with what the node says."""
    start(folder, host)
    import lumivid_nuke

    session, walk = _session(), Walk(shot)
    node = walk.node
    walk.tell("node created, connected")
    lumivid_nuke.submit(node)
    walk.tell("Render (returned)")
    walk.wait(ENOUGH)
    walk.tell("some frames are there")
    lumivid_nuke.cancel(node)
    walk.wait()
    walk.tell("Cancel")
    lumivid_nuke.render_missing(node)
    walk.wait()
    walk.tell("Render missing")
    node["exposure"].setValue(-1.5)
    cdl = lumivid_nuke.export_cdl(node, f"{shot}/LumiVid1.cc")
    walk.tell("Export CDL")
    if cdl is not None:
        slope = [line.strip() for line in cdl.read_text("utf-8").splitlines() if "<Slope>" in line]
        print(f"          {cdl.name}: {slope[0]} at exposure {node['exposure'].value()}")
    made = lumivid_nuke.import_as_read(node)
    walk.tell("Import as Read")
    if made is not None:
        said = {name: made[name].value() for name in ("file", "first", "last", "raw")}
        print(f"          {made.name()}: {said}")
    for seed, what in ((7, "seed changed"), (0, "seed changed back")):
        node["seed"].setValue(seed)
        walk.tell(what)
    print(f"errors in callbacks: {session.errors}; undo open: {session.undo_open}")
    steps = [name for name, _ in session.undo_steps if name.startswith("LumiVid")]
    print(f"steps of undo by the node: {steps}")
    print(f"rendered by Nuke itself: {session.executed or 'nothing'}")
    if walk.there() != FRAMES or session.errors or cdl is None or made is None:
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
