"""Deliveries, by other readers than ours: known light in known codes, and what stands beside it.

Movies are decoded by the ffmpeg program; what their codes mean is worked out here, from ITU-R
BT.2100-2 and H.273, and not by the code under test.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.cli.plates import files, lumivid, the_sentence
from tests.media.exr_reader import header_of, pixels_of
from tests.media.ffmpeg import run
from tests.review.plates import FIRST, HEIGHT, WIDTH, turning, write_plates

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import RenderError
from lumivid_fx.media.light_movie import Shown
from lumivid_fx.media.movie_writer import write_movie
from lumivid_fx.media.plate import FloatImage
from lumivid_fx.review.deliver import MOVIES
from lumivid_fx.review.read_back import ReadBack, Verified, known_light

Array = npt.NDArray[np.float64]

GREYS = [0.0, 0.5, 5.0, 26.0, 48.0, 100.0, 203.0, 400.0, 700.0, 1000.0]
"""Grey patches in cd/m2, each a power of two from half floats' grid at most 0.05 % off."""

COLOURS = [(60, 0, 0), (0, 60, 0), (0, 0, 60), (0, 200, 200), (200, 0, 200), (200, 200, 0)]
"""Primaries of Rec.2020 and their sums, cd/m2 of each channel."""

EDGE = 32
KR, KB = 0.2627, 0.0593  # ITU-R BT.2100-2, table 6
NITS = np.array([(grey,) * 3 for grey in GREYS] + COLOURS, np.float64)
TIMECODE = (0x01020304, 0)  # 01:02:03:04


def patches() -> FloatImage:
    """All patches side by side, as linear Rec.2020 with 1.0 at 100 cd/m2."""
    row = (NITS / 100).astype(np.float32).repeat(EDGE, axis=0)
    return np.ascontiguousarray(np.broadcast_to(row, (EDGE, *row.shape)))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two frames of patches with a time code, at 23.976."""
    folder = tmp_path_factory.mktemp("patches")
    return write_plates(
        folder, [patches()] * 2, space="lin_rec2020_scene", more={"smpte:TimeCode": TIMECODE}
    )


def pq(nits: Array) -> Array:
    """SMPTE ST 2084:2014, equation 5.1."""
    y = (nits / 10_000) ** (2610 / 16384)
    code: Array = ((3424 / 4096 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    return code


def hlg(nits: Array) -> Array:
    """ITU-R BT.2100-2, table 5: the inverse OOTF of a monitor of 1000 cd/m2, then the OETF."""
    display = nits / 1000
    luminance = display @ np.array([KR, 1 - KR - KB, KB])
    with np.errstate(divide="ignore"):
        scene = display * np.where(luminance > 0, luminance, 1)[:, None] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    high = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def expected_codes(signal: Array) -> Array:
    """Y', Cb and Cr in 10 bits of limited range, not rounded (ITU-T H.273)."""
    luma = signal @ np.array([KR, 1 - KR - KB, KB])
    cb, cr = (signal[:, 2] - luma) / (2 * (1 - KB)), (signal[:, 0] - luma) / (2 * (1 - KR))
    return np.stack([64 + 876 * luma, 512 + 896 * cb, 512 + 896 * cr], axis=-1)


