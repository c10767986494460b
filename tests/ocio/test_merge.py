"""Ours in a studio's config: added where it is missing, and nothing of the studio's is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PyOpenColorIO
import pytest
from PyOpenColorIO import ColorSpace, Config, ExponentTransform, MatrixTransform
from tests.ocio.configs import CG_CONFIG, COMMITTED, REC709, STUDIO_CONFIGS, Numbers, read, send

from lumivid_fx.color import primaries
from lumivid_fx.color.config import OCIO_ERRORS
from lumivid_fx.color.looks import EXPOSURES, FALSE_COLOUR, exposure_name
from lumivid_fx.color.ocio_merge import Item, Merged, Outcome, merge
from lumivid_fx.color.scene_spaces import LUMIVID_LOGC3, SCENE_SPACES, matrix_transform
from lumivid_fx.color.spaces import ColorSpaces
from lumivid_fx.errors import InputError

SPACES = [space.name for space in SCENE_SPACES]
LOOKS = [*map(exposure_name, EXPOSURES), FALSE_COLOUR]
PUBLISHED = (CG_CONFIG, STUDIO_CONFIGS[1], STUDIO_CONFIGS[-1])
"""OpenColorIO's own, of its first profile with them, of Nuke's, and its newest."""

PROBE = np.random.default_rng(11).uniform(0, 1, (200, 3))

EVERY_SPACE = PyOpenColorIO.SEARCH_REFERENCE_SPACE_ALL, PyOpenColorIO.COLORSPACE_ALL


def results(config: Any) -> dict[str, Numbers | str]:
    """What everything in a config does: spaces, views, looks, named transforms, roles, rules."""
    found: dict[str, Numbers | str] = {}

    def note(name: str, *where: Any) -> None:
        try:
            found[name] = send(config, PROBE, *where)
        except OCIO_ERRORS as error:
            found[name] = str(error)

    for space in config.getColorSpaces(*EVERY_SPACE):
        name, role = space.getName(), "aces_interchange"
        if space.getReferenceSpaceType() == PyOpenColorIO.REFERENCE_SPACE_DISPLAY:
            role = "cie_xyz_d65_interchange"
        note(f"{name} to {role}", name, role)
        note(f"{role} to {name}", role, name)
        found[f"definition of {name}"] = str(space)
    for display in config.getDisplays():
        for name in config.getViews(display):
            view = PyOpenColorIO.DisplayViewTransform("aces_interchange", display, name)
            note(f"{display}/{name}", view)
    for look in config.getLooks():
        transform = PyOpenColorIO.LookTransform("aces_interchange", "aces_interchange")
        transform.setLooks(look.getName())
        note(f"look {look.getName()}", transform)
    for named in config.getNamedTransforms():
        note(f"named {named.getName()}", named, PyOpenColorIO.TRANSFORM_DIR_FORWARD)
    found["roles"] = str([*config.getRoles()])
    found["file rules"] = str(config.getFileRules())
    found["viewing rules"] = str(config.getViewingRules())
    found["search path"] = str(config.getSearchPath())
    found["active"] = f"{[*config.getActiveDisplays()]}, {[*config.getActiveViews()]}"
    found["inactive"] = str(config.getInactiveColorSpaces())
    found["description"] = str((config.getName(), config.getDescription()))
    found["luma"] = str((config.getDefaultLumaCoefs(), config.isStrictParsingEnabled()))
    return found


def require_unchanged(before: Any, after: Any) -> None:
    """Hold everything that was there against what it has become."""
    there = results(after)
    for name, was in results(before).items():
        now = there[name]
        same = was == now if isinstance(was, str) else np.array_equal(was, now, equal_nan=True)
        assert same, name


def config_of(merged: Merged) -> Any:
    """The merged config."""
    return Config.CreateFromStream(merged.text)


def become(merged: Merged) -> dict[str, Item]:
    """What became of each of ours."""
    return {item.name: item for item in merged.items}


def write(config: Any, folder: Path) -> str:
    """Put a config where a studio has it."""
    path = folder / "config.ocio"
    path.write_text(config.serialize(), "utf-8")
    return str(path)


def studio_config(*, interchange: bool = True) -> Any:
    """A small studio's config, whose reference is linear Rec.709 and whose names are its own."""
    config = Config()
    config.setVersion(2, 1)
    config.addColorSpace(ColorSpace(name="scene"))
    to_aces = matrix_transform(primaries.to_aces("Rec.709"))
    config.addColorSpace(ColorSpace(name="exchange", fromReference=to_aces))
    config.addColorSpace(ColorSpace(name="film", toReference=ExponentTransform([2.2, 2.2, 2.2, 1])))
    config.addColorSpace(ColorSpace(name="numbers", isData=True))
    config.setRole("scene_linear", "scene")
    if interchange:
        config.setRole("aces_interchange", "exchange")
    config.addDisplayView("Wall", "Film", "film")
    return config


