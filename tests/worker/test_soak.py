"""The soak, short: `make soak` runs it in full."""

from __future__ import annotations

import os
from pathlib import Path

from tests.worker.soak import Soak
from tests.worker.soak_checks import wrongs


def test_soak(tmp_path: Path) -> None:
    """Whatever is killed, jobs end as they may, and nothing is lost, doubled or left."""
    seed = int(os.environ.get("SOAK_SEED") or 1)
    jobs = int(os.environ.get("SOAK_JOBS") or 24)
    soak = Soak(tmp_path, seed, jobs, print)
    wrong = [*wrongs(soak.run())]
    assert not wrong, f"SOAK_SEED={seed} SOAK_JOBS={jobs}: {wrong}"
    assert {"kill runner", "kill server", "kill client"} <= soak.made.keys()
