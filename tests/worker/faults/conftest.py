"""One worker with the real runner, for all tests whose faults must not harm it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.worker.faults.real import RealWorker, real_worker


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Iterator[RealWorker]:
    """A worker whose root is ``shots``, and which must go on without a scratch."""
    with real_worker(tmp_path_factory.mktemp("real"), tiny_model_folder) as real:
        yield real
