"""A process that renders: ``python -m lumivid_fx.worker.runner FD CONFIG``.

FD is its end of a socket pair, CONFIG a :class:`lumivid_fx.worker.orders.RunnerConfig` as JSON. The
process gives up all files but those it needs, loads the model, says that it is ready, and renders
one job after another until its server is gone. A job that broke it is its last.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lumivid_fx.errors import LumividError
from lumivid_fx.model.library import readable_paths
from lumivid_fx.model.quiet import quieten_libraries
from lumivid_fx.worker.orders import Ready, RunnerConfig, RunnerEnd
from lumivid_fx.worker.sandbox import confine, system_paths
from lumivid_fx.worker.server_line import ServerLine

if TYPE_CHECKING:
    from lumivid_fx.worker.result_cache import ResultCache

log = logging.getLogger(__name__)

_SET_PARENT_DEATH_SIGNAL = 1
"""From linux/prctl.h."""


def main(arguments: Sequence[str]) -> None:
    """Be a runner.

    Args:
        arguments: FD and CONFIG.
    """
    descriptor, config = int(arguments[0]), msgspec.json.decode(arguments[1], type=RunnerConfig)
    _die_with_server()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.captureWarnings(True)
    faulthandler.enable()
    _use_private_folders(config)
    quieten_libraries()
    # Before the first thread, hence before torch: the kernel confines one thread and its children.
    confined = confine(
        read=[*system_paths(), *([Path(config.model)] if config.model else []), *readable_paths()],
        write=[Path(folder) for folder in (*config.roots, *config.private)],
    )
    line = ServerLine(RunnerEnd(descriptor))
    line.open()
    try:
        work(config, line, confined=confined)
    except LumividError as error:
        log.critical("no job can be rendered here: %s", error)
        sys.exit(1)


def work(config: RunnerConfig, line: ServerLine, *, confined: bool) -> None:
    """Render one job after another, until one breaks the process.

    Args:
        config: What the server said.
        line: To the server.
        confined: Whether the kernel holds the process to its folders.

    Raises:
        InputError: The device is not there.
    """
    from lumivid_fx.pipeline.devices import choose_device, device_name
    from lumivid_fx.worker.loaded_model import LoadedModel
    from lumivid_fx.worker.one_job import run_job

    device = choose_device(config.device)
    models = LoadedModel(Path(config.model) if config.model else None, device)
    store = _open_cache(config)
    name = ""
    try:
        name = models.take(None, None, 1.0).manifest.name
    except LumividError as error:
        log.warning("no model is loaded, and jobs need one of their own: %s", error)
    line.say(Ready(device=device_name(device), model=name, confined=confined))
    while True:
        ended = run_job(line.next_job(), line, models, store)
        line.say(ended)
        if ended.spoilt:
            log.error("this process cannot be trusted any more, and ends")
            os._exit(1)  # what broke it, a GPU above all, may hang an orderly end


def _open_cache(config: RunnerConfig) -> ResultCache | None:
    if not config.cache or config.cache_bytes <= 0:
        return None
    from lumivid_fx.worker.result_cache import ResultCache

    return ResultCache(Path(config.cache), config.cache_bytes)


def _use_private_folders(config: RunnerConfig) -> None:
    """Make them, and point libraries that want a place to write at the first of them."""
    for folder in config.private:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("TMPDIR", "HF_HOME", "CUDA_CACHE_PATH"):
        if config.private:
            os.environ.setdefault(name, os.environ.get("TMPDIR", config.private[0]))


def _die_with_server() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)  # it was gone before the kernel knew


if __name__ == "__main__":
    main(sys.argv[1:])
