"""A model that stays loaded from task to task of a session: a process of its own, and its callers.

``lumivid farm hold`` starts ``python -m lumivid_fx.farm.held_model PLAN FOLDER DEVICE RULES`` apart
from itself and returns once the model is loaded. Tasks ask it over a socket in the session's own
folder, which none but its user may enter: JSON, one message a line. A task that goes away takes its
window along; a folder that goes away, as a session's does at its end, takes the process along.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lumivid_fx.errors import CancelledError, InputError, LumividError, RenderError
from lumivid_fx.farm.openjd_lines import one_line
from lumivid_fx.model.quiet import quieten_libraries

if TYPE_CHECKING:
    from lumivid_fx.pipeline.shot_windows import Step

SOCKET, LOG = "lumivid-model.sock", "lumivid-model.log"
"""Names in the session's folder."""

_LOOK_S = 2.0
"""How often the process looks whether its session is still there."""

_MAX_LINE = 64 * 1024


def hold(plan: Path, folder: Path, device: str, rules: Path | None) -> str:
    """Start a process that holds a plan's model, and wait until it does.

    Args:
        plan: The plan.
        folder: The session's own.
        device: ``auto``, ``cpu`` or ``cuda``.
        rules: The session's path mapping rules.

    Returns:
        What it runs on.

    Raises:
        InputError: It could not be started; the sentence is the process's own.
    """
    listening, ready = os.pipe()
    # -P: a plate's folder, where this may be called, is no place to import from.
    here = [sys.executable, "-P", "-m", "lumivid_fx.farm.held_model"]
    with (folder / LOG).open("ab") as log, os.fdopen(listening, "rb") as told:
        process = subprocess.Popen(
            [*here, str(plan), str(folder), device, str(rules or ""), str(ready)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[ready],
            start_new_session=True,
        )
        os.close(ready)
        try:
            said = json.loads(told.read(_MAX_LINE) or b"{}")
        except BaseException:
            process.kill()
            raise
    if "ready" not in said:
        process.wait()
        raise InputError(
            said.get("error") or f"the process with the model ended before it was ready; see {LOG}"
        )
    process.returncode = 0  # it is left to itself: nobody here waits for it
    return str(said["ready"])


def let_go(folder: Path) -> bool:
    """End the process that holds a model for this session; False where there is none."""
    with suppress(OSError), _connected(folder) as there:
        there.sendall(b'{"end": true}\n')
        while there.recv(4096):
            pass
        return True
    return False


def ask(folder: Path, plan: str, index: int, step: Step, *, overwrite: bool) -> str | None:
    """Have the held model render a window.

    Args:
        folder: The session's own.
        plan: SHA-256 of the plan's file.
        index: Of the window.
        step: Progress; what it raises stops the window.
        overwrite: Render it though it is there.

    Returns:
        ``rendered`` or ``kept``; None where nobody holds this plan's model, or no more.

    Raises:
        LumividError: The window failed, as :func:`lumivid_fx.farm.window_task.render_window`.
    """
    with suppress(OSError), _connected(folder) as there:
        question = {"plan": plan, "index": index, "overwrite": overwrite}
        there.sendall(json.dumps(question).encode() + b"\n")
        for said in _messages(there):
            if "error" in said:
                raise (InputError if said.get("exit_code") == 2 else RenderError)(said["error"])
            if "how" in said:
                return str(said["how"])
            if "phase" not in said:  # another plan's
                return None
            step(said["phase"], said["done"], said["steps"])
    return None


@contextmanager
def _connected(folder: Path) -> Iterator[socket.socket]:
    """A connection to the process that holds the model."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as there, _short(folder) as short:
        there.connect(f"{short}/{SOCKET}")
        yield there


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A name of a folder that fits into a socket's address, which takes 107 bytes."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _messages(there: socket.socket) -> Iterator[dict[str, Any]]:
    """What comes, line by line, until the other end is gone."""
    with there.makefile("rb") as lines:
        while line := lines.readline(_MAX_LINE):
            yield json.loads(line)


# ---- the process itself -----------------------------------------------------------------------


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
            with _short(self._folder) as short:
                door.bind(f"{short}/{SOCKET}")
            path.chmod(0o600)
            own = path.stat().st_ino
            door.listen(8)  # who comes early waits until the model is loaded
            door.settimeout(_LOOK_S)
            confined = self._confine()  # before torch, which starts threads
            quieten_libraries()
            from lumivid_fx.farm.planned_model import load_planned
            from lumivid_fx.pipeline.devices import device_name

            self._model = load_planned(self._plan, device)
            name = device_name(self._model.device.type)
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
        caller.settimeout(None)
        asked = next(_messages(caller), {})
        if asked.get("end"):
            return False
        if asked.get("plan") != self._digest:
            _send(caller, {"other": "plan"})
            return True
        with suppress(CancelledError):
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

        found = render_window(self._plan, index, lambda: self._model, step, overwrite=overwrite)
        _send(caller, {"how": found.how})


def _send(caller: socket.socket, said: dict[str, Any]) -> None:
    """Tell a caller; one that is gone wants its window no more."""
    try:
        caller.sendall(json.dumps(said).encode() + b"\n")
    except OSError as error:
        raise CancelledError("the task went away") from error


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


if __name__ == "__main__":
    main(sys.argv[1:])
