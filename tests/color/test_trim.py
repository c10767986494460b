"""Trims as files: what is written is what OpenColorIO reads, and what is read is what it does."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import PyOpenColorIO
import pytest

from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.color.trim import (
    TRIM_FORMATS,
    apply_trim,
    cube_error,
    cube_text,
    exposure,
    read_trim,
    trim_text,
)
from lumivid_fx.errors import InputError

LIGHT = np.array([[0.18, 0.18, 0.18], [-0.2, 0.0, 55.0], [1e-4, 3.0, 0.5]], np.float32)

ASC = """<ColorCorrectionCollection xmlns="urn:ASC:CDL:v1.01">{}</ColorCorrectionCollection>"""
ONE = """<ColorCorrection id="{name}"><SOPNode><Slope>{slope}</Slope><Offset>{offset}</Offset>
<Power>{power}</Power></SOPNode><SatNode><Saturation>{sat}</Saturation></SatNode></ColorCorrection>
"""


def correction(
    name: str = "a",
    slope: str = "1 1 1",
    offset: str = "0 0 0",
    power: str = "1 1 1",
    sat: str = "1",
) -> str:
    """One ASC correction as another package would write it."""
    return ONE.format(name=name, slope=slope, offset=offset, power=power, sat=sat)


@pytest.mark.parametrize("suffix", TRIM_FORMATS)
@pytest.mark.parametrize("stops", [1.0, -2.5, 1 / 3])
def test_an_exposure_goes_there_and_back(tmp_path: Path, suffix: str, stops: float) -> None:
    """Each kind of file holds slope 2^stops and nothing else, and says that light is linear."""
    path = tmp_path / f"t{suffix}"
    path.write_text(trim_text(stops, suffix), "utf-8")
    root = ET.fromstring(path.read_text("utf-8"))  # noqa: S314 our own
    found = {tag.tag.split("}")[-1]: tag.text for tag in root.iter()}
    assert [float(part) for part in str(found["Slope"]).split()] == pytest.approx([2**stops] * 3)
    assert (found["Offset"], found["Power"], found["Saturation"]) == ("0 0 0", "1 1 1", "1")
    assert "scene-linear light" in str(found["Description"])
    back = read_trim(path)
    assert back.stops == pytest.approx(stops, abs=1e-6)
    # By OpenColorIO alone, as another package would: ASC's own clamp is its default for CDL.
    processor = PyOpenColorIO.Config.CreateRaw().getProcessor(
        PyOpenColorIO.FileTransform(str(path))
    )
    assert np.allclose(
        np.array(processor.getDefaultCPUProcessor().applyRGB([0.1, 0.2, 0.3])),
        np.array([0.1, 0.2, 0.3]) * 2**stops,
        rtol=1e-5,
    )


def test_an_exposure_is_the_same_in_every_space() -> None:
    """It keeps light above 1 and below 0, bit for bit in whole stops, wherever it is applied."""
    spaces, trim = ColorSpaces(), exposure(1)
    assert np.array_equal(apply_trim(spaces, LIGHT, "lin_rec709", trim), LIGHT * 2)
    in_ap1 = apply_trim(spaces, LIGHT, "lin_rec709", trim, "acescg")
    assert np.allclose(in_ap1, LIGHT * 2, rtol=1e-5, atol=1e-5)


def test_a_grade_needs_its_space(tmp_path: Path) -> None:
    """A CDL that does more is applied in the space that is named, exactly, and in no other."""
    path = tmp_path / "grade.ccc"
    path.write_text(ASC.format(correction(slope="1.1 1 0.9", offset="0.01 0 0", sat="1.2")))
    spaces, trim = ColorSpaces(), read_trim(path)
    assert trim.gain is None
    with pytest.raises(InputError, match=r"grade\.ccc does more than expose.*--trim-space"):
        apply_trim(spaces, LIGHT, "lin_rec709", trim)
    found = apply_trim(spaces, LIGHT, "lin_rec709", trim, "acescct")
    codes = spaces.convert(LIGHT, "lin_rec709", "acescct")
    graded = codes * [1.1, 1, 0.9] + [0.01, 0, 0]
    luma = (graded @ [0.2126, 0.7152, 0.0722])[:, None]
    wanted = spaces.convert(
        (luma + 1.2 * (graded - luma)).astype(np.float32), "acescct", "lin_rec709"
    )
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert found[1].min() < 0  # no clamp of ASC's


def test_a_coloured_gain_needs_its_space_too(tmp_path: Path) -> None:
    """Red times two is another light in another gamut."""
    path = tmp_path / "warm.cc"
    path.write_text(correction(slope="2 1 0.5"))
    trim = read_trim(path)
    assert trim.gain == (2.0, 1.0, 0.5)
    with pytest.raises(InputError, match="--trim-space"):
        apply_trim(ColorSpaces(), LIGHT, "lin_rec709", trim)
    assert np.allclose(
        apply_trim(ColorSpaces(), LIGHT, "acescg", trim, "acescg"), LIGHT * [2, 1, 0.5], atol=1e-6
    )


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.cdl", None, "does not exist"),
        ("a.txt", "", "is no trim; give one of"),
        ("a.cc", "<not xml", "cannot be read as ColorCorrection"),
        ("a.clf", "nothing", "cannot be read as Academy"),
        ("a.ccc", ASC.format(correction("a") + correction("b")), "holds 2 corrections"),
    ],
)
def test_what_is_no_trim(tmp_path: Path, name: str, text: str | None, told: str) -> None:
    """One sentence says why."""
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=told):
        read_trim(tmp_path / name)


def test_a_trim_has_an_ending() -> None:
    """What is written goes by the name."""
    with pytest.raises(InputError, match=r"cannot be written as '\.xml'"):
        trim_text(1, ".xml")


@pytest.mark.parametrize("fed", ["logc3_rec709", "acescct"])
def test_a_baked_lut_is_near_what_it_stands_for(tmp_path: Path, fed: str) -> None:
    """Its samples are exact, and what lies between is as near as it says it is."""
    spaces, trim, view = ColorSpaces(), exposure(-1), "sRGB - Display/ACES 1.0 - SDR Video"
    path = tmp_path / "box.cube"
    path.write_text(cube_text(spaces, trim, view, input_space=fed, size=33), "utf-8")
    processor = PyOpenColorIO.Config.CreateRaw().getProcessor(
        PyOpenColorIO.FileTransform(str(path))
    )
    for code in (0.0, 12 / 32, 20 / 32, 1.0):
        grey = np.full((1, 3), code, np.float32)
        light = spaces.convert(grey, fed, "lin_rec709") / np.float32(2)
        wanted = spaces.linear_to_display(light, view)[0]
        shown = processor.getDefaultCPUProcessor().applyRGB([code] * 3)
        assert np.allclose(shown, wanted, atol=2e-6)  # seven decimals in the file
    error = cube_error(path, spaces, trim, view, input_space=fed)
    assert error.greys < 1 / 255
    assert error.colours < 1 / 255
    coarser = tmp_path / "coarser.cube"
    coarser.write_text(cube_text(spaces, trim, view, input_space=fed, size=17), "utf-8")
    assert cube_error(coarser, spaces, trim, view, input_space=fed).greys > error.greys


def test_a_linear_lut_is_refused() -> None:
    """Its samples would all lie in the highlights."""
    with pytest.raises(InputError, match="is linear, and a LUT of it"):
        cube_text(ColorSpaces(), exposure(0), "srgb", input_space="acescg", size=9)
