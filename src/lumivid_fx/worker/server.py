"""The process that owns the socket: one thread, one loop, no torch.

Each turn of the loop takes in what has come from clients and runners, lets
:class:`~lumivid_fx.worker.dispatch.Dispatch` act on it, and lets the
:class:`~lumivid_fx.worker.desk.Desk` send what is owed. Nothing in it waits for anybody.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import zmq

from lumivid_fx.errors import InputError
from lumivid_fx.protocol.job_state import ENDED
from lumivid_fx.protocol.messages import MAX_PART, VERSION
from lumivid_fx.protocol.places import Connection, Places, private_folder, write_connection
from lumivid_fx.worker.callers import Buffer
from lumivid_fx.worker.desk import Desk
from lumivid_fx.worker.dispatch import Dispatch
from lumivid_fx.worker.gate import Gate
from lumivid_fx.worker.jobs import Jobs
from lumivid_fx.worker.journal import Journal, JournalError
from lumivid_fx.worker.orders import RunnerConfig
from lumivid_fx.worker.roots import Roots
from lumivid_fx.worker.spool import Spool
from lumivid_fx.worker.supervisor import Patience, Runner

log = logging.getLogger(__name__)

TICK_MS = 250
"""The loop turns at least this often, so that clocks are looked at."""

BUSY_TICK_MS = 20
"""The same while a reader's queue is full."""

MESSAGES_A_TURN = 64
"""So that many clients' messages do not keep the runners' reports waiting."""

KEPT_DAYS = 7
"""Jobs that have ended are remembered so long."""

UNREAD_DAYS = 30
"""Jobs with pixels that nobody has taken are kept so long."""

HOUSEKEEPING_S = 3600.0
"""How often what is old is looked for."""

RESERVED_PORTS = range(5555, 5663)
"""Nuke's own Frame Server listens on these."""


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker runs.

    Attributes:
        places: Where its keys, address, state and cache lie.
        roots: Folders under which plates, results and models may lie.
        listen: Address to bind; anything but loopback must be meant.
        port: Port to bind; 0 takes any that is free.
        devices: ``cpu``, or the numbers of GPUs; one runner each.
        model: Model for requests that name none; None is the embedded one.
        cache_bytes: How large the result cache may grow; 0 for none.
        metrics_port: Port for Prometheus on loopback; None for none.
        patience: How long to wait for a runner.
        runner: Start of a runner's command line.
    """

    places: Places
    roots: tuple[Path, ...]
    listen: str = "127.0.0.1"
    port: int = 0
    devices: tuple[str, ...] = ("cpu",)
    model: Path | None = None
    cache_bytes: int = 20 * 1024**3
    metrics_port: int | None = None
    patience: Patience = field(default_factory=Patience)
    runner: tuple[str, ...] = (sys.executable, "-P", "-m", "lumivid_fx.worker.runner")


def find_devices() -> tuple[str, ...]:
    """The GPUs of this machine by number, or ``cpu``; asks the driver's files, not torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(part.strip() for part in visible.split(",") if part.strip()) or ("cpu",)
    gpus = Path("/proc/driver/nvidia/gpus")
    count = len(list(gpus.iterdir())) if gpus.is_dir() else 0
    return tuple(str(number) for number in range(count)) or ("cpu",)


def serve(
    settings: WorkerSettings, boot: str, on_ready: Callable[[Connection], None] = lambda _: None
) -> None:
    """Run a worker until it is told to stop, by a client, SIGTERM or Ctrl-C.

    Args:
        settings: How.
        boot: What this start is called, in the log and to clients.
        on_ready: Called when the socket is bound and the address written.

    Raises:
        InputError: It cannot start; another worker may run already.
    """
    places = settings.places
    for folder in (places.keys, places.run, places.state, places.cache):
        private_folder(folder)
    own = (places.keys, places.run, places.state, places.cache)
    with ExitStack() as stack:
        journal = Journal.open(places.state)
        stack.callback(journal.close)
        if journal.notice:
            log.error("%s", journal.notice)
        roots = Roots(settings.roots, own)
        spool = Spool(places.state / "spool")
        _forget_old(journal, spool)
        journal.recover()
        _tidy(spool, journal)
        context = zmq.Context()
        stack.callback(context.destroy, linger=1000)
        gate = Gate(context, places)
        stack.callback(gate.close)
        router = _bind(context, gate, settings)
        runners = [_runner(device, settings, roots) for device in settings.devices]
        dispatch = Dispatch(Jobs(journal, spool), spool, runners)
        stack.callback(lambda: dispatch.close(time.monotonic()))
        desk = Desk(
            dispatch,
            journal,
            spool,
            roots,
            boot=boot,
            own_key=lambda: gate.own_key,
            send=lambda identity, parts: _send(router, identity, parts),
        )
        if settings.metrics_port is not None:
            from lumivid_fx.worker.metrics import serve_metrics

            stack.callback(serve_metrics(settings.metrics_port, dispatch, desk))
        endpoint = router.get_string(zmq.LAST_ENDPOINT)
        connection = Connection(endpoint, gate.worker_key, os.getpid(), boot, (VERSION,))
        wakeup = stack.enter_context(_signals(desk))
        write_connection(places.connection, connection)
        stack.callback(places.connection.unlink, missing_ok=True)
        log.info("worker listens at %s", endpoint)
        on_ready(connection)
        _loop(router, gate, dispatch, desk, wakeup, lambda: _forget_old(journal, spool))
        desk.drain()
        log.info("worker ends; its jobs go on at the next start")


