"""Messages to answers: every one is checked for its key's rights, and none ends the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from lumivid_fx import __version__
from lumivid_fx.errors import LumividError
from lumivid_fx.protocol import messages as m
from lumivid_fx.protocol.codes import CODES, code_of
from lumivid_fx.protocol.job_state import ENDED
from lumivid_fx.protocol.wire import RefusedError, read_client_message, request_digest
from lumivid_fx.worker.admission import MAX_JOBS, MAX_SESSION_JOBS, check_request
from lumivid_fx.worker.callers import Caller, Callers, Send
from lumivid_fx.worker.delivery import Delivery
from lumivid_fx.worker.dispatch import Dispatch
from lumivid_fx.worker.jobs import Live
from lumivid_fx.worker.journal import Journal
from lumivid_fx.worker.roots import Roots
from lumivid_fx.worker.spool import Spool

log = logging.getLogger(__name__)

Buffer = bytes | memoryview
JobMessage = m.Put | m.Attach | m.Credit | m.Ack | m.Cancel


class Desk:
    """Answers what comes in and sends what is owed; opens no socket itself.

    Args:
        boot: Of this start of the worker.
        own_key: Public key of the worker's user, who may stop it.
        roots: Where paths may lie.
        send: How to send.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        journal: Journal,
        spool: Spool,
        roots: Roots,
        *,
        boot: str,
        own_key: Callable[[], str],
        send: Send,
    ) -> None:
        self.stopping = False
        self._dispatch = dispatch
        self._journal = journal
        self._spool = spool
        self._roots = roots
        self._boot = boot
        self._own_key = own_key
        self._callers = Callers(send, self._gone)
        self._delivery = Delivery(dispatch, spool, self._callers)

    @property
    def callers(self) -> int:
        """How many connections there are."""
        return len(self._callers)

    def hear(self, identity: bytes, owner: str, parts: Sequence[Buffer], now: float) -> None:
        """Answer a message, whatever it is."""
        caller = self._callers.heard(identity, owner, now)
        re = job = ""
        try:
            message, payload = read_client_message(parts)
            re, job = getattr(message, "id", ""), getattr(message, "job", None) or ""
            self._answer(identity, caller, message, payload)
        except RefusedError as error:
            self._refuse(identity, error.code, str(error), error.re or re, job)
        except LumividError as error:
            self._refuse(identity, code_of(error), str(error), re, job)
        except Exception:  # a fault of ours is this message's end, not everybody's
            log.exception("a message could not be answered", extra={"job": job})
            said = "the worker met a fault of its own in this message; see its log"
            self._refuse(identity, "E_INTERNAL", said, re, job)

    def unknown(self, identity: bytes) -> None:
        """Answer somebody whose key is not admitted any more."""
        self._refuse(identity, "E_AUTH", "this key is not admitted by the worker's owner", "", "")
        self._callers.forget(identity)

    def tick(self, now: float) -> bool:
        """Send what is owed; whether something waits for a reader's queue to empty."""
        waits = self._callers.tick(now)
        return self._delivery.tick(now) or waits

    def drain(self) -> None:
        """Tell everybody that the worker is about to end."""
        for identity, _ in self._callers:
            self._callers.post(identity, m.Drain(boot=self._boot))

    # ---- one message ------------------------------------------------------------------------

    def _answer(
        self, identity: bytes, caller: Caller, message: m.ClientMessage, payload: Buffer
    ) -> None:
        match message:
            case m.Hello():
                self._hello(identity, caller, message)
            case m.Ping():
                pong = m.Pong(re=message.id, boot=self._boot, devices=self._devices())
                self._callers.post(identity, pong)
            case _ if not caller.session:
                raise RefusedError("E_NO_SESSION", "say hello before anything else")
            case m.Submit():
                self._submit(identity, caller, message)
            case m.List():
                self._list(identity, caller, message)
            case m.Stop():
                if caller.owner != self._own_key():
                    raise RefusedError("E_AUTH", "only the worker's own user may stop it")
                self.stopping = True
            case _:
                self._answer_of_job(identity, caller, message, payload)

    def _answer_of_job(
        self, identity: bytes, caller: Caller, message: JobMessage, payload: Buffer
    ) -> None:
        """Answer a message about a job there is."""
        live = self._own(caller, message.job)
        match message:
            case m.Put():
                self._put(identity, live, message, payload)
            case m.Attach():
                if not caller.left:
                    self._delivery.follow(identity, caller, live, message)
                self._accept(identity, message.id, live, dup=True)
            case m.Credit():
                follow = caller.follows.get(message.job)
                if follow is not None:
                    self._delivery.credit(follow, live, message.frames)
                elif live.record.state not in ENDED:  # else it crossed the news of the end
                    raise RefusedError("E_NO_JOB", "attach to the job before giving it credit")
            case m.Ack():
                if not self._dispatch.jobs.ack(live, message.frame, message.sha256):
                    raise RefusedError(
                        "E_BAD_ACK", f"frame {message.frame} is not there in these bytes"
                    )
                self._delivery.acked(live, message.frame)
            case m.Cancel():
                self._dispatch.cancel(live)
                self._accept(identity, message.id, live, dup=True)

    def _hello(self, identity: bytes, caller: Caller, hello: m.Hello) -> None:
        if m.VERSION not in hello.versions:
            raise RefusedError(
                "E_VERSION",
                f"this worker ({__version__}) speaks version {m.VERSION} of the protocol, and the "
                "client another; update the older of the two",
            )
        caller.session, caller.left = hello.session, False
        welcome = m.Welcome(
            re=hello.id,
            version=m.VERSION,
            worker=__version__,
            boot=self._boot,
            devices=self._devices(),
            roots=self._roots.names,
            jobs=self._dispatch.jobs.unended(),
            limits=m.Limits(),
        )
        self._callers.post(identity, welcome)

    def _submit(self, identity: bytes, caller: Caller, submit: m.Submit) -> None:
        known = self._dispatch.jobs.find(submit.job)
        if known is not None:
            if known.record.owner != caller.owner:
                raise RefusedError("E_NO_JOB", "there is no such job")
            if known.record.digest != request_digest(submit.request):
                raise RefusedError(
                    "E_JOB_CONFLICT", "this id is that of another request; choose a new one"
                )
            if known.upload is not None:
                known.upload.restart()
                self._dispatch.jobs.queue_if_whole(known)
            self._accept(identity, submit.id, known, dup=True)
            return
        if self.stopping:
            raise RefusedError("E_DRAINING", "the worker is about to end; submit again later")
        check_request(submit.request, self._roots, self._spool)
        for count, most in (
            (self._dispatch.jobs.unended(), MAX_JOBS),
            (self._dispatch.jobs.unended(caller.session), MAX_SESSION_JOBS),
        ):
            if count >= most:
                raise RefusedError("E_BUSY", f"{count} jobs wait already; submit again later")
        live = self._dispatch.jobs.submit(submit.job, caller.owner, caller.session, submit.request)
        self._accept(identity, submit.id, live, dup=False)

    def _put(self, identity: bytes, live: Live, put: m.Put, payload: Buffer) -> None:
        try:
            size, whole = self._dispatch.jobs.put(live, put.frame, put.offset, payload)
        except ValueError as error:
            raise RefusedError("E_SCHEMA", str(error)) from error
        self._callers.post(identity, m.Took(job=put.job, frame=put.frame, size=size, whole=whole))

    def _list(self, identity: bytes, caller: Caller, asked: m.List) -> None:
        if asked.job is not None:
            record = self._journal.job(asked.job)
            records = [record] if record is not None and record.owner == caller.owner else []
        else:
            records = self._journal.jobs(owner=caller.owner, ended=asked.ended)
        rows = []
        for r in records:
            source = r.request.source
            rows.append(
                m.JobRow(
                    job=r.job,
                    state=r.state,
                    label=r.request.label,
                    source=source.path if isinstance(source, m.PathSource) else "pixels",
                    target=r.request.target or "",
                    deliver=r.request.deliver,
                    priority=r.priority,
                    frames=self._journal.counts(r.job)[0],
                    total=r.total,
                    attempts=r.attempts,
                    code=r.code,
                    message=r.message,
                    created=r.created,
                    updated=r.updated,
                )
            )
        self._callers.post(identity, m.Jobs(re=asked.id, jobs=tuple(rows)))

    def _own(self, caller: Caller, job: str) -> Live:
        """The job, if it is this key's; otherwise as if there were none."""
        live = self._dispatch.jobs.find(job)
        if live is None or live.record.owner != caller.owner:
            raise RefusedError("E_NO_JOB", "there is no such job")
        return live

    def _accept(self, identity: bytes, re: str, live: Live, *, dup: bool) -> None:
        accepted = m.Accepted(
            re=re,
            job=live.record.job,
            state=live.record.state,
            dup=dup,
            ahead=self._dispatch.ahead(live),
            need=None if live.upload is None else live.upload.need,
        )
        self._callers.post(identity, accepted)

    def _devices(self) -> tuple[m.Device, ...]:
        return tuple(
            m.Device(
                name=runner.device,
                state=runner.state,
                model=runner.model,
                restarts=max(0, runner.starts - 1),
                confined=runner.confined,
            )
            for runner in self._dispatch.runners
        )

    def _refuse(self, identity: bytes, code: str, message: str, re: str, job: str) -> None:
        error = m.Error(re=re, code=code, message=message, retry=CODES[code].retry, job=job)
        self._callers.post(identity, error)

    def _gone(self, identity: bytes, caller: Caller) -> None:
        self._delivery.gone(identity, caller)
