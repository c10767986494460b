"""What a runner may touch, held by the kernel: Landlock, from Linux 5.13, by its system calls.

Paths are checked before a job is taken (:mod:`lumivid_fx.worker.roots`), but a link can be changed
between the check and the reading, and a plate can be made to mislead the library that decodes it.
So the process that opens files gives up all others for good, itself and whatever it starts.

What the kernel holds grows with its Landlock ABI: folders from 1, truncation from 3 (Linux 6.2),
TCP from 4 (6.7), device controls from 5 (6.10), signals and abstract sockets from 6 (6.12). UDP and
sockets that have a path are beyond it. ``docs/decisions/0007-confinement.md`` has the whole list.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterable
from enum import IntFlag
from pathlib import Path

from lumivid_fx.worker.roots import current_folder, home_folder

# From linux/landlock.h, linux/prctl.h and linux/capability.h. The calls of Landlock have these
# numbers on x86-64, on aarch64 and everywhere else.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_TELL_VERSION = 1
_PATH_BENEATH = 1
_SET_NO_NEW_PRIVS = 38
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_CAPABILITIES_VERSION = 0x20080522
_TO_FILES_OF_OTHERS = 0b11011
"""Capabilities that are left to root: CHOWN, DAC_OVERRIDE, FOWNER, FSETID."""

_RIGHTS = (0, 13, 14, 15, 15, 16, 16, 16)
"""How many rights over files each ABI knows: the lowest so many bits."""


class _Right(IntFlag):
    """Rights over files; those to make links, sockets, pipes and devices are given to nobody."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    REFER = 1 << 13  # to rename from one folder to another
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15

    READ = EXECUTE | READ_FILE | READ_DIR
    CHANGE = WRITE_FILE | TRUNCATE | MAKE_REG | MAKE_DIR | REMOVE_FILE | REMOVE_DIR | REFER
    WRITE = READ_FILE | READ_DIR | CHANGE
    CONTROL = READ_FILE | READ_DIR | WRITE_FILE | IOCTL_DEV
    OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # others are for folders


_DEV = Path("/dev")
_SHARED_MEMORY = _DEV / "shm"
_DEVICES = (
    *("null", "zero", "random", "urandom"),  # Python, OpenSSL, torch
    *("nvidia*", "dri", "kfd", "dxg"),  # NVIDIA, Mesa, AMD's compute, Windows' GPU inside WSL
)
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/opt", "/proc", "/sys")


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def confine(read: Iterable[Path], write: Iterable[Path]) -> bool:
    """Give up every file, TCP port and foreign process but these, for good and for all children.

    A runner does it first of all, ``confine(read=system_paths(), write=[*roots, *private])``, with
    a model folder that lies elsewhere among `read`. The kernel confines the calling thread and what
    comes of it, hence the process must have no other yet, and importing numpy or torch starts some.
    What is open stays open. Root keeps its powers over files and no others. GPUs and ``/dev/shm``
    are allowed besides; ``/tmp`` is not: by then TMPDIR, CUDA_CACHE_PATH and HF_HOME should name
    private folders.

    Args:
        read: Files and folders, with all beneath, to read and to run programs from.
        write: The same to read, make, change and remove files and folders in; programs there do
            not run. Of both lists, what does not exist is passed over.

    Returns:
        Whether it is so: False where this kernel has no Landlock.

    Raises:
        RuntimeError: The process has more than one thread.
        OSError: The kernel refused.
    """
    threads = len([*Path("/proc/self/task").iterdir()])
    if threads > 1:
        raise RuntimeError(f"only one of {threads} threads would be confined; do it before others")
    abi = landlock_abi()
    if abi == 0:
        return False
    known = _Right((1 << _RIGHTS[abi]) - 1)
    word = ctypes.sizeof(ctypes.c_uint64)
    attributes, size = _Ruleset(int(known)), word
    if abi >= 4:
        attributes.handled_access_net, size = _BIND_AND_CONNECT_TCP, 2 * word
    if abi >= 6:
        attributes.scoped, size = _ABSTRACT_SOCKETS_AND_SIGNALS, 3 * word
    ruleset = _call("syscall", _CREATE_RULESET, ctypes.byref(attributes), size, 0)
    try:
        for path in read:
            _allow(ruleset, path, _Right.READ & known)
        for path in (*write, _SHARED_MEMORY):
            _allow(ruleset, path, _Right.WRITE & known)
        for pattern in _DEVICES:
            for path in _DEV.glob(pattern):
                _allow(ruleset, path, _Right.CONTROL & known)
        _drop_capabilities()
        _call("prctl", _SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _call("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def landlock_abi() -> int:
    """The kernel's version of Landlock, as far as it is known here: 1 to 7, or 0 for none.

    Raises:
        OSError: The kernel gave another reason than its absence.
    """
    try:
        return min(_call("syscall", _CREATE_RULESET, None, 0, _TELL_VERSION), len(_RIGHTS) - 1)
    except OSError as error:
        # EPERM: a container's filter of system calls that is older than Landlock.
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return 0
        raise


def system_paths() -> tuple[Path, ...]:
    """What Python, torch, CUDA, OpenImageIO and this package read: none of it a user's own.

    ``/proc`` is in it because torch reads of the processor and the process there. Of other
    processes it tells the command lines; the kernel keeps their memory, environment and open files
    from whoever is confined. Left out of Python's path are the current folder, which ``python -m``
    puts there unasked unless it runs with ``-P``, and whatever holds the user's home.
    """
    home, here = home_folder(), current_folder()
    searched = (*sys.path, *os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    extra = [Path(os.path.realpath(entry)) for entry in searched if entry.startswith("/")]
    if here is not None and not sys.flags.safe_path:
        extra = [path for path in extra if path != here]
    if home is not None:
        extra = [path for path in extra if not home.is_relative_to(path)]
    package = Path(__file__).parents[1]
    paths = [Path(sys.prefix), Path(sys.base_prefix), package, *extra, *map(Path, _SYSTEM)]
    return tuple(dict.fromkeys([*paths, *Path("/run").glob("nvidia*")]))


def _allow(ruleset: int, path: Path, rights: _Right) -> None:
    """Allow a path and all beneath, unless it does not exist or cannot be reached anyway."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _Right.OF_A_FILE
        rule = _PathBeneath(int(rights), descriptor)
        _call("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)


def _drop_capabilities() -> None:
    """Give up root's powers but those over files: others lead round Landlock, or load a kernel."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: low words, then high
    _call("capget", header, sets)
    for index, held in enumerate(sets):
        sets[index] = held & _TO_FILES_OF_OTHERS if index < 3 else 0
    _call("capset", header, sets)


def _call(function: str, *arguments: object) -> int:
    """Call a function of the C library.

    Raises:
        OSError: It failed.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), function)
    call.restype = ctypes.c_int  # what these calls give is 0, a descriptor or a version
    returned: int = call(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} ({function})")
    return returned
