"""Finished frames by content, on a disk that may be small, shared and damaged."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worker.small_disk import on_small_disk

from lumivid_fx.errors import DiskFullError, InputError
from lumivid_fx.worker.result_cache import ResultCache

MANY = 1 << 30


def key(number: int) -> str:
    """A key of its own for each number."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def frame(folder: Path, number: int, size: int = 1000) -> Path:
    """A file that stands for a frame."""
    path = folder / f"frame.{number}"
    path.write_bytes(hashlib.shake_128(str(number).encode()).digest(size))
    return path


def numbers(cache: ResultCache) -> list[int]:
    """What of the first hundred keys there is, last used last."""
    known = {f"{key(n)[2:]}.frame": n for n in range(100)}
    return [known[entry.path.name] for entry in cache.entries()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the cache lies, which does not exist yet."""
    return tmp_path / "cache"


def test_what_was_kept_comes_back(tmp_path: Path, folder: Path) -> None:
    """The same bytes under the key, none under another, and nothing is lost by a new start."""
    cache = ResultCache(folder, MANY)
    assert not cache.fetch(key(1), tmp_path / "out" / "a.exr")
    assert not (tmp_path / "out").exists()
    cache.keep(key(1), frame(tmp_path, 1))
    for each in (cache, ResultCache(folder, MANY)):
        out = tmp_path / "out" / "a.exr"
        assert each.fetch(key(1), out)
        assert out.read_bytes() == frame(tmp_path, 1).read_bytes()
        assert not each.fetch(key(2), tmp_path / "b.exr")
        out.unlink()
    assert not (tmp_path / "b.exr").exists()
    entry = folder / key(1)[:2] / f"{key(1)[2:]}.frame"
    content = frame(tmp_path, 1).read_bytes()
    assert entry.read_bytes() == hashlib.sha256(content).digest() + content
    assert entry.parent.stat().st_mode & 0o777 == 0o700


@given(st.integers(0, 1031), st.integers(1, 255))
def test_any_damage_is_seen(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    """Whichever byte is another, the entry is a miss, and is gone; the frame may be kept anew."""
    tmp_path = tmp_path_factory.mktemp("damage")
    cache = ResultCache(tmp_path / "cache", MANY)
    source = frame(tmp_path, 1)
    cache.keep(key(1), source)
    entry = cache.entries()[0].path
    content = bytearray(entry.read_bytes())
    content[place] ^= change
    entry.write_bytes(content)
    assert not cache.fetch(key(1), tmp_path / "a.exr")
    assert not (tmp_path / "a.exr").exists()
    assert not cache.entries()
    cache.keep(key(1), source)
    assert cache.fetch(key(1), tmp_path / "a.exr")


@pytest.mark.parametrize("length", [0, 31, 32, 500, 1031])
def test_a_cut_entry_is_seen(tmp_path: Path, folder: Path, length: int) -> None:
    """What a file system lost after a power cut is a miss."""
    cache = ResultCache(folder, MANY)
    cache.keep(key(1), frame(tmp_path, 1))
    os.truncate(cache.entries()[0].path, length)
    assert not cache.fetch(key(1), tmp_path / "a.exr")
    assert not cache.entries()


def test_a_target_is_whole_or_as_it_was(tmp_path: Path, folder: Path) -> None:
    """A damaged entry leaves an earlier file alone; one that cannot be written is an error."""
    cache = ResultCache(folder, MANY)
    cache.keep(key(1), frame(tmp_path, 1))
    (tmp_path / "a.exr").write_bytes(b"before")
    with pytest.raises(InputError, match="cannot be written"):
        cache.fetch(key(1), tmp_path / "a.exr" / "b.exr")
    os.truncate(cache.entries()[0].path, 100)
    assert not cache.fetch(key(1), tmp_path / "a.exr")
    assert (tmp_path / "a.exr").read_bytes() == b"before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.exr", "cache", "frame.1"]


def test_what_was_used_last_stays(tmp_path: Path, folder: Path) -> None:
    """Over the limit those go that were neither kept nor fetched for the longest time."""
    cache = ResultCache(folder, 10 * 1032)
    for number in range(10):
        cache.keep(key(number), frame(tmp_path, number))
    assert cache.usage().count == 10
    assert cache.fetch(key(0), tmp_path / "a.exr")
    cache.keep(key(10), frame(tmp_path, 10))
    # Room is made for a while: to nine tenths of the limit.
    assert numbers(cache) == [3, 4, 5, 6, 7, 8, 9, 0, 10]
    assert cache.usage().size == 9 * 1032


def test_another_process_is_counted(tmp_path: Path, folder: Path) -> None:
    """Two that share a folder overshoot by a tenth of the limit each at the most."""
    limit = 20 * 1032
    caches = [ResultCache(folder, limit), ResultCache(folder, limit)]
    for number in range(100):
        caches[number % 2].keep(key(number), frame(tmp_path, number))
        assert caches[0].usage().size <= limit * 1.2
    assert 99 in numbers(caches[0])


def test_frames_too_large_are_not_kept(tmp_path: Path, folder: Path) -> None:
    """A frame over the whole limit does not drive everything else out."""
    cache = ResultCache(folder, 3000)
    cache.keep(key(1), frame(tmp_path, 1))
    cache.keep(key(2), frame(tmp_path, 2, 3000))
    assert numbers(cache) == [1]


def test_prune_clear_and_usage(tmp_path: Path, folder: Path) -> None:
    """The first used go first; files that are none of ours stay."""
    cache = ResultCache(folder, MANY)
    empty = cache.usage()
    assert (empty.count, empty.size, empty.oldest, empty.newest) == (0, 0, None, None)
    for number in range(5):
        cache.keep(key(number), frame(tmp_path, number))
        os.utime(folder / key(number)[:2] / f"{key(number)[2:]}.frame", (100 + number,) * 2)
    usage = cache.usage()
    assert (usage.count, usage.size) == (5, 5 * 1032)
    assert (usage.oldest, usage.newest) == (100, 104)
    cache.prune(2 * 1032 + 5)
    assert numbers(cache) == [3, 4]
    foreign = [folder / "note.txt", folder / key(4)[:2] / "note.txt"]
    for path in foreign:
        path.write_text("keep me")
    cache.clear()
    assert cache.usage().count == 0
    assert sorted(p for p in folder.rglob("*") if p.is_file()) == sorted(foreign)


def test_leftovers_are_cleared_away(tmp_path: Path, folder: Path) -> None:
    """What a killed process left goes when it is old, and never counts."""
    cache = ResultCache(folder, MANY)
    cache.keep(key(1), frame(tmp_path, 1))
    shelf = folder / key(1)[:2]
    old, young = (shelf / f".{key(1)[2:]}.{part}.frame" for part in ("00000000", "11111111"))
    for path in (old, young):
        path.write_bytes(bytes(99))
    os.utime(old, (5, 5))
    assert ResultCache(folder, MANY).usage().size == 1032
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("wrong", ["", "ab", "../../etc/passwd", "A" * 64, f"{'0' * 63}\n"])
def test_a_key_is_a_digest(folder: Path, tmp_path: Path, wrong: str) -> None:
    """Nothing else becomes a path."""
    cache = ResultCache(folder, MANY)
    with pytest.raises(ValueError, match="no SHA-256"):
        cache.fetch(wrong, tmp_path / "a.exr")
    with pytest.raises(ValueError, match="no SHA-256"):
        cache.keep(wrong, tmp_path / "a.exr")


def test_trouble_with_the_folder_is_no_failure(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that cannot be written, or a frame that is gone, is told to the log alone."""
    folder.write_text("a file in its place")
    cache = ResultCache(folder, MANY)
    cache.keep(key(1), frame(tmp_path, 1))
    assert "a frame was not kept in the cache" in caplog.text
    assert not cache.fetch(key(1), tmp_path / "a.exr")
    folder.unlink()
    cache.keep(key(2), tmp_path / "gone")
    assert not cache.entries()


def test_a_full_disk(tmp_path: Path, folder: Path) -> None:
    """Keeping is given up without a trace; fetching to a full disk is told as that."""
    ResultCache(folder, MANY).keep(key(1), frame(tmp_path, 1, 100_000))
    (tmp_path / "small").mkdir()
    on_small_disk(
        tmp_path / "small",
        "300k",
        f"""
from lumivid_fx.errors import DiskFullError
from lumivid_fx.worker.result_cache import ResultCache

small = ResultCache(disk / "cache", 1 << 30)
small.keep("{key(2)}", Path("{frame(tmp_path, 2)}"))
fill()
small.keep("{key(1)}", Path("{frame(tmp_path, 1, 100_000)}"))
assert small.usage().count == 1, small.usage()
assert small.fetch("{key(2)}", Path("{tmp_path}/a.exr"))
try:
    ResultCache(Path("{folder}"), 1 << 30).fetch("{key(1)}", disk / "a.exr")
except DiskFullError:
    pass
else:
    raise AssertionError("there was room")
left = [p.name for p in disk.rglob("*") if p.is_file()]
assert sorted(left) == sorted(["filler", "{key(2)[2:]}.frame"]), left
""",
    )
    assert DiskFullError.code == "E_DISK_FULL"


def test_processes_may_share_it(tmp_path: Path, folder: Path) -> None:
    """Two at once keep, fetch and make room; no frame comes out damaged."""
    script = f"""
import sys
from pathlib import Path
from tests.worker.test_result_cache import frame, key
from lumivid_fx.worker.result_cache import ResultCache

own = Path(sys.argv[1])
own.mkdir()
cache = ResultCache(Path({str(folder)!r}), 30 * 1032)
hits = 0
for turn in range(4):
    for number in range(40):
        source = frame(own, number)
        if cache.fetch(key(number), own / "out"):
            hits += 1
            assert (own / "out").read_bytes() == source.read_bytes()
        else:
            cache.keep(key(number), source)
print(hits)
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / name)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    for process in both:
        out, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert "damaged" not in said
        assert out.strip().isdecimal()
    assert ResultCache(folder, MANY).usage().size <= 30 * 1032 * 1.2
