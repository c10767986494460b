"""What files say of their colour, and that what is no space of ours is never taken for one."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lumivid_fx.color.config import WORKING_SPACES
from lumivid_fx.errors import InputError
from lumivid_fx.media import open_plate
from lumivid_fx.media.color_tags import camera_doubt, light_space, tagged_doubt

from .ffmpeg import encode_still
from .files import noise, write_image


def test_every_working_space_has_its_marks() -> None:
    """Each space is known by its primaries and by its interop id."""
    for short, space in WORKING_SPACES.items():
        assert light_space({"colorInteropID": space.interop_id}) == (short, "")
        assert light_space({"chromaticities": space.chromaticities}) == (short, "")


@given(st.sampled_from(sorted(WORKING_SPACES)), st.integers(0, 7), st.floats(-9e-4, 9e-4))
def test_primaries_may_be_rounded(short: str, which: int, error: float) -> None:
    """Chromaticities of three decimals, as many files hold, still name the space."""
    told = list(WORKING_SPACES[short].chromaticities)
    told[which] += error
    assert light_space({"chromaticities": tuple(told)}) == (short, "")


@pytest.mark.parametrize(
    "attributes",
    [{}, {"colorInteropID": "unknown"}, {"chromaticities": (0.64, 0.33)}, {"chromaticities": "x"}],
)
def test_silence_is_linear_rec709(attributes: dict[str, object]) -> None:
    """What says nothing counts as linear Rec.709, without a doubt."""
    assert light_space(attributes) == ("lin_rec709", "")


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"chromaticities": (0.684, 0.313, 0.221, 0.848, 0.0861, -0.102, 0.3127, 0.329)},
         "the primaries of ARRI Wide Gamut 3"),
        ({"chromaticities": (0.6, 0.3, 0.2, 0.7, 0.1, 0.1, 0.33, 0.33)},
         "the primaries of no space that is known"),
        ({"colorInteropID": "ocio:lin_adobergb_scene"}, "colour space ocio:lin_adobergb_scene"),
    ],
)  # fmt: skip
def test_other_light_is_doubted(attributes: dict[str, object], told: str) -> None:
    """A space that is said, and is none of ours, is told by its name."""
    assert told in light_space(attributes)[1]


def test_the_interop_id_is_asked_first() -> None:
    """Where both are given, the identifier says more than the primaries."""
    rec2020 = WORKING_SPACES["lin_rec2020"].chromaticities
    both = {"colorInteropID": "lin_ap1_scene", "chromaticities": rec2020}
    assert light_space(both) == ("acescg", "")
    assert light_space({"colorInteropID": "srgb_rec709_scene"}) == ("srgb", "")


def test_code_points() -> None:
    """Every pair of code points is display-referred Rec.709 or named as what it is."""
    for transfer, primaries in product(range(20), range(14)):
        others = transfer in {8, 9, 10, 16, 17, 18, 19} or primaries in {4, 8, 9, 10, 11, 12, 13}
        assert bool(tagged_doubt(transfer, primaries)) == others


def test_cameras_tell_of_log_beside_the_tags() -> None:
    """Log footage is tagged Rec.709, and called by its name in the camera's own words."""
    assert (
        camera_doubt({"com.arri.camera.ColorGammaSxS": "LOG-C"}) == "says that its gamma is LOG-C"
    )
    assert camera_doubt({"com.arri.camera.ColorGammaSxS": "ITU-R BT.709", "title": "log"}) == ""


@pytest.mark.parametrize(("transfer", "space", "told"), [
    (1, "srgb", "Printing density, which is logarithmic"), (2, "lin_rec709", ""),
    (3, "srgb", "Logarithmic, which is logarithmic"), (6, "srgb", ""),
])  # fmt: skip
def test_transfer_of_dpx(tmp_path: Path, transfer: int, space: str, told: str) -> None:
    """A DPX of film says so at byte 801 (SMPTE ST 268)."""
    path = encode_still(tmp_path / "a.dpx", noise(np.uint16, 3), "gbrp10be")
    content = bytearray(path.read_bytes())
    content[801] = transfer
    path.write_bytes(content)
    plate = open_plate(str(path))
    assert plate.space == space
    assert plate.doubt.endswith(told)


def test_a_doubted_plate_wants_its_space_named(tmp_path: Path) -> None:
    """It opens, and is taken for what somebody says it is, not for what most plates are."""
    path = encode_still(
        tmp_path / "a.png", noise(np.uint16, 3), "rgb48be",
        tags="color_primaries=bt2020:color_trc=smpte2084",
    )  # fmt: skip
    plate = open_plate(str(path))
    with pytest.raises(InputError, match=r"a\.png is tagged PQ, so it is HDR already; convert it"):
        plate.space_or(None)
    assert plate.space_or("acescg") == "acescg"


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_icc_profiles(tmp_path: Path, ending: str) -> None:
    """A profile of sRGB is what we take codes for anyway; one of other primaries is doubted."""
    picture = Image.fromarray(noise(np.uint8, 3))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(tmp_path / f"a.{ending}", icc_profile=srgb)
    assert open_plate(str(tmp_path / f"a.{ending}")).doubt == ""
    wide = bytearray(srgb)
    at = int.from_bytes(wide[srgb.index(b"rXYZ") + 4 :][:4], "big")
    # Adobe RGB's red, adapted to D50: X 0.60974, Y 0.31111, Z 0.01947 as s15Fixed16.
    wide[at + 8 : at + 20] = b"".join(
        round(v * 65536).to_bytes(4, "big") for v in (0.60974, 0.31111, 0.01947)
    )
    green = int.from_bytes(wide[srgb.index(b"gXYZ") + 4 :][:4], "big")
    wide[green + 8 : green + 20] = b"".join(
        round(v * 65536).to_bytes(4, "big") for v in (0.20528, 0.62567, 0.06087)
    )
    picture.save(tmp_path / f"b.{ending}", icc_profile=bytes(wide))
    assert open_plate(str(tmp_path / f"b.{ending}")).doubt == "has the ICC profile 'sRGB built-in'"


def test_float_tiff_is_light(tmp_path: Path) -> None:
    """Floats are light in TIFF as in EXR; values above 1 and below 0 are kept."""
    pixels = np.linspace(-1, 8, 24 * 40 * 3, dtype=np.float32).reshape(24, 40, 3)
    plate = open_plate(str(write_image(tmp_path / "a.tif", pixels)))
    assert plate.space == "lin_rec709"
    assert np.array_equal(plate.read(1).rgb, pixels)


@pytest.mark.parametrize(("name", "mode", "told"), [
    ("a.jpg", "CMYK", "CMYK"), ("a.tif", "CMYK", "CMYK"), ("a.tif", "LAB", "Lab"),
])  # fmt: skip
def test_inks_are_refused(tmp_path: Path, name: str, mode: str, told: str) -> None:
    """What is no RGB is not made RGB of by a guess."""
    Image.fromarray(noise(np.uint8, 3)).convert(mode).save(tmp_path / name)
    with pytest.raises(InputError, match=f"stores {told} colour, which is not read; convert it"):
        open_plate(str(tmp_path / name))
