"""A plan on a Ray cluster: a resident model for each GPU, windows handed out as they come free.

A node that is lost takes its workers along, not the shot: its window is handed out again, and Ray
puts a new worker where there is room. Windows are files, so that what a lost node had finished
stays, and nothing large goes through Ray. Ray runs what is sent to it: whoever reaches a cluster
may run anything there. So beyond this machine a cluster must ask for its token.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lumivid_fx.errors import InputError, RenderError
from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.farm.ray_worker import WindowWorker

ATTEMPTS = 3
"""Times a window is handed out before a shot is given up: one that ends three workers ends more."""

_LOOK_S = 1.0
"""How often progress is asked for."""

AUTH_MODE = "RAY_AUTH_MODE"

LAST_STARTED = Path("/tmp/ray/ray_current_cluster")  # noqa: S108 - Ray's own place, not ours
"""Where Ray writes the address of the cluster that was last started on this machine."""


@dataclass(frozen=True)
class Told:
    """What is going on.

    Attributes:
        done: Windows that are there, and `windows` in all.
        windows: See `done`.
        workers: Machines that render now, or GPUs of them.
        note: What happened, in words; empty for a mere look.
        under_way: Phase of each window that is being rendered.
    """

    done: int
    windows: int
    workers: int
    note: str = ""
    under_way: dict[int, str] = field(default_factory=dict)


def run_on_ray(
    plan: Plan,
    address: str,
    *,
    tell: Callable[[Told], None],
    gpus: bool | None = None,
    workers: int | None = None,
) -> None:
    """Render a plan's windows on a Ray cluster; they are to be stitched afterwards.

    Args:
        plan: The plan; every node reaches its files under the same paths.
        address: Of the cluster's head, as ``10.0.0.5:6379``; ``auto`` is the one on this machine.
        tell: Progress; what it raises stops every window.
        gpus: Whether a worker needs a GPU; None takes GPUs where the cluster has any.
        workers: How many at most; None is one for each GPU, or for each node without.

    Raises:
        InputError: Ray is missing, no cluster is found, or it is open to anybody.
        RenderError: A window failed, or ended its worker again and again.
    """
    address = found_address(address)
    require_token(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError(
            "Ray is not installed; install lumivid-fx[ray], the same release on every node"
        ) from error
    joined = not ray.is_initialized()
    if joined:
        try:
            ray.init(address=address, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise InputError(
                f"no Ray cluster answers at {address} ({said}); start one with `ray start --head`, "
                "and give its address"
            ) from error
    try:
        _Run(ray, plan, tell, gpus=gpus, workers=workers).run()
    finally:
        if joined:
            ray.shutdown()


def found_address(address: str) -> str:
    """What ``auto`` stands for, so that what is looked at is what is connected to.

    Raises:
        InputError: Nothing says where the cluster is.
    """
    if address != "auto":
        return address
    try:
        return os.environ.get("RAY_ADDRESS") or LAST_STARTED.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise InputError(
            "no Ray cluster was started on this machine, as far as Ray's own folder tells; start "
            "one with `ray start --head`, or give its address"
        ) from error


def require_token(address: str) -> None:
    """Refuse a cluster beyond this machine that asks for no token.

    Raises:
        InputError: It says how to have one.
    """
    if _is_here(address) or os.environ.get(AUTH_MODE, "").lower() == "token":
        return
    raise InputError(
        f"a Ray cluster runs whatever reaches it, and {address} is not this machine; start every "
        f"node with {AUTH_MODE}=token and one token (`ray get-auth-token --generate`), and set it "
        "here too"
    )


def _is_here(address: str) -> bool:
    """Whether an address leads to this machine alone; a name that does not resolve leads away."""
    if address == "local":
        return True
    host = address.rsplit("://", maxsplit=1)[-1].rpartition(":")[0].strip("[]")
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host or address, None)}
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(each).split("%")[0]).is_loopback for each in found)


class _Run:
    """One plan on a cluster, from the first window to the last.

    Args:
        ray: The library.
        plan: The plan.
        tell: Progress.
        gpus: Whether a worker needs a GPU; None takes them where there are any.
        workers: How many at most.
    """

    def __init__(
        self,
        ray: Any,
        plan: Plan,
        tell: Callable[[Told], None],
        *,
        gpus: bool | None,
        workers: int | None,
    ) -> None:
        self._ray, self._plan, self._tell_user = ray, plan, tell
        there = ray.cluster_resources()
        cards = int(there.get("GPU", 0))
        self._gpus = cards > 0 if gpus is None else gpus
        nodes = sum(1 for node in ray.nodes() if node["Alive"])
        most = workers or (cards if self._gpus else nodes)
        self._left = deque(range(len(plan.windows)))
        self._count = min(max(1, most), len(self._left))
        self._attempts: dict[int, int] = {}
        self._done = 0
        self._starting: dict[Any, Any] = {}  # what tells that it is ready: the worker
        self._busy: dict[Any, tuple[Any, int]] = {}  # what it will have rendered: worker, window

    def run(self) -> None:
        """Hand out windows until all are there."""
        try:
            for _ in range(self._count):
                self._start_worker()
            while self._done < len(self._plan.windows):
                waited = [*self._starting, *self._busy]
                ended, _ = self._ray.wait(waited, num_returns=1, timeout=_LOOK_S)
                for each in ended:
                    self._take(each)
                if not ended:
                    self._tell("", self._phases())
        finally:
            for worker in self._workers():
                self._ray.kill(worker)

    def _workers(self) -> Iterable[Any]:
        return [*self._starting.values(), *(worker for worker, _ in self._busy.values())]

    def _start_worker(self) -> None:
        """Ask Ray for one more worker; it starts where and when there is room."""
        remote = self._ray.remote(
            num_cpus=1,
            num_gpus=1 if self._gpus else 0,
            max_concurrency=2,  # progress is asked for while a window is rendered
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )(WindowWorker)
        worker = remote.remote(self._plan, "cuda" if self._gpus else "cpu")
        self._starting[worker.ready.remote()] = worker

    def _take(self, ended: Any) -> None:
        """See what came of a worker's start or window, and give it the next one."""
        worker, index = self._busy.pop(ended, (self._starting.pop(ended, None), None))
        try:
            said = self._ray.get(ended)
        except self._ray.exceptions.RayActorError:
            self._lost(index)
            return
        except self._ray.exceptions.RayTaskError as error:
            what = "a worker could not start" if index is None else f"window {index} failed"
            raise RenderError(f"{what} ({_words(error)})") from error
        if index is None:
            self._tell(f"a worker is ready on {said}")
        else:
            how, fault = said
            if how == "failed":
                raise RenderError(f"window {index}: {fault}")
            self._done += 1
            self._tell(f"window {index} {how}")
        if self._left:
            index = self._left.popleft()
            self._busy[worker.render.remote(index)] = (worker, index)
        else:
            self._ray.kill(worker)

    def _lost(self, index: int | None) -> None:
        """Put a lost worker's window back, and ask for another worker."""
        if index is None:
            self._tell("a worker was lost before it was ready")
            self._attempts[-1] = self._attempts.get(-1, 0) + 1
        else:
            self._attempts[index] = self._attempts.get(index, 0) + 1
            self._left.appendleft(index)
            self._tell(f"a worker was lost with window {index}, which is handed out again")
        if self._attempts.get(-1 if index is None else index, 0) >= ATTEMPTS:
            what = "workers" if index is None else f"window {index}"
            raise RenderError(
                f"{what} ended {ATTEMPTS} times with the process; look at memory on the nodes, or "
                "render it by hand with `lumivid window`"
            )
        self._start_worker()

    def _phases(self) -> dict[int, str]:
        """What each worker is doing; one that does not answer at once is asked the next time."""
        asked = {worker.phase.remote(): index for worker, index in self._busy.values()}
        if not asked:
            return {}
        answered, _ = self._ray.wait([*asked], num_returns=len(asked), timeout=_LOOK_S)
        found = {}
        for each in answered:
            with suppress(self._ray.exceptions.RayError):
                found[asked[each]] = str(self._ray.get(each))
        return found

    def _tell(self, note: str, under_way: dict[int, str] | None = None) -> None:
        windows, busy = len(self._plan.windows), len(self._busy)
        self._tell_user(Told(self._done, windows, busy, note, under_way or {}))


def _words(error: BaseException) -> str:
    """The last line that an error from afar says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
