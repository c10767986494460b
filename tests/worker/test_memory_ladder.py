"""What is tried when memory runs out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.model.checkpoint import EMBEDDED
from lumivid_fx.model.manifest import read_manifest
from lumivid_fx.pipeline.preflight import check_settings, choose_windows
from lumivid_fx.pipeline.render_shot import ShotSettings
from lumivid_fx.pipeline.tiles import cut_tiles
from lumivid_fx.pipeline.windows import cut_windows
from lumivid_fx.worker.memory_ladder import exhausted, latent_edge, rungs


def numbers(settings: ShotSettings, edge: int, frames: int = 100) -> list[tuple[int | None, ...]]:
    """Tile, window and overlap of each rung."""
    ladder = rungs(settings, edge=edge, frames=frames)
    return [(r.settings.tile, r.settings.window, r.settings.overlap) for r in ladder]


def asked(window: int = 25, overlap: int = 9, tile: int | None = None) -> ShotSettings:
    """Settings as the ladder takes them."""
    return ShotSettings(window=window, overlap=overlap, tile=tile)


@pytest.mark.parametrize(
    ("settings", "edge", "expected"),
    [
        (asked(), 60, [(30, 25, 9), (15, 25, 9), (15, 17, 1)]),
        (asked(), 12, [(9, 25, 9), (9, 17, 1)]),
        (asked(), 11, [(None, 17, 1)]),  # a tile of 9 would spare too little
        (asked(tile=20), 60, [(10, 25, 9), (10, 17, 1)]),
        (asked(tile=60), 24, [(12, 25, 9), (9, 25, 9), (9, 17, 1)]),
        (asked(49), 8, [(None, 25, 9), (None, 17, 1)]),
        (asked(121, 57), 8, [(None, 49, 17), (None, 25, 9), (None, 17, 1)]),  # the plate has 100
        (asked(17, 1), 8, []),
        (asked(9, 1), 8, []),
    ],
)
def test_tiles_come_first_then_windows(
    settings: ShotSettings, edge: int, expected: list[tuple[int | None, ...]]
) -> None:
    """As asked, the same again, then halves: of the picture first, of the motion last."""
    own = (settings.tile, settings.window, settings.overlap)
    assert numbers(settings, edge) == [own, own, *expected]


def test_a_short_plate_has_no_windows_to_halve() -> None:
    """A window that is longer than the plate takes no more memory than the plate does."""
    assert numbers(asked(), 8, frames=9) == [(None, 25, 9)] * 2
    assert numbers(asked(121, 9), 8, frames=30)[2:] == [(None, 17, 1)]


def test_notes_are_for_the_artist() -> None:
    """Each fall-back says what it means; what was asked needs no note."""
    notes = [rung.note for rung in rungs(asked(), edge=24, frames=100)]
    assert notes == [
        "",
        "memory ran out: tried again with all of it freed, which changes nothing",
        "memory ran out: rendered in tiles of 12 latents, which may change soft highlights "
        "slightly",
        "memory ran out: rendered in tiles of 9 latents, which may change soft highlights slightly",
        "memory ran out: rendered 17 frames at a time in tiles of 9 latents, which may change "
        "highlights and how they move",
    ]


@given(
    st.integers(1, 40).map(lambda k: 8 * k + 1),
    st.integers(0, 20).map(lambda k: 8 * k + 1),
    st.integers(1, 300),
    st.none() | st.integers(9, 300),
    st.integers(1, 400),
)
def test_every_rung_can_be_rendered(
    window: int, overlap: int, edge: int, tile: int | None, frames: int
) -> None:
    """Whatever was asked, each rung holds to the rules of tiles and windows, and asks for less."""
    settings = choose_windows(ShotSettings(window=window, tile=tile), 25, overlap, 8)
    ladder = rungs(settings, edge=edge, frames=frames)
    sizes = []
    for rung in ladder:
        check_settings(rung.settings, "zip")
        cut_tiles(edge, edge, rung.settings.tile)
        cut_windows(frames, rung.settings.window or 0, rung.settings.overlap or 0)
        sizes.append(min(rung.settings.tile or edge, edge) ** 2 * (rung.settings.window or 0))
    assert sizes[0] == sizes[1]
    assert all(before > after for before, after in pairwise(sizes[1:]))


def test_edge_of_what_the_model_is_shown() -> None:
    """The plate is scaled to the model's size or the one asked for, then padded to latents."""
    manifest = read_manifest(EMBEDDED)  # its own size is 384
    plate = (1080, 1920)
    for size, stages, expected in ((None, 1, 48), (0, 1, 240), (0, 2, 240), (100, 1, 13)):
        settings = ShotSettings(model_size=size)
        assert latent_edge(settings, manifest, plate, 8, stages) == expected
    assert latent_edge(ShotSettings(model_size=100), manifest, plate, 8, 2) == 14


def test_the_end_of_the_ladder() -> None:
    """The last word names what was tried, and what to do."""
    last = rungs(asked(), edge=24, frames=100)[-1]
    told = str(exhausted(last, "cuda:0 NVIDIA H200", 3 * 2**29))
    assert "even 17 frames at a time in tiles of 9 latents" in told
    assert "on cuda:0 NVIDIA H200" in told
    assert "1.5 GiB were taken at the most" in told
    assert "give a smaller model size" in told
    assert "GiB" not in str(exhausted(last, "cpu", 0))


def test_a_planned_render_goes_down_the_plan_first() -> None:
    """With less of the GPU's memory the plan finds its next way; tiles and windows come after."""
    ladder = rungs(asked(), edge=24, frames=100, planned=True)
    assert [rung.share for rung in ladder] == [1, 1, 0.85, 0.7, 0.7, 0.7, 0.7]
    assert [rung.settings for rung in ladder[:4]] == [asked()] * 4
    assert ladder[2].note.endswith("planned again for 85% of what is free on the GPU")
    plain = rungs(asked(), edge=24, frames=100)
    assert [rung.settings for rung in ladder[4:]] == [rung.settings for rung in plain[2:]]
