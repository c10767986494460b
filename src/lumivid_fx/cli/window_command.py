"""``lumivid window`` and ``lumivid stitch``: the tasks of a farm, whatever schedules them."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lumivid_fx.cli import options as o
from lumivid_fx.cli.outcome import DEBUG, one_sentence
from lumivid_fx.cli.render_log import RenderLog
from lumivid_fx.cli.window_log import WindowLog
from lumivid_fx.errors import LumividError
from lumivid_fx.farm.openjd_lines import SessionLines
from lumivid_fx.model.quiet import quieten_libraries

if TYPE_CHECKING:
    from lumivid_fx.pipeline.fitting import Fitted
    from lumivid_fx.pipeline.frame_file import FrameFile

SESSION = "Open Job Description"

Plan = Annotated[
    Path, typer.Option("--plan", metavar="PLAN", help="What `lumivid farm plan` wrote.")
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option(help="Where to run; auto takes a GPU if there is one.", rich_help_panel=o.MODEL),
]
PathRules = Annotated[
    Path | None,
    typer.Option(help="A session's path mapping rules, as JSON.", rich_help_panel=SESSION),
]
Session = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the session, where `lumivid farm hold` keeps the model loaded.",
        rich_help_panel=SESSION,
    ),
]
OpenJd = Annotated[
    bool,
    typer.Option(
        "--openjd", help="Tell progress as a session listens for it.", rich_help_panel=SESSION
    ),
]


def window(
    *,
    plan: Plan,
    index: Annotated[int, typer.Option(help="Place of the window in the plan, from 0.")],
    device: Device = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Render it again though it is there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a step.")] = False,
    openjd: OpenJd = False,
    session: Session = None,
    path_rules: PathRules = None,
) -> None:
    """Render one window of a plan to its file: the unit that every farm runs.

    A window that is there is kept; one that was killed leaves nothing, and is rendered when it is
    asked for again.
    """
    stopped = "the window was not rendered, and the same command renders it"
    with one_sentence(as_json=as_json, interrupted=lambda: stopped), told(openjd=openjd) as lines:
        from lumivid_fx.farm.held_model import ask
        from lumivid_fx.farm.path_rules import read_plan_here
        from lumivid_fx.farm.plan_file import plan_digest

        here = read_plan_here(plan, path_rules)
        here.require_index(index)
        way: Literal["words", "json"] = "json" if as_json else "words"
        log = WindowLog("openjd" if openjd else way, here.steps, lines)
        with log.around:
            how = None
            if session is not None:
                how = ask(session, plan_digest(plan), index, log.step, overwrite=overwrite)
            if how is None:
                quieten_libraries()
                from lumivid_fx.farm.planned_model import load_planned
                from lumivid_fx.farm.window_task import render_window

                def load() -> Fitted:
                    return load_planned(here, device)

                how = render_window(here, index, load, log.step, overwrite=overwrite).how
        log.end(index, how, str(here.window_path(index)))


def stitch(
    *,
    plan: Plan,
    overwrite: o.Overwrite = False,
    as_json: o.JsonLines = False,
    openjd: OpenJd = False,
    path_rules: PathRules = None,
) -> None:
    """Join a plan's windows to EXR frames, as `lumivid render` writes them.

    Frames that are there already, made with the same settings, are kept: the same command resumes.
    """
    log = StitchLog(as_json=as_json)
    interrupted = "finished frames are kept, and the same command goes on after them"
    with one_sentence(as_json=as_json, interrupted=lambda: interrupted), told(openjd=openjd) as out:
        quieten_libraries()
        from lumivid_fx.farm.path_rules import read_plan_here
        from lumivid_fx.farm.stitching import rendered_by
        from lumivid_fx.farm.stitching import stitch as join

        log.lines = out
        here = read_plan_here(plan, path_rules)
        with log:
            report = join(
                here,
                overwrite=overwrite,
                looked=log.looked,
                on_start=log.on_start,
                on_frame=log.on_frame,
            )
        kinds = rendered_by(here)
        if len(kinds) > 1 and not as_json:
            typer.echo(
                f"windows were rendered by {_counted(kinds)}, whose last bits differ", err=True
            )
        log.on_end(report, None)


class StitchLog(RenderLog):
    """Follows the joining of windows, for a session too.

    Attributes:
        lines: Where a session listens, if one does.
    """

    lines: SessionLines | None = None

    def looked(self, phase: str, done: int, steps: int) -> None:
        """Tell how much of the plate was checked."""
        self.bar.phase(phase, f"{done} of {steps}")
        if self.lines is not None and done == 0:
            self.lines.status(phase)

    def on_frame(self, frame: FrameFile) -> None:
        """Tell that a frame is on disk."""
        super().on_frame(frame)
        if self.lines is not None and self.pace.frames:
            self.lines.status(f"{self.pace.frames_done} of {self.pace.frames} frames")
            self.lines.progress(self.pace.frames_done / self.pace.frames)


@contextmanager
def told(*, openjd: bool) -> Iterator[SessionLines | None]:
    """What a session hears of a task, which ends in order when it is told to (SIGTERM)."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if not openjd:
            yield None
            return
        with SessionLines() as lines:
            try:
                yield lines
            except Exception as error:
                if os.environ.get(DEBUG) != "1":
                    raise
                # What Python itself prints of an error goes past the session's lines.
                traceback.print_exc()
                plain = isinstance(error, LumividError)
                told = error if plain else LumividError(f"{type(error).__name__}: {error}")
                raise told from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _counted(kinds: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(kinds.items()))
