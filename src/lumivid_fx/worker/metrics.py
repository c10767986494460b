"""What a worker is doing, for Prometheus: on loopback, and only where it was asked for.

Labels have few values; no job, path or key is among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from lumivid_fx.errors import InputError
from lumivid_fx.worker.desk import Desk
from lumivid_fx.worker.dispatch import Dispatch
from lumivid_fx.worker.supervisor import RUNNER_STATES


def serve_metrics(port: int, dispatch: Dispatch, desk: Desk) -> Callable[[], None]:
    """Answer ``http://127.0.0.1:<port>/metrics`` from a thread of its own.

    Returns:
        What ends it.

    Raises:
        InputError: prometheus-client is not installed, or the port is taken.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
        from prometheus_client.registry import Collector
    except ModuleNotFoundError as error:
        raise InputError("--metrics-port needs `pip install lumivid-fx[metrics]`") from error

    class Figures(Collector):
        """Reads the figures when they are asked for; each is one number or a small table."""

        def collect(self) -> Iterator[Metric]:
            counts = dispatch.jobs.counts
            yield GaugeMetricFamily(
                "lumivid_jobs_unended", "Jobs waiting or running", value=dispatch.jobs.unended()
            )
            yield GaugeMetricFamily("lumivid_callers", "Connections", value=desk.callers)
            ended = CounterMetricFamily("lumivid_jobs", "Jobs that ended", labels=["state"])
            for state, number in counts.jobs.copy().items():
                ended.add_metric([state], number)
            yield ended
            frames = CounterMetricFamily("lumivid_frames", "Frames finished", labels=["how"])
            for how, number in counts.frames.copy().items():
                frames.add_metric([how], number)
            yield frames
            yield CounterMetricFamily(
                "lumivid_runner_deaths", "Runners that died", value=counts.deaths
            )
            yield CounterMetricFamily(
                "lumivid_fall_backs", "Times that memory ran out", value=counts.fall_backs
            )
            states = GaugeMetricFamily("lumivid_runners", "Runners", labels=["state"])
            now = Counter(runner.state for runner in dispatch.runners)
            for state in RUNNER_STATES:
                states.add_metric([state], now[state])
            yield states

    registry = CollectorRegistry()
    registry.register(Figures())
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise InputError(f"metrics port {port} is taken; choose another") from error

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

    return end