@pytest.mark.parametrize("source", PUBLISHED)
def test_nothing_of_the_studios_is_changed(source: str, tmp_path: Path) -> None:
    """Every space, view, look, role and rule of OpenColorIO's own configs gives what it gave."""
    merged = merge(source, tmp_path)
    require_unchanged(read(source), config_of(merged))
    after = config_of(merged)
    assert (after.getMajorVersion(), after.getMinorVersion()) == (
        read(source).getMajorVersion(),
        read(source).getMinorVersion(),
    )
    assert (merged.raised, merged.searched) == (False, False)
    after.validate()


def test_check_for_changes_can_fail(tmp_path: Path) -> None:
    """A change in a number of a studio's config would be seen."""
    text = merge(CG_CONFIG, tmp_path).text
    assert text.count("2.52168618674388") > 1
    with pytest.raises(AssertionError):
        require_unchanged(
            read(CG_CONFIG), Config.CreateFromStream(text.replace("2.52168618674388", "2.5217"))
        )


@pytest.mark.parametrize("source", PUBLISHED)
def test_what_is_missing_is_added(source: str, tmp_path: Path) -> None:
    """What ours are, they are there: the same light from the same codes."""
    merged = merge(source, tmp_path)
    config = config_of(merged)
    items = become(merged)
    assert [*items] == [*SPACES, *LOOKS]
    assert items[LUMIVID_LOGC3].outcome is Outcome.ADDED
    for name in SPACES:
        there = items[name].there
        assert (config.getColorSpace(name) is None) == (
            there != name and name not in aliases(config)
        )
        np.testing.assert_allclose(
            send(config, PROBE, there, "aces_interchange"),
            send(read(), PROBE, name, "ACES2065-1"),
            rtol=1e-6,  # printed to 13 and to 15 digits
            atol=1e-7,
        )
    for name in LOOKS:
        assert config.getLook(name) is not None


def aliases(config: Any) -> set[str]:
    """Every alias in a config."""
    return {alias for space in config.getColorSpaces(*EVERY_SPACE) for alias in space.getAliases()}


def test_only_what_is_missing_is_added(tmp_path: Path) -> None:
    """A config with the cameras gets one space and the looks; a second merge changes nothing."""
    merged = merge(STUDIO_CONFIGS[1], tmp_path)
    added = [item.name for item in merged.items if item.outcome is Outcome.ADDED]
    assert added == [LUMIVID_LOGC3, *LOOKS]
    (tmp_path / "config.ocio").write_text(merged.text, "utf-8")
    again = merge(str(tmp_path / "config.ocio"), tmp_path)
    assert {item.outcome for item in again.items} == {Outcome.PRESENT}
    assert again.text == merged.text
    assert {item.outcome for item in merge(str(COMMITTED), tmp_path).items} == {Outcome.PRESENT}


def test_render_finds_the_added_space(tmp_path: Path) -> None:
    """The merged config is one that --ocio takes."""
    (tmp_path / "config.ocio").write_text(merge(CG_CONFIG, tmp_path).text, "utf-8")
    spaces = ColorSpaces(str(tmp_path / "config.ocio"))
    assert spaces.resolve("logc3_rec709") == LUMIVID_LOGC3
    assert spaces.resolve("vlog") == "V-Log V-Gamut"


def test_without_the_role_the_sentence_says_what_to_do(tmp_path: Path) -> None:
    """Without it nobody knows what the config's light is."""
    source = write(studio_config(interchange=False), tmp_path)
    with pytest.raises(InputError, match=r"config\.ocio has no 'aces_interchange' role.*add the"):
        merge(source, tmp_path)