def _forget_old(journal: Journal, spool: Spool) -> None:
    """Forget jobs that ended long ago, and their pixels."""
    now, day = time.time(), 86400
    for job in journal.purge(now - KEPT_DAYS * day, now - UNREAD_DAYS * day):
        spool.remove(job)


def _tidy(spool: Spool, journal: Journal) -> None:
    """Remove what a worker that was killed had no time to remove."""
    for job in spool.jobs():
        record = journal.job(job)
        if record is None:
            spool.remove(job)
            continue
        if record.state in ENDED:
            spool.remove_plate(job)
        if record.request.deliver == "pixels":
            for frame in journal.frames(job).values():
                if frame.acked:
                    spool.drop(frame.path)


def _loop(
    router: zmq.Socket[bytes],
    gate: Gate,
    dispatch: Dispatch,
    desk: Desk,
    wakeup: socket.socket,
    forget_old: Callable[[], None],
) -> None:
    """Turn until the desk is told to stop."""
    stuck = False
    tidied = time.monotonic()
    while not desk.stopping:
        poller = zmq.Poller()
        poller.register(router, zmq.POLLIN)
        poller.register(wakeup, zmq.POLLIN)
        for runner in dispatch.runners:
            for descriptor in runner.descriptors():
                poller.register(descriptor, zmq.POLLIN)
        events = dict(poller.poll(BUSY_TICK_MS if stuck else TICK_MS))
        now = time.monotonic()
        if router in events:
            for identity, owner, parts in _arrived(router):
                if gate.admits(owner):
                    desk.hear(identity, owner, parts, now)
                else:
                    desk.unknown(identity)
        dispatch.work(now)
        if now > tidied + HOUSEKEEPING_S:
            tidied = now
            try:
                dispatch.jobs.give_up_plates(now)
                forget_old()
            except JournalError:
                log.exception("what is old could not be looked for")
        stuck = desk.tick(now)


def _arrived(router: zmq.Socket[bytes]) -> Iterator[tuple[bytes, str, Sequence[memoryview]]]:
    """Messages that have come: routing id, public key of the sender, parts."""
    for _ in range(MESSAGES_A_TURN):
        try:
            identity, *parts = router.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return
        owner = parts[0].get("User-Id") if parts else ""
        yield identity.bytes, str(owner), [memoryview(part.buffer) for part in parts]


def _send(router: zmq.Socket[bytes], identity: bytes, parts: Sequence[Buffer]) -> bool | None:
    """Send to one connection: False if its queue is full, None if it is gone."""
    try:
        router.send_multipart([identity, *parts], zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return False
    except zmq.ZMQError as error:
        if error.errno == zmq.EHOSTUNREACH:
            return None
        raise
    return True


def _bind(
    context: zmq.Context[zmq.Socket[bytes]], gate: Gate, settings: WorkerSettings
) -> zmq.Socket[bytes]:
    if settings.port in RESERVED_PORTS:
        raise InputError(
            f"port {settings.port} belongs to Nuke's Frame Server; choose one outside "
            f"{RESERVED_PORTS[0]} to {RESERVED_PORTS[-1]}, such as 47800"
        )
    router = context.socket(zmq.ROUTER)
    for option, value in (
        (zmq.LINGER, 1000),  # a last word to everybody, then the end
        (zmq.ROUTER_MANDATORY, 1),  # else what finds no room is dropped in silence
        (zmq.SNDHWM, 16),
        (zmq.RCVHWM, 64),
        (zmq.MAXMSGSIZE, MAX_PART),
        (zmq.HANDSHAKE_IVL, 5000),
        (zmq.HEARTBEAT_IVL, 5000),
        (zmq.HEARTBEAT_TIMEOUT, 15000),
        (zmq.HEARTBEAT_TTL, 15000),
    ):
        router.setsockopt(option, value)
    gate.prepare(router)
    try:
        router.bind(f"tcp://{settings.listen}:{settings.port or '*'}")
    except zmq.ZMQError as error:
        raise InputError(
            f"{settings.listen}:{settings.port} cannot be listened at ({error}); choose another "
            "--port, or none for any that is free"
        ) from error
    return router


def _runner(device: str, settings: WorkerSettings, roots: Roots) -> Runner:
    """A runner for a device, not started yet."""
    places = settings.places
    scratch = private_folder(places.state / "scratch")
    config = RunnerConfig(
        roots=roots.names,
        private=tuple(str(p) for p in (places.state / "spool", scratch, places.cache)),
        cache=str(places.cache) if settings.cache_bytes else "",
        cache_bytes=settings.cache_bytes,
        device="cpu" if device == "cpu" else "cuda",
        model="" if settings.model is None else str(settings.model.absolute()),
    )
    environ = {**os.environ, "TMPDIR": str(scratch)}
    environ["CUDA_CACHE_PATH"] = str(scratch)
    environ["CUDA_VISIBLE_DEVICES"] = "" if device == "cpu" else device
    name = device if device == "cpu" else f"cuda:{device}"
    return Runner(name, settings.runner, config, environ, settings.patience)


@contextmanager
def _signals(desk: Desk) -> Iterator[socket.socket]:
    """SIGTERM and Ctrl-C end the loop in order; what is given wakes its poll."""
    ours, theirs = socket.socketpair()

    def stop(number: int, frame: object) -> None:
        del number, frame
        desk.stopping = True

    with ours, theirs:
        theirs.setblocking(False)
        before = {s: signal.signal(s, stop) for s in (signal.SIGTERM, signal.SIGINT)}
        woken = signal.set_wakeup_fd(theirs.fileno())
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)


def new_boot() -> str:
    """A name for a start of the worker."""
    return uuid4().hex
