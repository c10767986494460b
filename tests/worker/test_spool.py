"""Pixels on their way in and out: whole or absent, in order, and within the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.worker.faults.disk import small_disk

from lumivid_fx.errors import DiskFullError
from lumivid_fx.protocol.messages import PixelSource
from lumivid_fx.worker.spool import Spool, Upload

SOURCE = PixelSource(width=4, height=3, channels=3, first=-1, count=3)
SIZE = SOURCE.frame_bytes


def content(frame: int) -> bytes:
    """Bytes that tell frames and places apart."""
    return bytes((7 * frame + place) % 256 for place in range(SIZE))


def test_frames_come_in_pieces(tmp_path: Path) -> None:
    """Each piece says how much is held by now; the last makes the frame a whole file."""
    upload = Upload(tmp_path, SOURCE)
    for frame in (-1, 0, 1):
        assert upload.need == frame
        whole = content(frame)
        assert upload.put(frame, 0, whole[:10]) == (10, False)
        assert not (tmp_path / "in" / f"{frame}.f16").exists()
        assert upload.put(frame, 10, memoryview(whole)[10:]) == (SIZE, True)
        assert (tmp_path / "in" / f"{frame}.f16").read_bytes() == whole
    assert upload.need is None
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["-1.f16", "0.f16", "1.f16"]


def test_upload_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Whole frames are kept, a part of one is not, whether the process or the client is new."""
    upload = Upload(tmp_path, SOURCE)
    upload.put(-1, 0, content(-1))
    upload.put(0, 0, content(0)[:5])
    assert Upload(tmp_path, SOURCE).need == 0
    upload.restart()
    assert upload.put(0, 0, content(0)) == (SIZE, True)
    assert (tmp_path / "in" / "0.f16").read_bytes() == content(0)


@pytest.mark.parametrize(
    ("frame", "offset", "size"),
    [(0, 0, 5), (-1, 4, 5), (-1, 6, 5), (-1, 5, SIZE), (2, 5, 5), (-1, 0, SIZE + 1)],
    ids=["next frame", "overlap", "gap", "too long", "no frame", "too long at once"],
)
def test_piece_in_the_wrong_place_is_refused(
    tmp_path: Path, frame: int, offset: int, size: int
) -> None:
    """The frame then starts anew, and what was whole stays."""
    upload = Upload(tmp_path, SOURCE)
    upload.put(-1, 0, content(-1)[:5])
    with pytest.raises(ValueError, match=r"frame -1 from byte \d was expected"):
        upload.put(frame, offset, bytes(size))
    assert upload.put(-1, 0, content(-1)) == (SIZE, True)
    assert (tmp_path / "in" / "-1.f16").read_bytes() == content(-1)


def test_full_disk_keeps_what_is_whole(tmp_path: Path) -> None:
    """The frame that finds no room leaves nothing, the ones before stay, and it may come again."""
    source = PixelSource(width=512, height=512, channels=4, first=1, count=3)
    with small_disk(tmp_path / "disk", "3m") as small:  # one frame of 2 MiB, and not two
        disk = small.seen
        upload = Upload(disk, source)
        assert upload.put(1, 0, bytes(source.frame_bytes)) == (source.frame_bytes, True)
        with pytest.raises(DiskFullError, match="frame 2 of the plate found no room"):
            upload.put(2, 0, bytes(source.frame_bytes))
        assert [p.name for p in (disk / "in").iterdir()] == ["1.f16"]
        (disk / "in" / "1.f16").unlink()
        assert upload.put(2, 0, bytes(source.frame_bytes)) == (source.frame_bytes, True)


def test_pixels_are_seen_without_a_copy(tmp_path: Path) -> None:
    """A view of the file outlives its name; a file of another size is not sent."""
    spool = Spool(tmp_path)
    path = tmp_path / "1.f16"
    path.write_bytes(b"half floats")
    view = spool.open(str(path), 11)
    assert view is not None
    spool.drop(str(path))
    assert not path.exists()
    assert view[:] == b"half floats"
    path.write_bytes(b"more half floats")
    assert spool.open(str(path), 11) is None
    assert spool.open(str(tmp_path / "2.f16"), 11) is None


def test_spool_removes_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    """What is acknowledged of a path that lies elsewhere stays, and is not read either."""
    spool = Spool(tmp_path / "spool")
    elsewhere = tmp_path / "1.f16"
    elsewhere.write_bytes(b"half floats")
    (spool.of("a")).mkdir()
    (spool.of("a") / "out").symlink_to(tmp_path)
    (spool.of("a") / "1.f16").symlink_to(elsewhere)
    for path in (
        elsewhere,
        spool.of("a") / "../../1.f16",
        spool.of("a") / "out" / "1.f16",
        spool.of("a") / "1.f16",
        spool.of(""),
    ):
        assert spool.open(str(path), 11) is None
        spool.drop(str(path))
        assert elsewhere.exists()
    (spool.of("a") / "out").unlink()
    for job in ("a", "b"):
        (spool.of(job) / "in").mkdir(parents=True)
        (spool.of(job) / "out").mkdir()
    assert sorted(spool.jobs()) == ["a", "b"]
    spool.remove("b")
    assert spool.jobs() == ["a"]
    spool.remove_plate("a")
    assert [p.name for p in spool.of("a").iterdir()] == ["out"]
    spool.remove("a")
    assert not spool.of("a").exists()
