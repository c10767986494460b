"""Families of tone curves: published points, order, and the tables that undo them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lumivid_fx.color.tone_curves import (
    ToneCurves,
    hable,
    knee,
    narkowicz,
    reinhard,
    sigmoid,
    srgb_encode,
    undone,
)
from lumivid_fx.color.transfer import LOGC3_REC709


def curves(kind: int, first: float, second: float, gamma: float = 0) -> ToneCurves:
    """One curve; the other families' parameters are harmless."""
    return ToneCurves(
        torch.tensor([kind]),
        torch.full((6, 1), first, dtype=torch.float64),
        torch.full((6, 1), second, dtype=torch.float64),
        torch.tensor([gamma], dtype=torch.float64),
    )


FAMILIES = [
    curves(0, 1, 1),
    curves(0, 1, 1, gamma=2.4),
    curves(1, 2.0, 11.2),
    curves(2, 4.0, 1),
    curves(3, 1.2, 6.0),
    curves(4, 0.8, 1),
    curves(5, 0.8, 3.0),
]


def test_points_worked_out_by_hand() -> None:
    """Where each formula can be followed with a pencil; float32 rounding."""
    white = torch.tensor(1.0)
    assert float(hable(torch.tensor(5.6))) == pytest.approx(1, abs=1e-6)  # bias 2 brings it to 11.2
    assert float(hable(torch.tensor(0.0))) == pytest.approx(0, abs=1e-6)
    assert float(reinhard(white, 4.0)) == pytest.approx((1 + 1 / 16) / 2)
    assert float(sigmoid(white, 1.3, 1e6)) == pytest.approx(0.5, abs=1e-4)
    assert float(narkowicz(white, 1.0)) == pytest.approx(2.54 / 3.16)
    assert float(knee(torch.tensor(1.9), 0.8, 3.0)) == pytest.approx(0.9)
    assert float(srgb_encode(white)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("family", FAMILIES, ids=range(len(FAMILIES)))
def test_every_family_rises_from_black_to_white(family: ToneCurves) -> None:
    """From code 0 at no light to code 1, never falling."""
    light = torch.cat([torch.zeros(1), torch.logspace(-4, 2, 500)]).double()
    codes = family.encode(light[None])[0]
    assert float(codes[0]) == pytest.approx(0, abs=1e-3)  # x ** (1 / 2.4) of the 1e-8 under it
    assert float(codes[-1]) == pytest.approx(1, abs=2e-2)  # Narkowicz' fit ends at 2.51 / 2.43
    assert float(codes.diff().min()) >= 0


@given(st.integers(0, len(FAMILIES) - 1), st.floats(0.05, 0.97))
def test_a_table_undoes_its_curve(index: int, code: float) -> None:
    """Light, through the curve and back through the table, is the light times one factor.

    The table has 4096 samples here, straight between them: under 1e-3 of a LogC3 code where the
    code is neither black nor white.
    """
    family = FAMILIES[index]
    table = undone(family, LOGC3_REC709, 4096)[0]
    light = torch.logspace(-4, 2, 20_000, dtype=torch.float64)
    place = int(torch.searchsorted(family.encode(light[None])[0].contiguous(), code))
    aim = LOGC3_REC709.forward(light[place] * family.grey_scale()[0])
    assert float(table[round(code * 4095)]) == pytest.approx(float(aim), abs=1e-3)


@pytest.mark.parametrize("family", FAMILIES, ids=range(len(FAMILIES)))
def test_grey_stays_grey(family: ToneCurves) -> None:
    """What an sRGB display shows at 0.18 is 0.18 after the factor; half a percent of grid."""
    scale = family.grey_scale()
    grey = srgb_encode(torch.tensor(0.18, dtype=torch.float64))
    shown = family.encode((0.18 / scale)[:, None])[0, 0]
    assert float(shown) == pytest.approx(float(grey), rel=5e-3)
