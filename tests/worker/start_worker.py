"""Start a worker with settings that its command line does not offer, such as short patience.

    python -m tests.worker.start_worker SETTINGS

SETTINGS is a JSON object with fields of :class:`WorkerSettings`, all but `places`, which follow the
environment; `patience` is an object of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lumivid_fx.errors import LumividError
from lumivid_fx.protocol.places import Places
from lumivid_fx.worker.log import log_json_lines
from lumivid_fx.worker.server import WorkerSettings, new_boot, serve
from lumivid_fx.worker.supervisor import Patience


def main() -> None:
    """Serve until told to stop."""
    given = json.loads(sys.argv[1])
    given["roots"] = tuple(map(Path, given["roots"]))
    given["patience"] = Patience(**given.get("patience", {}))
    for name in ("devices", "runner"):
        if name in given:
            given[name] = tuple(given[name])
    if given.get("model") is not None:
        given["model"] = Path(given["model"])
    boot = new_boot()
    log_json_lines(boot)
    try:
        serve(WorkerSettings(places=Places.of(), **given), boot)
    except LumividError as error:
        sys.exit(f"lumivid: {error}")  # as the command line does


if __name__ == "__main__":
    main()
