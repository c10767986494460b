"""Where keys, the worker's address and its state lie, and how they are written and read.

    keys/client.key       this user's key pair            0600
    keys/worker.key       the worker's key pair           0600
    keys/admitted/*.key   public keys that may submit     0600
    run/worker.json       where the worker listens        0600
    state/                journal, spool, log
    cache/                finished frames by content

All folders are 0700. They follow the XDG base directories, on macOS ``~/Library``, on Windows
``%LOCALAPPDATA%``; ``LUMIVID_HOME`` puts all four under one folder. A file is written beside and
renamed, so that it is whole or absent.

Windows knows no modes: there the access list of the user's profile keeps others out, under which
``%LOCALAPPDATA%`` lies. Pythons with the mend for CVE-2024-4030 (3.10.15, 3.11.10, 3.12.4, 3.13)
make the folders private themselves, wherever they lie.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from lumivid_fx.errors import InputError, WireError

NO_HANDLES = (errno.EMFILE, errno.ENFILE)
"""Nothing is known of a file that could not be opened for these reasons."""

HOME = "LUMIVID_HOME"
"""Environment variable: one folder for everything, in place of the system's own places."""

CLIENT_KEY = "client.key"
"""File of this user's key pair in :attr:`Places.keys`."""

_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)
"""What a file system without hard links says."""

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
"""Digits of base 85 (ZeroMQ RFC 32): a CURVE key's 32 bytes are eight times five of them."""

_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")


@dataclass(frozen=True)
class KeyPair:
    """A CURVE25519 key pair in Z85; `secret` never leaves its file and the socket."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"


@dataclass(frozen=True)
class Connection:
    """Where a worker listens, and how to know it.

    Attributes:
        endpoint: Such as ``tcp://127.0.0.1:47800``.
        public_key: The worker's, Z85.
        pid: Its process.
        boot: New at every start.
        versions: Protocol versions it speaks.
    """

    endpoint: str
    public_key: str
    pid: int
    boot: str
    versions: tuple[int, ...]


@dataclass(frozen=True)
class Places:
    """The four folders; see the module."""

    keys: Path
    run: Path
    state: Path
    cache: Path

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ, system: str = sys.platform) -> Places:
        """The folders of this user, which need not exist yet.

        Args:
            environ: Environment variables.
            system: As ``sys.platform`` calls it.
        """
        if environ.get(HOME):
            return cls._under(Path(environ[HOME]).absolute())
        home = Path.home()
        if system == "win32":
            # Not %APPDATA%: that one is copied from machine to machine, and secrets stay.
            local = environ.get("LOCALAPPDATA")
            return cls._under((Path(local) if local else home / "AppData/Local") / "lumivid")
        if system == "darwin":
            own = cls._under(home / "Library/Application Support/lumivid")
            return replace(own, cache=home / "Library/Caches/lumivid/frames")
        state = _xdg(environ, "XDG_STATE_HOME", home / ".local/state")
        return cls(
            keys=_xdg(environ, "XDG_CONFIG_HOME", home / ".config") / "keys",
            run=_xdg(environ, "XDG_RUNTIME_DIR", state),
            state=state,
            cache=_xdg(environ, "XDG_CACHE_HOME", home / ".cache") / "frames",
        )

    @classmethod
    def _under(cls, home: Path) -> Places:
        return cls(home / "keys", home / "run", home / "state", home / "cache")

    @property
    def client_key(self) -> Path:
        """File of this user's key pair."""
        return self.keys / CLIENT_KEY

    @property
    def admitted(self) -> Path:
        """Folder of the public keys that may submit."""
        return self.keys / "admitted"

    @property
    def connection(self) -> Path:
        """File that says where the worker listens."""
        return self.run / "worker.json"


