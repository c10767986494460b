"""The steps that a render in the background and one in ``nuke -t`` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lumivid_fx.errors import InputError
from lumivid_nuke import callbacks, follow, host, knobs, node, results

if TYPE_CHECKING:
    import nuke

    from lumivid_fx.client import FinishedFrame
    from lumivid_fx.protocol.messages import Done, Request
    from lumivid_nuke.plan import Plan


def require_result(here: nuke.Node) -> list[int]:
    """Frames that the shown result lacks; looks at the disk.

    Raises:
        InputError: There is no result, or it is another plate's.
    """
    key = str(here["result_key"].value())
    if not key:
        raise InputError(f"{here.name()} has no result yet; press Render")
    if node.is_stale(here):
        raise InputError(
            f"the plate or the settings of {here.name()} have changed since its result was "
            "rendered; press Render"
        )
    folder = results.result_folder(results.cache_dir(here), key)
    return results.missing_frames(folder, *knobs.frames(here))


def settle(here: nuke.Node, plan: Plan, key: str, *, missing: bool) -> Request:
    """What the worker is told, the callbacks asked.

    Args:
        here: The node.
        plan: What is to be done.
        key: What the result is found by.
        missing: Whether only the gaps of the shown result are wanted.

    Raises:
        InputError: The shown result is another plate's, or a callback refused.
    """
    if missing and here["result_key"].value() != key:
        raise InputError(
            f"the plate of {here.name()} has other pixels than the result that is shown; "
            "press Render"
        )
    return callbacks.before_submit(here, plan.request(key))


def tell_frames(here: nuke.Node | None, frames: list[FinishedFrame]) -> None:
    """Show finished frames, and tell the callbacks.

    The first of a new result takes the place of the old one, which is shown until then.
    """
    if here is not None and frames:
        key = Path(frames[0].path or "").parent.name
        # A callback may have sent the result elsewhere, where the node does not look.
        if results.is_key(key) and here["result_key"].value() != key:
            with host.one_undo("Render"):
                here["result_key"].setValue(key)
                here["sent_hash"].setValue(here["job_hash"].value())
        node.reload_result(here)
    for frame in frames:
        callbacks.on_frame(here, frame)


def tell_end(here: nuke.Node | None, done: Done) -> None:
    """Say how a job ended, and tell the callbacks."""
    if here is not None:
        node.disown(here)
        failed = done.state not in ("done", "cancelled")
        node.tell(here, follow.end_in_words(done), node.FAILED if failed else node.CALM)
        node.reload_result(here)
        if not failed:
            node.look(here)
    callbacks.after(here, done)
