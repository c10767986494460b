"""What happens to open connections when the process forks, and when it ends.

After a fork the child owns none of its parent's sockets and threads, though it sees their objects:
locks may be held by threads that it does not have, and a socket that is touched speaks with the
parent's voice. Everything with a lock therefore registers here and is told in the child. At exit,
connections are closed in bounded time.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from typing import Protocol


class Forks(Protocol):
    """Something that has to know that this process is now a forked child."""

    def forked(self) -> None:
        """Replace locks, and forget what belongs to the parent."""


class Closes(Protocol):
    """Something that is closed when the interpreter ends."""

    def close(self) -> None:
        """Let go within a second or two, whatever else happens."""


class _Register:
    """Everything of this process that has to be told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.forks: weakref.WeakSet[Forks] = weakref.WeakSet()
        self.closes: weakref.WeakSet[Closes] = weakref.WeakSet()
        self.abandoned: list[object] = []

    def in_child(self) -> None:
        self.lock = threading.Lock()
        for thing in list(self.forks):
            thing.forked()

    def at_exit(self) -> None:
        with self.lock:
            things = list(self.closes)
        for thing in things:
            thing.close()


_register = _Register()
if sys.platform != "win32":  # which has no fork
    os.register_at_fork(after_in_child=_register.in_child)
atexit.register(_register.at_exit)


def tell_of_forks(thing: Forks) -> None:
    """Have something told in the child when this process forks."""
    with _register.lock:
        _register.forks.add(thing)


def close_at_exit(thing: Closes) -> None:
    """Have something closed when the interpreter ends, unless it is gone by then."""
    with _register.lock:
        _register.closes.add(thing)


def abandon(thing: object) -> None:
    """Keep a parent's object alive in the child: collecting it could touch the parent's socket."""
    _register.abandoned.append(thing)
