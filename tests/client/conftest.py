"""A stand-in worker and connections to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.client.stand_in import StandIn, own_places, wait_until

from lumivid_fx import client


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    """A worker in a home of its own."""
    with StandIn(own_places(tmp_path / "home")) as worker:
        yield worker


@pytest.fixture
def connect(stand_in: StandIn) -> Iterator[Callable[..., client.Worker]]:
    """Make connections to it."""
    made = []

    def one(timeout: float = 20.0) -> client.Worker:
        made.append(client.connect(places=stand_in.places, name="test", timeout=timeout))
        return made[-1]

    yield one
    for worker in made:
        worker.close()
    wait_until(
        lambda: not any(thread.name.startswith("lumivid-") for thread in threading.enumerate()),
        "closing ends the threads",
    )


@pytest.fixture
def worker(connect: Callable[..., client.Worker]) -> client.Worker:
    """One connection to it."""
    return connect()
