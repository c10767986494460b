"""The encodings of Table 1: what each holds, and that it comes back."""

from __future__ import annotations

import pytest
import torch

from lumivid_fx.evaluation.encodings import ENCODINGS, Encoding, aces_tone_curve


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: e.name)
def test_what_is_held_comes_back(encoding: Encoding) -> None:
    """Light up to the ceiling comes back from codes in [0, 1]; above, it is the ceiling."""
    light = torch.logspace(-4, 2.5, 200, dtype=torch.float64)
    codes = encoding.codes(light)
    assert float(codes.min()) >= 0
    assert float(codes.max()) <= 1
    held = light.clamp(max=encoding.ceiling)
    # The tone curve is flat near its end: 1e-16 of a code is 1e-14 of light there.
    torch.testing.assert_close(encoding.light(codes), held, rtol=1e-6, atol=1e-9)


def test_ceilings() -> None:
    """LogC3 ends at 55.08, PQ at 10,000 cd/m2, HLG at 12, the tone curve at 7.24."""
    found = {e.name: e.ceiling for e in ENCODINGS}
    assert found["LogC3"] == pytest.approx(55.0796, abs=1e-4)
    assert found["ACEScct"] == pytest.approx(222.86, abs=0.01)
    assert (found["PQ"], found["HLG"], found["linear / 16"]) == (100, 12, 16)
    top = torch.tensor(found["ACES tone curve"], dtype=torch.float64)
    assert float(aces_tone_curve(top)) == pytest.approx(1, abs=1e-12)
    assert float(top) == pytest.approx(7.24, abs=0.01)
