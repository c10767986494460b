"""A runner without a model: it makes small files in place of renders, and fails when told to.

The whole of the worker but for the render itself is driven by it at full speed, over the real
socket pair, in a real process. What a job is to do stands in its request: `frames` gives the range,
and `label` holds words such as::

    die@3     kill -9 itself before the fourth frame, every time
    die1@3    the same, but only while ``<target>/died`` has fewer than 1 lines
    hang@3    go on giving signs of life, but do nothing more
    mute@3    stop altogether: no sign of life (SIGSTOP)
    deaf      do not react to a cancel
    slow      a tenth of a second a frame
    fail@3    end the job with E_RENDER
    spoil@3   the same, and say that the process is spoilt
    junk@3    say something that no runner says
    fall@2    fall back one rung of memory at the third frame
    big       pixels of 64 x 64 in place of 2 x 2
    edge500   pixels of 500 x 500

python -m tests.worker.quick_runner FD CONFIG
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import struct
import sys
import threading
import time
from pathlib import Path

import msgspec

from lumivid_fx.protocol.messages import PixelSource
from lumivid_fx.worker import orders

Fault = tuple[str, int, int]


def pixels(frame: int, edge: int = 2) -> bytes:
    """What frame's half floats are: all its number over 64, `edge edge 3`."""
    return struct.pack("<e", frame / 64) * (edge * edge * 3)


def numbers(request_frames: str | None) -> range:
    """The frames of a request; eight where it names none."""
    found = re.fullmatch(r"(-?\d+)(?:-(-?\d+))?", request_frames or "1-8")
    assert found is not None
    return range(int(found[1]), int(found[2] or found[1]) + 1)


class QuickRunner:
    """Takes orders on one thread and works on another, as the real one does."""

    def __init__(self, descriptor: int) -> None:
        self.end = orders.RunnerEnd(descriptor)
        self.given: list[orders.Render] = []
        self.wake = threading.Condition()
        self.stop: set[str] = set()
        self.go_on = threading.Event()

    def listen(self) -> None:
        """Hear the server until it is gone, and end with it."""
        for order in self.end.orders():
            with self.wake:
                match order:
                    case orders.Render():
                        self.given.append(order)
                    case orders.Cancel(job=job):
                        self.stop.add(job)
                    case orders.GoOn():
                        self.go_on.set()
                    case orders.End():
                        break
                self.wake.notify()
        os._exit(0)

    def pulse(self) -> None:
        """Signs of life."""
        while True:
            self.end.report(orders.Pulse())
            time.sleep(0.2)

    def work(self) -> None:
        """Do one job after another."""
        while True:
            with self.wake:
                self.wake.wait_for(lambda: bool(self.given))
                order = self.given.pop(0)
            code, spoilt = self.render(order)
            self.end.report(
                orders.Ended(
                    job=order.job, code=code, message="as asked" if code else "", spoilt=spoilt
                )
            )

    def render(self, order: orders.Render) -> tuple[str, bool]:
        """Make the frames that are missing."""
        request, label = order.request, order.request.label
        source = request.source
        wanted = (
            range(source.first, source.first + source.count)
            if isinstance(source, PixelSource)
            else numbers(request.frames)
        )
        faults: list[Fault] = [
            (kind, int(times or 0), int(at))
            for kind, times, at in re.findall(r"([a-z]+)(\d*)@(\d+)", label)
        ]
        pixel = request.deliver == "pixels"
        out = Path(order.spool) / "out" if pixel else Path(request.target or "")
        out.mkdir(parents=True, exist_ok=True)
        self.end.report(orders.Step(job=order.job, phase="denoise", total=len(wanted)))
        for place, frame in enumerate(wanted):
            if order.job in self.stop and "deaf" not in label:
                return "E_CANCELLED", False
            for kind, times, at in faults:
                if at == place and (ended := self.fault(order, kind, times, out)):
                    return ended
            if frame not in order.finished:
                if "slow" in label:
                    time.sleep(0.1)
                self.finish(order, frame, out)
        return "", False

    def finish(self, order: orders.Render, frame: int, out: Path) -> None:
        """Write one frame, whole, and tell."""
        asked = re.search(r"edge(\d+)", order.request.label)
        edge = int(asked[1]) if asked else 64 if "big" in order.request.label else 2
        content = pixels(frame, edge)
        pixel = order.request.deliver == "pixels"
        path = out / (f"{frame}.f16" if pixel else f"q.{frame:04d}.exr")
        there = path.exists()
        if not there:
            beside = path.with_name(f".{path.name}.{os.getpid()}")
            beside.write_bytes(content)
            beside.replace(path)
        self.end.report(
            orders.FrameDone(
                job=order.job,
                frame=frame,
                how="kept" if there else "rendered",
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
                path=str(path),
                shape=(edge, edge, 3) if pixel else None,
                space="lin_rec709",
            )
        )

    def fault(
        self, order: orders.Render, kind: str, times: int, out: Path
    ) -> tuple[str, bool] | None:
        """Do what is asked for; None to go on."""
        died = out / "died"
        if kind == "die":
            before = len(died.read_text().splitlines()) if died.exists() else 0
            if not times or before < times:
                with died.open("a") as file:
                    file.write("x\n")
                os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "mute":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif kind == "hang":
            threading.Event().wait()
        elif kind == "junk":
            self.end.report(orders.Ready(device="\x00" * 10, model="", confined=False))
            os.write(self.end.descriptor, b'{"t": "nothing"}\n')
        elif kind == "fall":
            self.end.report(orders.FallBack(job=order.job, rung=1, note="memory ran out"))
            self.go_on.wait()
        elif kind in ("fail", "spoil"):
            return "E_RENDER", kind == "spoil"
        return None


def main(kind: type[QuickRunner] = QuickRunner) -> None:
    """Run."""
    config = msgspec.json.decode(sys.argv[2], type=orders.RunnerConfig)
    runner = kind(int(sys.argv[1]))
    threading.Thread(target=runner.listen, daemon=True).start()
    threading.Thread(target=runner.pulse, daemon=True).start()
    runner.end.report(orders.Ready(device="quick", model=config.model, confined=False))
    runner.work()


if __name__ == "__main__":
    main()
