"""The process that holds a session's model: ``python -m lumivid_fx.farm.model_process``.

PLAN FOLDER DEVICE RULES, and a descriptor to tell that it is ready. It gives up all files but the
plan's, loads the model, and renders one window after another for whoever of its user asks; see
:mod:`lumivid_fx.farm.held_model` for those.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from lumivid_fx.errors import CancelledError, LumividError
from lumivid_fx.farm.held_model import SOCKET, messages, short_name
from lumivid_fx.farm.openjd_lines import one_line
from lumivid_fx.model.quiet import quieten_libraries

_LOOK_S = 2.0
"""How often the process looks whether its session is still there."""

_QUESTION_S = 10.0
"""How long a caller may take to say what it wants."""


def main(arguments: list[str]) -> None:
    """Hold a model: PLAN FOLDER DEVICE RULES, and the descriptor to tell that it is ready."""
    plan, folder, device, rules, ready = arguments
    with os.fdopen(int(ready), "wb") as told:
        try:
            holder = _Holder(Path(plan), Path(folder), Path(rules) if rules else None)
            holder.run(device, lambda said: _tell_once(told, said))
        except LumividError as error:
            _tell_once(told, {"error": str(error)})
            sys.exit(error.exit_code)


def _tell_once(told: BinaryIO, said: dict[str, Any]) -> None:
    if not told.closed:
        told.write(json.dumps(said).encode())
        told.close()


class _Holder:
    """The process that holds a plan's model.

    Args:
        plan: The plan.
        folder: The session's own.
        rules: The session's path mapping rules.
    """

    def __init__(self, plan: Path, folder: Path, rules: Path | None) -> None:
        from lumivid_fx.farm.path_rules import read_plan_here
        from lumivid_fx.farm.plan_file import plan_digest

        self._folder = folder
        self._plan, self._digest = read_plan_here(plan, rules), plan_digest(plan)

    def run(self, device: str, ready: Callable[[dict[str, Any]], None]) -> None:
        """Render what is asked for, until told to end or the session is gone.

        Args:
            device: Where to render.
            ready: Called once the model is loaded.
        """
        path = self._folder / SOCKET
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            with short_name(self._folder) as short:
                door.bind(f"{short}/{SOCKET}")
            path.chmod(0o600)
            own = path.stat().st_ino
            door.listen(8)  # who comes early waits until the model is loaded
            door.settimeout(_LOOK_S)
            confined = self._confine()  # before torch, which starts threads
            quieten_libraries()
            from lumivid_fx.farm.planned_model import load_planned
            from lumivid_fx.pipeline.devices import device_name

            self._fitted = load_planned(self._plan, device)
            name = device_name(self._fitted.model.device.type)
            ready({"ready": f"{name}, confined to its files" if confined else name})
            while _inode(path) == own:
                try:
                    caller, _ = door.accept()
                except TimeoutError:
                    continue
                with caller:
                    if not self._answer(caller):
                        break
            path.unlink(missing_ok=True)

    def _confine(self) -> bool:
        """Give up all files but the plan's, as a worker's runner does; whether the kernel holds it.

        A plate may be made to mislead the library that decodes it.
        """
        from lumivid_fx.model.library import find_model, named_files, readable_paths
        from lumivid_fx.model.manifest import read_manifest
        from lumivid_fx.worker.sandbox import confine, system_paths

        plan, request = self._plan, self._plan.request
        windows = Path(plan.folder)
        with suppress(OSError):  # whoever writes the first window says what is wrong
            windows.mkdir(parents=True, exist_ok=True)
        for name in ("TMPDIR", "HF_HOME", "CUDA_CACHE_PATH"):
            os.environ[name] = str(self._folder)
        folder = find_model(request.model)
        named = [folder, *named_files(folder, read_manifest(folder))]
        named += [Path(file.path).parent for file in plan.files]
        named += [Path(request.lora)] if request.lora else []
        read = [*system_paths(), *readable_paths(), *dict.fromkeys(named)]
        return confine(read=read, write=[windows, self._folder])

    def _answer(self, caller: socket.socket) -> bool:
        """Do what one caller wants; False to end."""
        asked: dict[str, Any] = {}
        if _is_own(caller):
            caller.settimeout(_QUESTION_S)
            with suppress(OSError, ValueError):
                asked = next(messages(caller), asked)
            caller.settimeout(None)
        if asked.get("end"):
            return False
        with suppress(CancelledError):
            if asked.get("plan") != self._digest:
                _send(caller, {"other": "plan"})
                return True
            try:
                self._render(caller, int(asked["index"]), overwrite=bool(asked["overwrite"]))
            except CancelledError:
                raise
            except LumividError as error:
                _send(caller, {"error": str(error), "exit_code": error.exit_code})
            except Exception as error:
                said = one_line(f"{type(error).__name__}: {error}")
                _send(caller, {"error": f"something unexpected stopped the window ({said})"})
                raise  # a process that met the unexpected is trusted no more
        return True

    def _render(self, caller: socket.socket, index: int, *, overwrite: bool) -> None:
        from lumivid_fx.farm.window_task import render_window

        def step(phase: str, done: int, steps: int) -> None:
            _send(caller, {"phase": phase, "done": done, "steps": steps})

        found = render_window(self._plan, index, lambda: self._fitted, step, overwrite=overwrite)
        _send(caller, {"how": found.how})


def _send(caller: socket.socket, said: dict[str, Any]) -> None:
    """Tell a caller; one that is gone wants its window no more."""
    try:
        caller.sendall(json.dumps(said).encode() + b"\n")
    except OSError as error:
        raise CancelledError("the task went away") from error


def _is_own(caller: socket.socket) -> bool:
    """Whether the other end is a process of this user."""
    credentials = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)  # unix(7): pid, uid, gid
    return bool(user == os.geteuid())


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


if __name__ == "__main__":
    main(sys.argv[1:])
