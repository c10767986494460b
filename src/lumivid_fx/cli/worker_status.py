"""How a worker is, in words and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lumivid_fx.cli.phase_bar import brief_time

if TYPE_CHECKING:
    from lumivid_fx.protocol.messages import Device, Welcome
    from lumivid_fx.protocol.places import Connection


def status_in_words(welcome: Welcome, connection: Connection, up: float | None) -> str:
    """What a worker says of itself, a line each.

    Args:
        welcome: The worker's own words.
        connection: Where it listens.
        up: Seconds since it began to, if its process is on this machine.
    """
    process = "" if up is None else f" (pid {connection.pid}, up for {brief_time(up)})"
    lines = [
        f"worker at {connection.endpoint}{process}",
        f"release {welcome.worker}, boot {welcome.boot[:8]}",
        f"roots: {', '.join(welcome.roots)}",
        f"jobs waiting or running: {welcome.jobs}",
        *map(_device, welcome.devices),
    ]
    return "\n".join(lines)


def status_as_json(welcome: Welcome, connection: Connection, up: float | None) -> str:
    """The same as one JSON object."""
    return json.dumps(
        {
            "endpoint": connection.endpoint,
            "pid": connection.pid,
            "release": welcome.worker,
            "boot": welcome.boot,
            "up_seconds": None if up is None else round(up),
            "roots": list(welcome.roots),
            "jobs": welcome.jobs,
            "devices": [
                {name: getattr(device, name) for name in device.__struct_fields__}
                for device in welcome.devices
            ],
        }
    )


def _device(device: Device) -> str:
    notes: list[str] = [device.state]
    if device.model:
        notes.append(f"holds {device.model}")
    if device.restarts:
        times = "once" if device.restarts == 1 else f"{device.restarts} times"
        notes.append(f"started anew {times}")
    if device.state in ("ready", "busy"):
        notes.append("confined by the kernel" if device.confined else "not confined")
    return f"{device.name}: {', '.join(notes)}"