def decoded(path: Path, pix_fmt: str, size: tuple[int, int]) -> Array:
    """Mean Y', Cb and Cr of each patch of the first frame, in 10-bit steps, by ffmpeg."""
    raw = path.with_suffix(".raw")
    run("-i", str(path), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", pix_fmt, str(raw))
    codes = np.fromfile(raw, "<u2").astype(np.float64) / (4 if "12" in pix_fmt else 1)
    height, width = size
    small = (height // 2, width // 2) if "420" in pix_fmt else size
    planes = np.split(codes, [height * width, height * width + small[0] * small[1]])
    means = []
    for plane, (rows, columns) in zip(planes, (size, small, small), strict=True):
        edge = columns * EDGE // width
        cut = slice(edge // 4, -edge // 4)
        means.append(plane.reshape(rows, -1, edge)[cut, :, cut].mean(axis=(0, 2)))
    return np.stack(means, axis=-1)


def facts(path: Path) -> str:
    """What ffmpeg says of a movie and its first frame."""
    return run("-i", str(path), "-frames:v", "1", "-vf", "showinfo", "-f", "null", "-")


@pytest.mark.parametrize(
    ("kind", "suffix", "pix_fmt", "transfer"),
    [
        ("prores-pq", ".mov", "yuv444p12le", "smpte2084"),
        ("prores-hlg", ".mov", "yuv444p12le", "arib-std-b67"),
        ("hdr10", ".mp4", "yuv420p10le", "smpte2084"),
        ("hlg", ".mp4", "yuv420p10le", "arib-std-b67"),
    ],
)
def test_known_light_by_an_independent_decoder(
    tmp_path: Path, source: str, kind: str, suffix: str, pix_fmt: str, transfer: str
) -> None:
    """A grey ramp and the primaries come back as the codes of their light, within one step."""
    target = tmp_path / f"d{suffix}"
    done = lumivid("deliver", source, target, "--as", kind, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["patch_steps"] < 1
    assert told["timecode"] == "01:02:03:04"
    assert (told["max_cll"], told["above"], told["below"]) == (1000, 0, 0)
    signal = (hlg if "hlg" in kind else pq)(NITS)
    found = decoded(target, pix_fmt, (EDGE, EDGE * len(NITS)))
    # One step: half for rounding, the rest for light as half floats and for the codec.
    assert np.abs(found - expected_codes(signal)).max() < 1
    said = facts(target)
    assert re.search(rf"{pix_fmt[:7]}\w+\(tv, bt2020nc/bt2020/{transfer}", said), said
    assert "23.98 fps" in said
    assert re.search(r"timecode +: 01:02:03:04", said)
    assert ("prores (4444)" if suffix == ".mov" else "hevc (Main 10) (hvc1") in said


def test_hdr10_says_what_it_was_mastered_on(tmp_path: Path, source: str) -> None:
    """Mastering display and light levels, as another reader finds them; the cut is counted."""
    target = tmp_path / "d.mp4"
    told = json.loads(
        lumivid(
            "deliver", source, target, "--as", "hdr10", "--peak", "600", "--stops", "1", "--json"
        ).stdout
    )
    lit = np.minimum(NITS * 2, 600)
    assert told["max_cll"] == 600
    assert told["max_fall"] == pytest.approx(lit.max(axis=1).mean(), abs=1)
    brighter = np.count_nonzero((NITS * 2).max(axis=1) > 600)
    assert told["above"] == 2 * EDGE * EDGE * brighter
    said = facts(target)
    display = re.search(r"Mastering display.*", said)
    assert display, said
    numbers = [float(number) for number in re.findall(r"\d+\.\d+", display[0])]
    # SMPTE ST 2086 of P3-D65: red, green, blue, white, then light from 0.0001 to 600.
    xy = [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329]
    assert max(numbers) == 600
    assert all(min(abs(number - one) for number in numbers) < 1e-4 for one in xy)
    assert re.search(rf"MaxCLL[=:] ?600\b.*MaxFALL[=:] ?{told['max_fall']}\b", said, re.DOTALL)
    found = decoded(target, "yuv420p10le", (EDGE, EDGE * len(NITS)))
    assert np.abs(found - expected_codes(pq(lit))).max() < 1


@pytest.mark.parametrize("view", [None, "sRGB - Display/ACES 1.0 - SDR Video"])
def test_sdr_shows_the_view(tmp_path: Path, source: str, view: str | None) -> None:
    """Eight-bit Rec.709 of what the view makes of the light."""
    target = tmp_path / "d.mp4"
    chosen = ["--view", view] if view else []
    done = lumivid("deliver", source, target, "--as", "sdr", *chosen)
    assert done.exit_code == 0, done.output
    raw = tmp_path / "d.raw"
    run("-i", str(target), "-frames:v", "1", "-f", "rawvideo", str(raw))  # its own yuv420p
    codes = np.fromfile(raw, np.uint8)[: EDGE * EDGE * len(NITS)]
    luma = codes.reshape(EDGE, len(NITS), EDGE)[8:-8, :, 8:-8].mean((0, 2))
    spaces = ColorSpaces()
    light = spaces.convert((NITS / 100).astype(np.float32), "lin_rec2020", "lin_rec709")
    signal = spaces.linear_to_display(light, view or "srgb")
    wanted = 16 + 219 * signal @ np.array([0.2126, 0.7152, 0.0722])
    assert np.abs(luma[: len(GREYS)] - wanted[: len(GREYS)]).max() < 1
    assert "yuv420p(tv, bt709" in facts(target)


@pytest.mark.parametrize(("kind", "space"), [("aces", "AP0"), ("acescg", "AP1")])
def test_linear_frames(tmp_path: Path, kind: str, space: str) -> None:
    """Half floats of the space, its primaries, alpha and time code; ST 2065-4 where all holds."""
    alpha = np.linspace(0, 1, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
    light = turning(2)
    source = write_plates(tmp_path / "in", light, alpha=alpha, more={"smpte:TimeCode": TIMECODE})
    arguments: list[str | Path] = [
        "deliver",
        source,
        tmp_path / "out" / "d.####.exr",
        "--as",
        kind,
        "--json",
    ]
    told = json.loads(lumivid(*arguments).stdout)
    assert told["kept"] == told["clamped"] == 0
    assert told["st_2065_4"] == (kind == "aces")
    first = tmp_path / "out" / f"d.{FIRST}.exr"
    header = header_of(first)
    assert ("acesImageContainerFlag" in header) == (kind == "aces")
    assert str(header["compression"]).split(".")[-1].startswith("NO" if kind == "aces" else "ZIP")
    pixels = pixels_of(first)
    assert pixels.dtype == np.float16
    stored = light[0].astype(np.float16).astype(np.float32)
    names = {"aces": "aces2065-1", "acescg": "acescg"}
    wanted = ColorSpaces().convert(stored, "lin_rec709", names[kind])
    assert np.array_equal(pixels[..., :3], wanted.astype(np.float16))
    assert np.array_equal(pixels[..., 3], alpha.astype(np.float16))
    white = {"AP0": (0.7347, 0.2653), "AP1": (0.713, 0.293)}[space]
    assert np.allclose(np.ravel(header["chromaticities"])[:2], white, atol=1e-4)
    assert json.loads(lumivid(*arguments).stdout)["kept"] == 2
    assert "was made in another way" in the_sentence(lumivid(*arguments[:-1], "--stops", "1"))


def test_a_movie_that_reads_back_wrong_is_not_there(tmp_path: Path) -> None:
    """Other tags, other light and other lengths are told, and leave no file."""
    spaces, path = ColorSpaces(), tmp_path / "d.mov"
    right = MOVIES["prores-pq"]
    codes = right.codes(known_light(right), spaces)

    verified: list[Verified] = []

    def written(show: str, sent: FloatImage, frames: int = 2) -> None:
        reading = ReadBack(MOVIES[show], spaces, frames)
        for place in range(1, frames + 1):
            reading.remember(place, sent)
        write_movie(
            path,
            [codes] * 2,
            Fraction(24),
            kind=right.format,
            check=lambda file: verified.append(
                reading.verify(file, path, Shown(), Fraction(24), None)
            ),
        )

    with pytest.raises(RenderError, match=r"d\.mov was not written.*its tags read"):
        written("prores-hlg", codes)
    with pytest.raises(RenderError, match="its frames read 2, not 3"):
        written("prores-pq", codes, frames=3)
    with pytest.raises(RenderError, match="areas of one colour are off by"):
        written("prores-pq", codes * np.float32(0.99))
    assert files(tmp_path) == []
    written("prores-pq", codes)
    assert files(tmp_path) == ["d.mov"]
    assert [each.frames for each in verified] == [[1, 2]]


def test_patches_go_to_the_peak() -> None:
    """There is a patch of the display's peak, and none above it."""
    for kind, peak in (("hdr10", 600.0), ("hdr10", 10_000.0), ("hlg", 1000.0), ("sdr", 100.0)):
        light = known_light(replace(MOVIES[kind], peak=peak))
        assert float(light.max()) * 100 == pytest.approx(peak)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["d.mp4", "--as", "prores-pq"], "does not end in .mov"),
        (["d.mov", "--as", "hdr10"], "does not end in .mp4"),
        (["d.mp4", "--as", "hlg", "--peak", "600"], "--peak is for PQ"),
        (["d.mp4", "--as", "hlg", "--view", "srgb"], "--view is for sdr"),
        (["d/", "--as", "aces", "--fps", "24"], "--fps is for movies"),
        (
            ["d.mp4", "--as", "sdr", "--view", "Display P3 - Display/Un-tone-mapped"],
            "is for a display of other colours than Rec.709",
        ),
        (["d.mp4", "--as", "sdr", "--input-space", "srgb"], "is not scene-linear"),
        (["there.mp4", "--as", "sdr"], "exists; use --overwrite"),
    ],
)
def test_what_cannot_be_delivered(
    tmp_path: Path, source: str, arguments: list[str], told: str
) -> None:
    """One sentence, exit code 2, and no file."""
    (tmp_path / "there.mp4").write_text("a movie")
    refused = lumivid("deliver", source, tmp_path / arguments[0], *arguments[1:])
    assert refused.exit_code == 2
    assert told in the_sentence(refused)
    assert files(tmp_path) == ["there.mp4"]
