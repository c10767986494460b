"""Two hundred jobs of four clients while runners, server and clients are killed.

    make soak                                    in full, with a line every ten jobs
    SOAK_SEED=7 SOAK_JOBS=50 make soak           the same draws again, and fewer jobs

What is drawn depends on the seed alone; what a kill meets depends on the machine too. What must
hold at the end is in :mod:`tests.worker.soak_checks`.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tests.worker.running import SOON_S, RunningWorker, running_worker
from tests.worker.soak_checks import MORE_FILES, Ended, Level, unacknowledged, wrongs
from tests.worker.soak_plan import Fault, pick, plan_faults, plan_jobs
from tests.worker.soak_process import SoakClient, killed_at_the_end

from lumivid_fx import client

CLIENTS = 4

RUNNER = (sys.executable, "-m", "tests.worker.soak_runner")

PATIENCE = {"start": 15.0, "pulse": 3.0, "stall": 3.0, "cancel": 1.0}
"""Short, so that what hangs is found soon; three seconds a busy machine may well stand still."""


UNSEEN = Level()


@dataclass
class Soak:
    """A soak that runs.

    Attributes:
        folder: Where everything lies; empty at first.
        seed: What all draws depend on.
        jobs: How many.
        say: Told a line every ten jobs.
        made: How often each fault was made.
        restarts: When the server was gone.
        before: The server when it was new.
        middle: The server when half of the jobs had ended.
        after: The server when all had, and nobody was connected.
    """

    folder: Path
    seed: int
    jobs: int
    say: Callable[[str], object]
    made: Counter[Fault] = field(default_factory=Counter)
    restarts: list[float] = field(default_factory=list)
    before: Level = UNSEEN
    middle: Level = UNSEEN
    after: Level = UNSEEN

    def run(self) -> Ended:
        """Run it.

        Raises:
            AssertionError: A client failed, or nothing goes on.
        """
        began = time.monotonic()
        draws = np.random.default_rng(self.seed)
        plans = plan_jobs(draws, self.jobs, self.folder / "shots")
        faults = plan_faults(draws, plans)
        with running_worker(
            self.folder / "home",
            roots=[self.folder / "shots"],
            runner=RUNNER,
            devices=["cpu", "cpu"],
            patience=PATIENCE,
        ) as worker:
            self._settle(worker)
            self.before = Level.of(worker.pid)
            with killed_at_the_end() as clients:
                for number in range(CLIENTS):
                    mine = plans[number::CLIENTS]
                    clients.append(SoakClient(self.folder, number, mine, worker))
                self._see_through(worker, clients, faults, draws)
            self._settle(worker)
            self.after = Level.of(worker.pid)
            return Ended(
                worker=worker,
                status=worker.end(),
                plans=plans,
                receipts=[receipt for each in clients for receipt in each.receipts],
                lives={plan.job: each.lives for each in clients for plan in each.plans},
                before=self.before,
                middle=self.middle,
                after=self.after,
                deaths=sum(n for fault, n in self.made.items() if not fault.endswith("client")),
                restarts=self.restarts,
                seconds=time.monotonic() - began,
            )

    def _see_through(
        self,
        worker: RunningWorker,
        clients: list[SoakClient],
        faults: list[tuple[int, Fault]],
        draws: np.random.Generator,
    ) -> None:
        """Make faults until all clients are through."""
        deadline = time.monotonic() + 2 * SOON_S + 5 * self.jobs
        told = 0
        for each in clients:
            each.start()
        while [each for each in clients if each.look()]:
            receipts = [receipt for each in clients for receipt in each.receipts]
            frames = sum(receipt.what == "frame" for receipt in receipts)
            ended = sum(receipt.what == "end" for receipt in receipts)
            assert time.monotonic() < deadline, f"{ended} of {self.jobs} jobs ended in time"
            if ended // 10 > told:
                told = ended // 10
                self._tell(worker, ended, frames)
            if not self.middle.memory and ended >= self.jobs / 2:
                self.middle = Level.of(worker.pid)
            if faults and frames >= faults[0][0]:
                self._make(faults.pop(0)[1], worker, clients, draws)
            time.sleep(0.05)

    def _make(
        self,
        fault: Fault,
        worker: RunningWorker,
        clients: list[SoakClient],
        draws: np.random.Generator,
    ) -> None:
        """Make a fault happen, if there is somebody for it to happen to."""
        if fault in ("kill server", "end server"):
            worker.kill(signal.SIGKILL if fault == "kill server" else signal.SIGTERM)
            self.restarts.append(time.time())
            time.sleep(pick(draws, (0.0, 0.5)))
            worker.start()
            self.middle = UNSEEN
        elif fault == "kill client":
            if not pick(draws, clients).kill_and_start():
                return
        elif fault == "stop client":
            if not pick(draws, clients).stop():
                return
        else:
            runners = worker.runners
            if not runners:
                return
            with suppress(ProcessLookupError):
                number = signal.SIGKILL if fault == "kill runner" else signal.SIGSTOP
                os.kill(pick(draws, runners), number)
        self.made[fault] += 1

    def _settle(self, worker: RunningWorker) -> None:
        """Wait until both runners are ready, no job is left and nobody is connected."""

        def settled() -> bool:
            with client.connect(places=worker.places, timeout=SOON_S) as there:
                states = {device.state for device in there.ping().devices}
                return states == {"ready"} and not there.jobs(ended=False)

        worker.wait_until(settled, "both runners are ready and no job is left")
        if self.before.files:
            most = self.before.files + MORE_FILES
            worker.wait_until(lambda: Level.of(worker.pid).files <= most, "files are closed")

    def _tell(self, worker: RunningWorker, ended: int, frames: int) -> None:
        level = Level.of(worker.pid)
        self.say(
            f"{ended:4d} of {self.jobs} jobs ended, {frames:5d} frames came, "
            f"{self.made.total():3d} faults made; the server has {level.files} descriptors open, "
            f"{level.threads} threads, {level.memory / 1e6:.1f} MB"
        )


def summary(soak: Soak, ended: Ended) -> Table:
    """What happened, as a table."""
    title = f"Soak of {soak.jobs} jobs, seed {soak.seed}"
    table = Table(title=title, title_justify="left", show_header=False)
    states = Counter(r.state for r in ended.receipts if r.what == "end")
    came = sum(receipt.what == "frame" for receipt in ended.receipts)
    before, middle, after = (
        f"{level.files} descriptors, {level.threads} threads, {level.memory / 1e6:.1f} MB"
        for level in (ended.before, ended.middle, ended.after)
    )
    for name, value in (
        ("jobs", ", ".join(f"{n} {state}" for state, n in sorted(states.items()))),
        ("frames that came", str(came)),
        ("acks that went down with somebody", str(unacknowledged(ended))),
        *((fault, str(count)) for fault, count in sorted(soak.made.items())),
        ("server, new", before),
        ("server, half of the jobs ended", middle),
        ("server, all ended", after),
        ("seconds", f"{ended.seconds:.0f}"),
    ):
        table.add_row(name, value)
    return table


def main() -> int:
    """Run it in full; the exit status says whether all held."""
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbelow(10_000))
    jobs = int(os.environ.get("SOAK_JOBS") or 200)
    console = Console(width=110, highlight=False)
    console.print(f"SOAK_SEED={seed} SOAK_JOBS={jobs}")
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), seed, jobs, partial(console.print, soft_wrap=True))
        ended = soak.run()
        console.print(summary(soak, ended))
        wrong = list(wrongs(ended))
    for each in wrong:
        console.print(f"WRONG {each}", soft_wrap=True)
    console.print("all held" if not wrong else f"{len(wrong)} things did not hold")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