def test_reference_may_be_any_light(tmp_path: Path) -> None:
    """Ours are led through the studio's interchange space to its own reference."""
    studio = studio_config()
    merged = merge(write(studio, tmp_path), tmp_path)
    config, items = config_of(merged), become(merged)
    require_unchanged(studio, config)
    assert items["ACES2065-1"] == Item("ACES2065-1", Outcome.PRESENT, "exchange", 0.0)
    assert items[REC709].there == "scene"  # the same light under another name
    assert items["Gamma 2.2 Rec.709 - Texture"].there == "film"
    assert config.getColorSpace(REC709) is None
    for name in (LUMIVID_LOGC3, "ARRI LogC4", "Linear P3-D65", "CanonLog2 CinemaGamut D55"):
        assert items[name].outcome is Outcome.ADDED
        np.testing.assert_allclose(
            send(config, PROBE, name, "exchange"),
            send(read(), PROBE, name, "ACES2065-1"),
            rtol=2e-5,  # two matrices and the inverse of one, in float32
            atol=1e-6,
        )
    exposed = PyOpenColorIO.LookTransform("scene", "scene", exposure_name(1))
    np.testing.assert_allclose(send(config, PROBE, exposed), 2 * PROBE, rtol=1e-5)
    bands = PyOpenColorIO.LookTransform("scene", "scene", FALSE_COLOUR)
    ours = PyOpenColorIO.LookTransform(REC709, REC709, FALSE_COLOUR)
    np.testing.assert_allclose(send(config, PROBE, bands), send(read(), PROBE, ours), atol=1e-5)


def test_names_that_are_taken_stay_the_studios(tmp_path: Path) -> None:
    """Another space of our name stays; of ours, the one that has to be there gets another name."""
    studio = studio_config()
    for name in ("ARRI LogC4", LUMIVID_LOGC3, "logc3_rec709"):
        gamma = ExponentTransform([3.0, 3.0, 3.0, 1.0])
        studio.addColorSpace(ColorSpace(name=name, toReference=gamma))
    studio.addColorSpace(ColorSpace(name="cam", aliases=["vlog"], toReference=ExponentTransform()))
    studio.setRole("slog3", "film")
    studio.addLook(
        PyOpenColorIO.Look(exposure_name(1), "scene", MatrixTransform.Scale([3, 3, 3, 1]))
    )
    merged = merge(write(studio, tmp_path), tmp_path)
    config, items = config_of(merged), become(merged)
    require_unchanged(studio, config)
    left = items["ARRI LogC4"]
    assert (left.outcome, left.there) == (Outcome.DIFFERS, "ARRI LogC4")
    assert left.difference is not None
    assert left.difference > 0.1
    ours = items[LUMIVID_LOGC3]
    assert ours.there == f"{LUMIVID_LOGC3} (lumivid-fx)"
    assert ours.dropped == ("logc3_rec709",)
    np.testing.assert_allclose(
        send(config, PROBE, ours.there, "exchange"),
        send(read(), PROBE, LUMIVID_LOGC3, "ACES2065-1"),
        rtol=2e-5,
    )
    assert items["V-Log V-Gamut"].dropped == ("vlog",)
    assert items["S-Log3 S-Gamut3.Cine"].dropped == ("slog3",)
    assert items[exposure_name(1)].outcome is Outcome.DIFFERS
    assert items[exposure_name(2)].outcome is Outcome.ADDED


def test_old_profile_is_raised_and_light_stays(tmp_path: Path) -> None:
    """A config of OpenColorIO 1 reads on as 2.0, which our spaces need."""
    text = (
        studio_config().serialize().replace("ocio_profile_version: 2.1", "ocio_profile_version: 1")
    )
    for new, old in (
        ("from_scene_reference", "from_reference"),
        ("to_scene_reference", "to_reference"),
        ("file_rules:\n  - !<Rule> {name: Default, colorspace: default}\n", ""),
    ):
        text = text.replace(new, old)
    (tmp_path / "config.ocio").write_text(text, "utf-8")
    studio = Config.CreateFromFile(str(tmp_path / "config.ocio"))
    assert studio.getMajorVersion() == 1
    merged = merge(str(tmp_path / "config.ocio"), tmp_path)
    config = config_of(merged)
    assert merged.raised
    assert (config.getMajorVersion(), config.getMinorVersion()) == (2, 0)
    for name in ("scene", "exchange", "film"):
        before, after = (send(each, PROBE, name, "exchange") for each in (studio, config))
        assert np.array_equal(before, after)


