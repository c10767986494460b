"""A shot on a Ray cluster of two nodes on this machine, one of which is lost in the middle."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.plates import write_png

from lumivid_fx.errors import CancelledError, InputError, RenderError
from lumivid_fx.farm.plan_file import Plan
from lumivid_fx.farm.ray_run import (
    AUTH_MODE,
    Told,
    found_address,
    require_token,
    run_on_ray,
)
from lumivid_fx.farm.stitching import missing_windows, stitch
from lumivid_fx.model.checkpoint import HdrModel

from .shots import files, in_one_run, planned

Cluster: Any = None
if find_spec("ray"):
    # Ray looks at these when it is imported.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ[AUTH_MODE], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
    Cluster = import_module("ray.cluster_utils").Cluster

needs_ray = pytest.mark.skipif(
    Cluster is None, reason="scripts/ray_env.sh makes an environment with Ray, to run this in"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for workers, which asks for a token; tests add nodes.

    Ray's nodes listen on the machine's own address, even here.
    """
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0})
    yield made
    made.shutdown()


@pytest.fixture
def plan(tmp_path: Path, model_folder: Path) -> Plan:
    """Six windows."""
    source = write_png(tmp_path / "in", range(1001, 1050))
    return planned(source, tmp_path, model_folder, settings={"window": 9, "overlap": 1})


def make_room(cluster: Any) -> None:
    """See that there is a node that takes workers."""
    if not cluster.worker_nodes:
        cluster.add_node(num_cpus=1)


@needs_ray
def test_a_node_is_lost_and_the_shot_is_not(
    tmp_path: Path, plan: Plan, model: HdrModel, cluster: Any
) -> None:
    """Its window is rendered on the other one; the frames are those of one run."""
    first = cluster.add_node(num_cpus=1)
    notes: list[str] = []

    def tell(told: Told) -> None:
        notes.append(told.note)
        if first in cluster.worker_nodes and "rendered" in told.note:
            cluster.add_node(num_cpus=1)
            cluster.remove_node(first, allow_graceful=False)

    run_on_ray(plan, cluster.address, tell=tell, gpus=False)
    assert first not in cluster.worker_nodes
    assert any("was lost with window" in note for note in notes), notes
    assert missing_windows(plan) == []
    stitch(plan)
    assert files(tmp_path / "out") == in_one_run(plan, model, tmp_path / "here")
    # All there: nothing is rendered again.
    again: list[str] = []
    run_on_ray(plan, cluster.address, tell=lambda told: again.append(told.note), gpus=False)
    assert sum("kept" in note for note in again) == len(plan.windows)


@needs_ray
def test_a_cancel_stops_it_and_keeps_what_is_there(plan: Plan, cluster: Any) -> None:
    """After the first window; the rest is not rendered."""
    make_room(cluster)

    def stop(told: Told) -> None:
        if told.done:
            raise CancelledError("enough")

    with pytest.raises(CancelledError):
        run_on_ray(plan, cluster.address, tell=stop, gpus=False)
    assert 0 < len(missing_windows(plan)) < len(plan.windows)


@needs_ray
def test_a_window_that_fails_says_why(plan: Plan, cluster: Any) -> None:
    """The sentence is the window's own, and names it."""
    make_room(cluster)
    for file in plan.files:
        Path(file.path).unlink()
    with pytest.raises(RenderError, match=r"window \d: .* cannot be read"):
        run_on_ray(plan, cluster.address, tell=lambda _: None, gpus=False)


@pytest.mark.parametrize(
    "address", ["10.0.0.5:6379", "ray://10.0.0.5:10001", "0.0.0.0:6379", "[2001:db8::1]:6379"]
)
def test_beyond_this_machine_a_token_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Without one nothing is sent; with one it is Ray's to check."""
    monkeypatch.delenv(AUTH_MODE, raising=False)
    with pytest.raises(InputError, match="RAY_AUTH_MODE=token"):
        require_token(address)
    monkeypatch.setenv(AUTH_MODE, "disabled")
    with pytest.raises(InputError, match="is not this machine"):
        require_token(address)
    monkeypatch.setenv(AUTH_MODE, "token")
    require_token(address)


@pytest.mark.parametrize("address", ["127.0.0.1:6379", "localhost:6379", "[::1]:6379"])
def test_on_this_machine_none_is(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Loopback is reached by nobody else."""
    monkeypatch.delenv(AUTH_MODE, raising=False)
    require_token(address)


@pytest.mark.skipif(Cluster is not None, reason="Ray is here")
def test_without_ray(plan: Plan) -> None:
    """It is said what to install."""
    with pytest.raises(InputError, match=r"install lumivid-fx\[ray\]"):
        run_on_ray(plan, "127.0.0.1:6379", tell=lambda _: None)


def test_auto_is_looked_at_before_it_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is what the environment or Ray's own file names, and nothing where none does."""
    here = tmp_path / "ray_current_cluster"
    monkeypatch.setattr("lumivid_fx.farm.ray_run.LAST_STARTED", here)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv(AUTH_MODE, raising=False)
    with pytest.raises(InputError, match="no Ray cluster was started"):
        found_address("auto")
    here.write_text("127.0.0.1:6379")
    require_token(found_address("auto"))
    monkeypatch.setenv("RAY_ADDRESS", "192.0.2.7:6379")
    with pytest.raises(InputError, match=r"192\.0\.2\.7:6379 is not this machine"):
        require_token(found_address("auto"))
