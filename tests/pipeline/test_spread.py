"""Work on several devices at once: results in order, progress told by the caller, all stopped."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from tests.tiny_model import quick_vae, write_tiny_model

from lumivid_fx.errors import CancelledError, InputError
from lumivid_fx.model.checkpoint import HdrModel, read_model
from lumivid_fx.pipeline.devices import choose_devices
from lumivid_fx.pipeline.fitting import fit_to_devices
from lumivid_fx.pipeline.render_files import render
from lumivid_fx.pipeline.render_shot import Progress, ShotSettings
from lumivid_fx.pipeline.spread import Step, spread

from .plates import write_png


def test_results_come_in_order_whoever_is_faster() -> None:
    """The second waits for the third: they run at once, and the second is given out first."""
    third = threading.Event()
    seen: list[tuple[int, bool]] = []
    main = threading.current_thread()

    def work(item: int, step: Step) -> int:
        if item == 1:
            assert third.wait(30)
        if item == 2:
            third.set()
        step(lambda: seen.append((item, threading.current_thread() is main)))
        return item * item

    assert list(spread([work, work, work], iter(range(7)))) == [i * i for i in range(7)]
    assert sorted(item for item, _ in seen) == list(range(7))
    assert all(by_caller for _, by_caller in seen)


def test_what_the_caller_raises_stops_all() -> None:
    """A cancel comes out of progress; work on the other devices ends at its next step."""
    stopped: list[int] = []

    def stop() -> None:
        raise KeyboardInterrupt

    def work(item: int, step: Step) -> int:
        try:
            while True:
                step(stop if item == 0 else lambda: None)
                threading.Event().wait(0.001)
        except CancelledError:
            stopped.append(item)
            raise

    with pytest.raises(KeyboardInterrupt):
        list(spread([work, work], iter(range(9))))
    assert sorted(stopped) == [0, 1]


def test_what_goes_wrong_on_a_device_is_raised_at_its_turn() -> None:
    """What came before it is had first."""

    def work(item: int, step: Step) -> int:
        step(lambda: None)
        if item == 1:
            raise InputError("this one is damaged")
        return item

    results = spread([work, work], iter(range(4)))
    assert next(results) == 0
    with pytest.raises(InputError, match="damaged"):
        next(results)


def test_two_devices_render_the_bits_of_one(tmp_path: Path) -> None:
    """Four windows over two models; progress counts every step of every window."""
    folder = write_tiny_model(tmp_path / "model", stages=1, vae=quick_vae())
    plate = write_png(tmp_path / "in", range(1, 74))
    settings = ShotSettings(sigmas=((1.0, 0.4, 0.0),))
    steps: list[Progress] = []

    def read() -> HdrModel:
        return read_model(folder, dtype=torch.float32)

    for name, devices in (("one", ["cpu"]), ("two", ["cpu", "cpu"])):
        steps.clear()
        report = render(
            plate,
            str(tmp_path / name / "p.####.exr"),
            model=read,
            settings=settings,
            fit=fit_to_devices(devices, read, None, lambda _: None),
            on_progress=steps.append,
        )
        assert report.rendered == 73
        assert sorted((p.window, p.done) for p in steps) == [
            (window, done) for window in range(1, 5) for done in (1, 2)
        ]
    frames = sorted((tmp_path / "one").iterdir())
    assert len(frames) == 73
    for path in frames:
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("asked", ["gpu", "cpu:1", "cuda:x", "cuda:99", "", "cpu,"])
def test_devices_that_are_none_are_refused(asked: str) -> None:
    """In a sentence with what may be given, or what is there."""
    with pytest.raises(InputError, match="device"):
        choose_devices(asked)


def test_devices_are_taken_one_by_one() -> None:
    """The same one twice is two models on it."""
    assert choose_devices("cpu,cpu") == ["cpu", "cpu"]
