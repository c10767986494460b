"""What runs on each node of a Ray cluster: a process that holds a plan's model."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from lumivid_fx.errors import LumividError
from lumivid_fx.farm.plan_file import Plan

if TYPE_CHECKING:
    from lumivid_fx.pipeline.fitting import Fitted
    from lumivid_fx.pipeline.shot_windows import Step


class WindowWorker:
    """A process on some node that holds a plan's model; Ray calls it, one window at a time.

    Args:
        plan: The plan.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(self, plan: Plan, device: str) -> None:
        from lumivid_fx.model.quiet import quieten_libraries

        quieten_libraries()
        self._plan, self._device = plan, device
        self._fitted: Fitted | None = None
        self._phase = ""

    def ready(self) -> str:
        """Load the model; the node's name."""
        self._load()
        return socket.gethostname()

    def phase(self) -> str:
        """What is being done, asked for beside the rendering."""
        return self._phase

    def render(self, index: int) -> tuple[str, str]:
        """Render a window: how it came to be, or what failed and the error's own words."""
        from lumivid_fx.farm.window_task import render_window

        try:
            return render_window(self._plan, index, self._load, self._step).how, ""
        except LumividError as error:
            return "failed", str(error)

    def _load(self) -> Fitted:
        from lumivid_fx.farm.planned_model import load_planned

        if self._fitted is None:
            self._fitted = load_planned(self._plan, self._device)
        return self._fitted

    @property
    def _step(self) -> Step:
        def step(phase: str, done: int, steps: int) -> None:
            self._phase = f"{phase} {done} of {steps}"

        return step
