"""Run every benchmark, each in a process of its own so that none warms another.

python -m benchmarks
"""

from __future__ import annotations

import subprocess
import sys

TABLES = ("against_diffusers", "limits", "media", "memory", "worker", "farm_scaling")


def main() -> int:
    """Run them in order; the exit status is that of the first to fail."""
    for table in TABLES:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", f"benchmarks.{table}"], check=False
        )
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