def test_rules_that_search_paths_do_not_get_short_names(tmp_path: Path) -> None:
    """A path with `vlog` in it goes on meaning what it meant."""
    studio = studio_config()
    rules = studio.getFileRules()
    rules.insertPathSearchRule(0)
    rules.setDefaultRuleColorSpace("film")
    studio.setFileRules(rules)
    merged = merge(write(studio, tmp_path), tmp_path)
    assert merged.searched
    assert become(merged)["V-Log V-Gamut"].dropped == ("vlog",)
    for path in ("/show/vlog/plate.1001.exr", "/show/srgb_refs/a.png", "/show/my_scene/a.exr"):
        before = studio.getColorSpaceFromFilepath(path)
        assert config_of(merged).getColorSpaceFromFilepath(path) == before
    assert config_of(merged).getColorSpace("logc3_rec709") is not None


def with_table(folder: Path, search_path: str = "luts") -> str:
    """A studio's config with a table beside it."""
    (folder / "luts").mkdir(parents=True)
    table = "Version 1\nFrom 0.0 1.0\nLength 3\nComponents 1\n{\n0\n0.2\n1\n}\n"
    (folder / "luts" / "film.spi1d").write_text(table, "utf-8")
    studio = studio_config()
    studio.setSearchPath(search_path)
    table_of = PyOpenColorIO.FileTransform("film.spi1d")
    studio.addColorSpace(ColorSpace(name="print", toReference=table_of))
    return write(studio, folder)


def test_tables_have_to_be_found_from_the_new_folder(tmp_path: Path) -> None:
    """A config that could not find its tables any more is not written."""
    source = with_table(tmp_path / "studio")
    with pytest.raises(InputError, match=r"film\.spi1d beside itself.*write the new config into"):
        merge(source, tmp_path)
    beside = tmp_path / "studio" / "merged.ocio"
    beside.write_text(merge(source, beside.parent).text, "utf-8")
    before, after = (Config.CreateFromFile(path) for path in (source, str(beside)))
    require_unchanged(before, after)
    assert before.getProcessor("print", "scene").createGroupTransform()


def test_tables_at_absolute_paths_are_found_from_anywhere(tmp_path: Path) -> None:
    """Then the new config may lie elsewhere."""
    source = with_table(tmp_path / "studio", str(tmp_path / "studio" / "luts"))
    assert merge(source, tmp_path).text


def test_table_that_was_missing_before_is_no_reason(tmp_path: Path) -> None:
    """What nobody could use stays unusable, and the rest is merged."""
    source = with_table(tmp_path / "studio")
    (tmp_path / "studio" / "luts" / "film.spi1d").unlink()
    beside = tmp_path / "studio" / "merged.ocio"
    beside.write_text(merge(source, beside.parent).text, "utf-8")
    require_unchanged(*(Config.CreateFromFile(path) for path in (source, str(beside))))


def test_config_that_does_not_validate_is_merged_all_the_same(tmp_path: Path) -> None:
    """Programs open many a config that has a fault; it is not ours to judge."""
    studio = studio_config()
    studio.addDisplayView("Wall", "Gone", "no such space")
    source = write(studio, tmp_path)
    with pytest.raises(PyOpenColorIO.Exception):
        Config.CreateFromFile(source).validate()
    assert config_of(merge(source, tmp_path)).getColorSpace(LUMIVID_LOGC3)


def test_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    """An archive holds tables that a text cannot."""
    with pytest.raises(InputError, match=r"a\.ocioz is an archive; unpack it"):
        merge(str(tmp_path / "a.ocioz"), tmp_path)


@pytest.mark.parametrize("text", ["", "no config", "ocio_profile_version: 99\n"])
def test_what_is_no_config_is_a_sentence(text: str, tmp_path: Path) -> None:
    """The file is named."""
    (tmp_path / "config.ocio").write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"config\.ocio"):
        merge(str(tmp_path / "config.ocio"), tmp_path)
