"""``lumivid review`` refuses in a sentence; that it shows what it should, tests/review looks at."""

from __future__ import annotations

import socket
from pathlib import Path

from PyOpenColorIO import ColorSpace, Config
from tests.cli.plates import lumivid, the_sentence
from tests.review.plates import turning, write_plates


def refused(*arguments: str | Path) -> str:
    """The sentence that the command ends with, whatever it told before of what it opened."""
    result = lumivid("review", *arguments, "--no-browser")
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    return result.stderr


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """Plates, source and space that are not there, each with what to do."""
    plates = write_plates(tmp_path / "hdr", turning(1))
    result = lumivid("review", tmp_path / "none.####.exr", "--no-browser")
    assert "matches no file" in the_sentence(result)
    assert "check the path" in refused(plates, "--source", tmp_path / "none.mp4")
    assert "the nearest are" in refused(plates, "--space", "linear_none")


def test_a_config_without_a_view_is_told(tmp_path: Path) -> None:
    """There is nothing to look through."""
    plates = write_plates(tmp_path / "hdr", turning(1))
    config = Config()
    config.setVersion(2, 1)
    config.addColorSpace(ColorSpace(name="Linear Rec.709 (sRGB)", encoding="scene-linear"))
    config.setRole("scene_linear", "Linear Rec.709 (sRGB)")
    path = tmp_path / "config.ocio"
    path.write_text(config.serialize(), "utf-8")
    assert "has no SDR view" in refused(plates, "--ocio", path, "--space", "scene_linear")


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """The remedy is in the sentence."""
    plates = write_plates(tmp_path / "hdr", turning(1))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "name another with --port" in refused(plates, "--port", str(port))
