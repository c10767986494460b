"""What is installed and whether it works: one row for each thing a render stands on.

A check that finds a fault is a row like any other, with what to do about it; nothing here raises.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from lumivid_fx.errors import LumividError

PROJECT = "lumivid-fx"

TESTED_PYTHONS = ((3, 11), (3, 13))

ENOUGH_MEMORY_GB = 4.0
"""What a small render on the CPU takes, torch itself included, with room to spare."""

ENOUGH_DISK_GB = 5.0
"""About 400 frames of half-float 1080p."""

LOADED_MB = 2000
"""Size of a model up to which it is loaded to see whether it can be."""

PUBLISHED_LOGC3 = {0.0: 0.092809, 0.18: 0.391007, 1.0: 0.570632}
"""Light to code. Source: ARRI, "ALEXA Log C Curve - Usage in VFX", EI 800."""

CURVE_TOLERANCE = 2e-6
"""Codes: float32 rounding, and OpenColorIO's config rounds ARRI's b in its 7th digit."""

INSTALL_WORKER = "pip install 'lumivid-fx[worker]'"

log = logging.getLogger(__name__)

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One row.

    Attributes:
        name: What was looked at.
        status: "ok"; "warn" where renders work with a limit; "fail" where they do not.
        detail: What was found.
        remedy: What to do about it, empty where all is well.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""


def examine(model: str | Path | None = None, ocio: str | None = None) -> Iterator[Check]:
    """Look at everything, one row after the other.

    Args:
        model: A model's name or folder, in place of the embedded one.
        ocio: A studio's OCIO config in place of the built-in one.
    """
    yield _python()
    yield from _packages()
    looks: dict[str, Callable[[], Check]] = {
        "device": _device,
        "memory": _memory,
        "disk": _disk,
        "model": lambda: _model(model),
        "OCIO config": lambda: _ocio(ocio),
        "LogC3, published": _published_logc3,
        "LogC3, OpenColorIO": _ocio_logc3,
        "EXR write and read": _exr,
        "movies": _movies,
        "keys": _keys,
        "confinement": _confinement,
        "worker": _worker,
    }
    for name, look in looks.items():
        yield _guarded(name, look)


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    """Make a row of whatever a check runs into."""
    try:
        return look()
    except ImportError as error:
        absent = error.name or str(error)
        return Check(name, "fail", f"{absent} cannot be imported", INSTALL_WORKER)
    except LumividError as error:
        found, _, remedy = str(error).rpartition("; ")
        return Check(name, "fail", found or str(error), remedy if found else "mend what it says")
    except Exception as error:
        log.debug("the check %r stopped", name, exc_info=True)
        said = " ".join(str(error).split())
        return Check(
            name,
            "fail",
            f"{type(error).__name__}: {said}",
            "reinstall lumivid-fx[worker] into a fresh environment",
        )


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    low, high = TESTED_PYTHONS
    if low <= sys.version_info[:2] <= high:
        return Check("Python", "ok", version)
    wanted = f"{low[0]}.{low[1]} to {high[0]}.{high[1]}"
    return Check("Python", "warn", f"{version} is not tested", f"use Python {wanted}")


def _packages() -> Iterator[Check]:
    try:
        needs = metadata.requires(PROJECT) or []
        yield Check(PROJECT, "ok", metadata.version(PROJECT))
    except metadata.PackageNotFoundError:
        yield Check(PROJECT, "fail", "runs from a folder, not installed", "pip install .")
        return
    for need in needs:
        extra = re.search(r"extra == ['\"](\w+)['\"]", need)
        if extra is None or extra[1] == "worker":
            yield _package(need.split(";")[0].strip(), INSTALL_WORKER if extra else "")


def _package(need: str, install: str) -> Check:
    """Check one requirement, such as ``numpy<3,>=2.4``."""
    name = re.split(r"[^\w.-]", need, maxsplit=1)[0]
    wanted = need.removeprefix(name)
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        # Without PyAV, whose wheel holds GPL codecs, image sequences work all the same.
        status: Status = "warn" if name == "av" else "fail"
        return Check(name, status, "not installed", install or f"pip install '{need}'")
    if not _fits(version, wanted):
        return Check(name, "fail", f"{version}, but {wanted} is needed", f"pip install '{need}'")
    return Check(name, "ok", version)


def _fits(version: str, wanted: str) -> bool:
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:  # it comes with the worker's packages, and versions without it are few
        return True
    return SpecifierSet(wanted, prereleases=True).contains(version)


def _device() -> Check:
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
        return Check("device", "ok", f"{name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")
    cores = f"CPU, {len(os.sched_getaffinity(0))} cores, {torch.get_num_threads()} threads"
    if torch.version.cuda is None:
        return Check("device", "ok", cores)
    return Check(
        "device",
        "warn",
        f"{cores}; torch is built for CUDA {torch.version.cuda} and sees no GPU",
        "check the driver with nvidia-smi, or render on the CPU",
    )


def _memory() -> Check:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    held = {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e9 for line in lines}
    free, total = held["MemAvailable"], held["MemTotal"]
    found = f"{free:.1f} of {total:.1f} GB free"
    if free >= ENOUGH_MEMORY_GB:
        return Check("memory", "ok", found)
    return Check("memory", "warn", found, "close programs, or render with a small --model-size")


def _disk() -> Check:
    places = {path.stat().st_dev: path for path in (Path(tempfile.gettempdir()), Path.cwd())}
    free = {place: shutil.disk_usage(place).free / 1e9 for place in places.values()}
    found = ", ".join(f"{size:.1f} GB free at {place}" for place, size in free.items())
    if min(free.values()) >= ENOUGH_DISK_GB:
        return Check("disk", "ok", found)
    return Check("disk", "warn", found, "free space, or render to another disk")


def _model(asked: str | Path | None) -> Check:
    """Headers of a large model are held against each other; a small one is loaded too."""
    from lumivid_fx.model.checkpoint import load_model
    from lumivid_fx.model.library import find_model
    from lumivid_fx.model.manifest import read_manifest
    from lumivid_fx.model.sources import open_sources

    folder = find_model(asked)
    sources = open_sources(folder, read_manifest(folder))
    size = sum(file.size for file in sources.files) / 1e6
    if size < LOADED_MB:
        load_model(folder)
    stages = " + ".join(str(len(sigmas) - 1) for sigmas in sources.manifest.sigmas)
    return Check(
        "model",
        "ok",
        f"{sources.manifest.name}, {size:.1f} MB, {sources.transfer.name}, {stages} steps, "
        f"digest {sources.digest()[:12]}",
    )


def _ocio(config: str | None) -> Check:
    from lumivid_fx.color.spaces import ColorSpaces

    spaces = ColorSpaces(config)
    return Check("OCIO config", "ok", f"{spaces.source}, {len(spaces.names())} spaces")


def _published_logc3() -> Check:
    import torch

    from lumivid_fx.color.transfer import LOGC3_REC709

    light = torch.tensor(list(PUBLISHED_LOGC3), dtype=torch.float64)
    codes = torch.tensor(list(PUBLISHED_LOGC3.values()), dtype=torch.float64)
    apart = float((LOGC3_REC709.forward(light) - codes).abs().max())
    back = float((LOGC3_REC709.inverse(LOGC3_REC709.forward(light)) - light).abs().max())
    # 5e-7: the points are printed with six digits.
    return _curve_check("LogC3, published", max(apart, back), 5e-7, f"{len(light)} points")


def _ocio_logc3() -> Check:
    import numpy as np
    import torch

    from lumivid_fx.color.spaces import ColorSpaces
    from lumivid_fx.color.transfer import LOGC3_REC709

    light = np.linspace(0, 55, 20_001, dtype=np.float32)
    pixels = np.repeat(light[:, None], 3, axis=1)
    # From ARRI's linear to ARRI's log only the curve is left: OpenColorIO's own, not ours.
    theirs = ColorSpaces().convert(pixels, "Linear ARRI Wide Gamut 3", "ARRI LogC3 (EI800)")
    apart = float(np.abs(LOGC3_REC709.forward(torch.from_numpy(pixels)).numpy() - theirs).max())
    return _curve_check("LogC3, OpenColorIO", apart, CURVE_TOLERANCE, "0 to 55")


def _curve_check(name: str, apart: float, tolerance: float, over: str) -> Check:
    found = f"at most {apart:.1e} apart over {over}"
    if apart <= tolerance:
        return Check(name, "ok", found)
    return Check(name, "fail", found, "reinstall torch and opencolorio; colours would be wrong")


def _exr() -> Check:
    import numpy as np

    from lumivid_fx.media import Windows, open_plate
    from lumivid_fx.media.exr import FRAME_ATTRIBUTE, is_finished, write_exr

    ramp = np.geomspace(1e-4, 6e4, 16 * 16 * 3, dtype=np.float32).reshape(16, 16, 3)
    with tempfile.TemporaryDirectory(prefix="lumivid-doctor-") as folder:
        path = Path(folder) / "check.0001.exr"
        write_exr(
            path,
            ramp,
            None,
            windows=Windows.whole(16, 16),
            attributes={FRAME_ATTRIBUTE: 1},
            chromaticities=None,
            interop_id=None,
            fps=None,
        )
        with open_plate(str(path)) as plate:
            same = bool((plate.read(1).rgb == ramp.astype(np.float16)).all())
        whole = is_finished(path)
    if same and whole:
        return Check("EXR write and read", "ok", "half float, bit for bit")
    return Check(
        "EXR write and read", "fail", "came back changed", "reinstall OpenImageIO; check the disk"
    )


def _movies() -> Check:
    from lumivid_fx.media.decoders import MOVIE_CODECS, missing_decoders

    remedy = "install PyAV (av), or give image sequences"
    try:
        missing = missing_decoders()
    except ImportError as error:
        return Check("movies", "warn", f"{error.name or error} cannot be imported", remedy)
    if missing:
        return Check("movies", "warn", f"no decoder for {', '.join(missing)}", remedy)
    return Check("movies", "ok", ", ".join(MOVIE_CODECS))


def _keys() -> Check:
    from lumivid_fx.protocol.places import Places, read_key_pair

    folder = Places.of().keys
    found = [path.name for path in sorted(folder.glob("*.key")) if read_key_pair(path) is not None]
    made = ", ".join(found) or "none yet, made at the first use"
    return Check("keys", "ok", f"{made}, in {folder}")


def _confinement() -> Check:
    from lumivid_fx.worker.sandbox import landlock_abi

    abi = landlock_abi()
    if abi:
        return Check("confinement", "ok", f"Landlock {abi}: a worker opens files of its roots only")
    return Check(
        "confinement",
        "warn",
        "this kernel has no Landlock, so that a damaged plate could reach beyond a worker's roots",
        "use Linux 5.13 or newer, or render only plates you trust",
    )


def _worker() -> Check:
    from lumivid_fx.protocol.places import Places, read_connection

    file = Places.of().connection
    if not file.exists():
        return Check("worker", "ok", "none is running")
    connection = read_connection(file)
    if Path(f"/proc/{connection.pid}").exists():
        return Check("worker", "ok", f"pid {connection.pid} at {connection.endpoint}")
    return Check(
        "worker",
        "warn",
        f"pid {connection.pid} is gone without a word; its jobs are kept",
        "start it again with `lumivid worker`",
    )
