"""What the server refuses before there is a job."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lumivid_fx.errors import InputError
from lumivid_fx.protocol.messages import PathSource, PixelSource, Request, Settings
from lumivid_fx.worker.admission import check_request
from lumivid_fx.worker.roots import Roots
from lumivid_fx.worker.spool import Spool


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a plate's name in it."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def check(root: Path, **changes: object) -> None:
    """Check a request that is sound but for the changes."""
    sound = Request(source=PathSource(path=f"{root}/p.mp4"), target=f"{root}/out/")
    request = msgspec.structs.replace(sound, **changes)
    check_request(request, Roots([root], [root.parent / "keys"]), Spool(root.parent / "spool"))


@pytest.mark.parametrize(
    "frames",
    [None, "1-10000", "7", "-5-5", "-5--2", " 1001-1049 ", "1-100x2", "1-10,20,30-40x5"],
)
def test_sound_requests_pass(root: Path, frames: str | None) -> None:
    """A range with its ends in order, or none."""
    check(root, frames=frames)
    check(root, frames=frames, deliver="pixels", target=None)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ("10-9", "E_RANGE"),
        ("", "E_RANGE"),
        ("1-10z2", "E_RANGE"),
        ("1,,2", "E_RANGE"),
        ("1-9,20-10", "E_RANGE"),
        ("1-99999999999999", "E_RANGE"),
        ("1-10001", "E_LIMIT"),
        ("1-6000,7001-13000", "E_LIMIT"),
        ("1-1000000", "E_LIMIT"),
    ],
)
def test_ranges_are_refused(root: Path, frames: str, code: str) -> None:
    """Backwards, with holes, or far too long: said at once."""
    with pytest.raises(InputError, match="frame range") as refused:
        check(root, frames=frames)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("target", "the output"),
        ("model", "the model"),
        ("lora", "the LoRA"),
        ("ocio", "the OCIO config"),
    ],
)
def test_every_path_is_looked_at(root: Path, field: str, what: str) -> None:
    """No path of a request leads out of the roots."""
    with pytest.raises(InputError, match=what) as refused:
        check(root, **{field: "/etc/passwd"})
    assert refused.value.code == "E_PATH"


def test_source_is_looked_at(root: Path) -> None:
    """Neither does the plate's own."""
    with pytest.raises(InputError, match="the plate") as refused:
        check(root, source=PathSource(path=f"{root}/../../etc/passwd"))
    assert refused.value.code == "E_PATH"


def test_path_delivery_needs_a_target(root: Path) -> None:
    """There is no place to write to unless one is named."""
    with pytest.raises(InputError, match="no output"):
        check(root, target=None)


def test_pixels_have_no_mask(root: Path) -> None:
    """It is a channel of files; that it would be missing is said at once."""
    check(root, settings=Settings(generated=True))
    with pytest.raises(InputError, match="carry no channel of what was") as refused:
        check(root, deliver="pixels", target=None, settings=Settings(generated=True))
    assert refused.value.code == "E_INPUT"


def test_gigantic_frames_are_refused(root: Path) -> None:
    """The size is judged by arithmetic, before there is a byte."""
    source = PixelSource(width=16384, height=16384, channels=4, first=1, count=1)
    with pytest.raises(InputError, match="16384 x 16384") as refused:
        check(root, source=source, settings=Settings(input_space="srgb"))
    assert refused.value.code == "E_LIMIT"


def test_pixels_without_a_space_are_refused(root: Path) -> None:
    """Nothing in a row of numbers says what space they are in."""
    source = PixelSource(width=4, height=4, channels=3, first=1, count=1)
    with pytest.raises(InputError, match="the input space of pixels"):
        check(root, source=source)
    check(root, source=source, settings=Settings(input_space="srgb"))


def test_plate_that_finds_no_room_is_refused(root: Path) -> None:
    """Ten thousand frames of 8K are five and a half terabytes: said before the first is sent."""
    source = PixelSource(width=8192, height=4320, channels=4, first=1, count=10_000)
    with pytest.raises(InputError, match="no room") as refused:
        check(root, source=source, settings=Settings(input_space="srgb"))
    assert refused.value.code == "E_DISK_FULL"