def private_folder(path: Path) -> Path:
    """Make a folder that nobody else can look into; give it back.

    Raises:
        InputError: It belongs to somebody else, or cannot be made.
    """
    try:
        for folder in reversed(path.parents):
            if not folder.exists():  # mkdir's own `parents` would leave these to the umask
                folder.mkdir(mode=0o700, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        if sys.platform != "win32":
            if path.stat().st_uid != os.getuid():
                raise InputError(
                    f"{path} belongs to another user; set {HOME} to a folder of your own"
                )
            path.chmod(0o700)
    except OSError as error:
        raise InputError(
            f"{path} cannot be made ({error.strerror}); set {HOME} to a folder of your own"
        ) from error
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    with _written_beside(path, text) as beside:
        beside.replace(path)


@contextmanager
def _written_beside(path: Path, text: str) -> Iterator[Path]:
    """A whole file of mode 0600 in the folder of `path`, gone at the end unless it was renamed."""
    private_folder(path.parent)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # follows no link
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def read_connection(path: Path) -> Connection:
    """Read where a worker listens.

    Raises:
        WireError: There is no such file, which means that no worker runs, or it is damaged.
    """
    try:
        connection = msgspec.json.decode(path.read_bytes(), type=Connection)
        check_key(connection.public_key)
    except FileNotFoundError:
        raise WireError(no_worker(path)) from None
    except (OSError, ValueError, RecursionError, InputError) as error:
        raise WireError(f"{path} cannot be read ({error}); start the worker again") from error
    return connection


def runs_workers(system: str = sys.platform) -> bool:
    """Whether workers run on a system, as ``sys.platform`` calls it: on Linux alone."""
    return system == "linux"


def no_worker(path: Path, system: str = sys.platform) -> str:
    """What to do where no file says where a worker listens."""
    if runs_workers(system):
        return "no worker is running here; start one with `lumivid worker`"
    return f"no worker is known here, and one runs on Linux alone; put its worker.json at {path}"


def write_connection(path: Path, connection: Connection) -> None:
    """Say where the worker listens."""
    write_private(path, json.dumps(asdict(connection)))


def read_key_pair(path: Path) -> KeyPair | None:
    """Read a key pair; None where there is none yet.

    Raises:
        InputError: The file is damaged, or others may read it.
    """
    try:
        mode = path.stat().st_mode
        pair = msgspec.json.decode(path.read_bytes(), type=KeyPair)
        check_key(pair.public)
        check_key(pair.secret)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, InputError) as error:
        raise InputError(
            f"{path} is no key pair ({error}); delete it and a new one is made"
        ) from error
    if sys.platform != "win32" and mode & 0o077:
        raise InputError(f"{path} may be read by others; run chmod 600 on it, or delete it")
    return pair


def keep_key_pair(path: Path, pair: KeyPair) -> KeyPair:
    """Keep a key pair where its owner alone reads it, unless there is one already.

    Of several processes that make one at the same moment the first wins, and all get its pair. On a
    file system without hard links the last may win.

    Returns:
        The pair that is there from now on.

    Raises:
        InputError: It cannot be written, or what is there already is damaged or open to others.
    """
    try:
        with _written_beside(path, json.dumps(asdict(pair))) as beside:
            _place(beside, path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); free space there or change its rights"
        ) from error
    kept = read_key_pair(path)
    if kept is None:
        raise InputError(f"{path} was removed just when it had been made; run it again")
    return kept


def _place(beside: Path, path: Path) -> None:
    """Put a file at its place, unless there is one."""
    try:
        if sys.platform == "win32":
            beside.rename(path)  # refuses to replace
        else:
            path.hardlink_to(beside)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        beside.replace(path)


def check_key(text: object) -> str:
    """Refuse what is no CURVE key in Z85.

    Raises:
        InputError: It is not 40 characters of Z85.
    """
    if not isinstance(text, str) or len(text) != 40 or not all(map(_is_z85, _fives(text))):
        raise InputError("this is no key: one has 40 characters, as `lumivid keys show` prints it")
    return text


def check_name(name: str) -> str:
    """Refuse what cannot name an admitted key: it becomes a file's name.

    Raises:
        InputError: It is empty, too long, begins with a dot, or holds other characters.
    """
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise InputError(f"{name!r} cannot name a key; use letters, digits and . _ @ -")
    return name


def read_admitted(folder: Path) -> dict[str, str]:
    """The public keys that may submit, and the name of each.

    A file that holds no key, or is named as no key may be, admits nobody.

    Raises:
        OSError: The process has too many files open to say.
    """
    admitted = {}
    for path in sorted(folder.glob("*.key")):
        try:
            if path.is_file():  # reading a pipe would wait for ever
                key = check_key(path.read_text(encoding="utf-8").strip())
                admitted[key] = check_name(path.stem)
        except OSError as error:
            if error.errno in NO_HANDLES:
                raise
        except (UnicodeDecodeError, InputError):
            continue
    return admitted


def _fives(text: str) -> list[str]:
    return [text[at : at + 5] for at in range(0, len(text), 5)]


def _is_z85(five: str) -> bool:
    """Whether five digits stand for four bytes: the highest digits overflow."""
    value = 0
    for each in five:
        digit = _Z85.find(each)
        if digit < 0:
            return False
        value = value * 85 + digit
    return value < 2**32


def _xdg(environ: Mapping[str, str], name: str, otherwise: Path) -> Path:
    base = environ.get(name, "")
    path = Path(base) if base.startswith("/") else otherwise
    return path if path.name == "lumivid" else path / "lumivid"


# msgspec works a type out when it first meets it, and never safely in two threads at once.
for _kind in (Connection, KeyPair):
    msgspec.json.Decoder(_kind)
