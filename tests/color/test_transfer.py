"""The transfer curves: published points, properties, and OpenColorIO's own curves beside ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import PyOpenColorIO
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lumivid_fx.color import transfer
from lumivid_fx.color.transfer import (
    ACESCCT_AP1,
    HLG_REC2020,
    LOGC3_REC709,
    PQ_REC2020,
    TRANSFERS,
    ClipCount,
    Transfer,
    get_transfer,
)
from lumivid_fx.errors import InputError

FORWARD = PyOpenColorIO.TRANSFORM_DIR_FORWARD
INVERSE = PyOpenColorIO.TRANSFORM_DIR_INVERSE

every_curve = pytest.mark.parametrize("curve", TRANSFERS.values(), ids=TRANSFERS)
both_ways = pytest.mark.parametrize("way", ["forward", "inverse"])

PUBLISHED = [
    # ARRI's constants, as colour-science prints them (colour/models/rgb/.../tests/test_arri.py).
    (LOGC3_REC709, 0.0, 0.092809),
    (LOGC3_REC709, 0.18, 0.391006832034084),
    (LOGC3_REC709, 1.0, 0.570631558120417),
    # AMPAS S-2016-001: the ends of the toe, mid grey, and 9.72 / 17.52.
    (ACESCCT_AP1, 0.0, 0.0729055341958355),
    (ACESCCT_AP1, 0.0078125, 0.155251141552511),
    (ACESCCT_AP1, 0.18, 0.413588402492442),
    (ACESCCT_AP1, 1.0, 0.554794520547945),
    # SMPTE ST 2084: 100, 1000 and 10000 cd/m2; linear 1.0 is 100.
    (PQ_REC2020, 1.0, 0.508078421517399),
    (PQ_REC2020, 10.0, 0.751827096247041),
    (PQ_REC2020, 100.0, 1.0),
    # BT.2100 table 5: 1/12 of peak light at half signal, peak light at full.
    (HLG_REC2020, 1.0, 0.5),
    (HLG_REC2020, 12.0, 1.0),
]


def values(*numbers: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """Put numbers in a tensor."""
    return torch.tensor(numbers, dtype=dtype)


def light(curve: Transfer) -> Tensor:
    """Spread light over what a curve holds, dense in the darks."""
    low, high = curve.linear_range
    even = torch.linspace(low, high, 20_001, dtype=torch.float64)
    return torch.cat([even, torch.logspace(-6, np.log10(high), 20_001, dtype=torch.float64)])


@pytest.mark.parametrize(("curve", "linear", "code"), PUBLISHED)
def test_published_points(curve: Transfer, linear: float, code: float) -> None:
    """Each curve passes through the points its maker printed, both ways."""
    # 1e-8: BT.2100 prints HLG's constants with 8 digits, which leaves peak light at 1 - 5e-9.
    assert curve.forward(values(linear)).item() == pytest.approx(code, abs=1e-8)
    # In linear light 1e-8 of a code is worth up to 66 times as much (HLG's slope at its peak).
    assert curve.inverse(values(code)).item() == pytest.approx(linear, abs=1e-6)


@pytest.mark.parametrize(
    ("curve", "low", "high"),
    [
        (LOGC3_REC709, -0.01729042, 55.0795767),
        (ACESCCT_AP1, -0.00691688, 222.860944),
        (PQ_REC2020, 0.0, 100.0),
        (HLG_REC2020, 0.0, 12.0),
    ],
)
def test_linear_range_is_codes_zero_to_one(curve: Transfer, low: float, high: float) -> None:
    """What a curve says it holds is the light of codes 0 and 1."""
    assert curve.linear_range == pytest.approx((low, high), rel=1e-6)  # written to 7 digits
    # 1e-8: HLG's printed constants, as above.
    assert curve.forward(values(*curve.linear_range)).tolist() == pytest.approx([0, 1], abs=1e-8)


@every_curve
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 1, 4, 5)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@both_ways
def test_any_shape_and_float(
    curve: Transfer, shape: tuple[int, ...], dtype: torch.dtype, way: str
) -> None:
    """Shape and dtype go through, and the tensor that came in is left as it was."""
    given_values = torch.full(shape, 0.4, dtype=dtype)
    result = getattr(curve, way)(given_values)
    assert (result.shape, result.dtype) == (given_values.shape, dtype)
    assert torch.equal(given_values, torch.full(shape, 0.4, dtype=dtype))


@every_curve
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@both_ways
def test_narrow_floats_are_as_near_as_they_can_be(
    curve: Transfer, dtype: torch.dtype, way: str
) -> None:
    """A narrow dtype costs its own rounding of the result and nothing more."""
    wide = light(curve) if way == "forward" else torch.linspace(0, 1, 20_001, dtype=torch.float64)
    narrow = wide.to(dtype)
    got = getattr(curve, way)(narrow).double()
    exact = getattr(curve, way)(narrow.double())
    # Half an ulp of the dtype, and what float32 arithmetic costs: 1e-5 of a code or 6e-5 of the
    # light for PQ, whose 79th power multiplies rounding; 1e-6 for the others. 1e-6: half's
    # subnormals near 0.
    arithmetic = 7e-5 if curve is PQ_REC2020 else 1e-6
    allowed = exact.abs() * (torch.finfo(dtype).eps / 2 + arithmetic) + 1e-6
    if way == "forward" and curve is PQ_REC2020:
        allowed = allowed + 1e-5
    assert ((got - exact).abs() <= allowed).all()


@every_curve
@both_ways
def test_strided_tensors(curve: Transfer, way: str) -> None:
    """A transposed or stepped view gives what its contiguous copy gives."""
    whole = torch.linspace(0, 1, 24).reshape(4, 6)
    function = getattr(curve, way)
    assert torch.equal(function(whole.T[::2]), function(whole.T[::2].contiguous()))


@every_curve
@given(data=st.data())
def test_round_trip(curve: Transfer, data: st.DataObject) -> None:
    """Light comes back from its code, below zero and above the ceiling too."""
    high = curve.linear_range[1]
    linear = data.draw(st.floats(-1.0, 2 * high))
    back = curve.inverse(curve.forward(values(linear))).item()
    # Float64 keeps 11 digits through the powers. 5e-8: ARRI's printed constants leave a step of
    # 2.5e-7 of a code at LogC3's cut, which is 4.7e-8 of light.
    assert back == pytest.approx(linear, rel=1e-11, abs=5e-8)


@every_curve
@given(data=st.data())
def test_round_trip_in_float32(curve: Transfer, data: st.DataObject) -> None:
    """In the dtype that a render uses, light comes back to a fraction of half-float rounding."""
    linear = data.draw(st.floats(0.0, np.float32(curve.linear_range[1]).item(), width=32))
    back = curve.inverse(curve.forward(values(linear, dtype=torch.float32))).item()
    # Half float, which plates are written in, rounds by 4.9e-4. PQ's 79th power costs 1.5e-4,
    # the others 2e-6. 5e-8: LogC3's step, as above.
    relative = 2e-4 if curve is PQ_REC2020 else 2e-6
    assert back == pytest.approx(linear, rel=relative, abs=5e-8)


@every_curve
@given(data=st.data())
def test_increasing(curve: Transfer, data: st.DataObject) -> None:
    """More light is a higher code, and a higher code more light."""
    high = curve.linear_range[1]
    lower = data.draw(st.floats(-1.0, high))
    # 1e-6: well over the step at LogC3's cut and PQ's flat spot of 1e-10 about zero.
    higher = lower + data.draw(st.floats(1e-6, high)) * max(1.0, abs(lower))
    codes = curve.forward(values(lower, higher))
    assert codes[0] < codes[1]
    decoded = curve.inverse(codes)
    assert decoded[0] < decoded[1]


@every_curve
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@both_ways
def test_gradient_is_finite_everywhere(curve: Transfer, dtype: torch.dtype, way: str) -> None:
    """No NaN or inf enters training: not at 0, not near it, not at a cut, not at the ends."""
    points = [0.0, -0.0, 1e-30, 1e-12, 1e-7, -1e-3, 0.5, 1.0]
    if way == "forward":
        points += [*curve.linear_range, transfer.LOGC3_CUT, transfer.ACESCCT_CUT_LINEAR]
    else:
        logc3_cut = transfer.LOGC3_E * transfer.LOGC3_CUT + transfer.LOGC3_F
        points += [logc3_cut, transfer.ACESCCT_CUT_CODE]
    at = values(*points, dtype=dtype).requires_grad_()
    getattr(curve, way)(at).sum().backward()
    assert at.grad is not None
    assert at.grad.isfinite().all()
    assert (at.grad >= 0).all()


@every_curve
@both_ways
def test_gradient_is_the_slope(curve: Transfer, way: str) -> None:
    """Away from cuts the gradient is what finite differences say."""
    at = values(-0.3, 0.05, 0.3, 0.7, 0.95).requires_grad_()
    assert torch.autograd.gradcheck(getattr(curve, way), at)


@every_curve
@both_ways
def test_nan_stays_nan_and_alone(curve: Transfer, way: str) -> None:
    """A NaN is not turned into a number, and does not touch its neighbours."""
    function = getattr(curve, way)
    got = function(values(0.2, float("nan"), 0.6))
    assert got.isnan().tolist() == [False, True, False]
    assert torch.equal(got[::2], function(values(0.2, 0.6)))


@every_curve
def test_infinite_light(curve: Transfer) -> None:
    """Infinite light lies over all codes, or at PQ's asymptote, and infinite codes are infinite."""
    inf = float("inf")
    down, top, up = curve.forward(values(-inf, 60_000.0, inf)).tolist()
    assert up > top
    assert down < curve.forward(values(-60_000.0)).item()
    if curve is PQ_REC2020:
        # ST 2084's fraction tends to (c2 / c3) ** m2.
        assert up == pytest.approx((transfer.PQ_C2 / transfer.PQ_C3) ** transfer.PQ_M2)
    else:
        assert (down, up) == (-inf, inf)
    assert curve.inverse(values(-inf, inf)).tolist() == [-inf, inf]


def test_no_light_has_a_pq_code_above_the_asymptote() -> None:
    """PQ codes that no light has decode to infinity, not to NaN."""
    assert PQ_REC2020.inverse(values(2.0, -3.0)).tolist() == [float("inf"), -float("inf")]


@every_curve
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
@both_ways
def test_integers_are_refused(curve: Transfer, dtype: torch.dtype, way: str) -> None:
    """8-bit codes given by mistake are refused by name, not read as light of 255."""
    with pytest.raises(TypeError, match=str(dtype)):
        getattr(curve, way)(torch.ones(3, dtype=dtype))


@every_curve
def test_clip_counts_what_it_changes(curve: Transfer) -> None:
    """Light over and under the range is limited and counted; the ends and NaN are not."""
    low, high = curve.linear_range
    linear = values(low - 1, low, 0.18, high, high + 1, float("inf"), float("nan")).reshape(7, 1)
    before = linear.clone()
    clipped, count = curve.clip(linear)
    assert count == ClipCount(above=2, below=1, total=7)
    assert clipped[:6, 0].tolist() == [low, low, 0.18, high, high, high]
    assert clipped[6].isnan().all()
    assert torch.equal(linear.nan_to_num(), before.nan_to_num())


def test_counts_add_up_over_frames() -> None:
    """A shot's count is the sum of its frames'."""
    counts = [ClipCount(1, 2, 10), ClipCount(3, 0, 10)]
    assert sum(counts, ClipCount()) == ClipCount(4, 2, 20)


def test_get_transfer() -> None:
    """Curves are found by name; a wrong name gets the list."""
    assert get_transfer("logc3_rec709") is LOGC3_REC709
    with pytest.raises(InputError, match=r"'logc3'.*logc3_rec709, acescct_ap1"):
        get_transfer("logc3")


Samples = npt.NDArray[np.float32]


def through_ocio(
    config: Any, transform: Any, samples: Samples, direction: Any = FORWARD
) -> Samples:
    """Send samples through OpenColorIO without its lossy short cuts."""
    processor = config.getProcessor(transform, direction)
    cpu = processor.getOptimizedCPUProcessor(PyOpenColorIO.OPTIMIZATION_LOSSLESS)
    padded = np.resize(samples, (-(-samples.size // 3), 3)).astype(np.float32)
    cpu.applyRGB(padded)
    return padded.ravel()[: samples.size]


def ours(function: Callable[[Tensor], Tensor], samples: Samples) -> Samples:
    """Send the same samples through our curve in float32, as a render does."""
    result: Samples = function(torch.from_numpy(samples)).numpy()
    return result


LIGHT_TO_55 = np.concatenate(
    [
        np.linspace(0, 55, 200_001),
        np.geomspace(1e-6, 55, 100_001),
        np.linspace(0.010, 0.011, 10_001),
    ]
).astype(np.float32)


def test_logc3_agrees_with_ocio_to_float_rounding() -> None:
    """Our LogC3 and OpenColorIO's LogCameraTransform of ARRI's constants are one curve."""
    camera = PyOpenColorIO.LogCameraTransform(
        base=10,
        logSideSlope=[0.247190] * 3,
        logSideOffset=[0.385537] * 3,
        linSideSlope=[5.555556] * 3,
        linSideOffset=[0.052272] * 3,
        linSideBreak=[0.010591] * 3,
        linearSlope=[5.367655] * 3,
    )
    config = PyOpenColorIO.Config.CreateRaw()
    code = through_ocio(config, camera, LIGHT_TO_55)
    # Both sides round to float32 several times: up to 4 ulps of 6e-8 at codes about 1. In the toe
    # OpenColorIO takes the offset from continuity, 2.6e-7 under ARRI's printed f.
    assert np.abs(code - ours(LOGC3_REC709.forward, LIGHT_TO_55)).max() <= 3e-7

    light_back = through_ocio(config, camera, code, INVERSE)
    decoded = ours(LOGC3_REC709.inverse, code)
    # One ulp of code (6e-8) is 6e-7 of the light: 5 ulps for the two sides' powers. 6e-8: the toe.
    np.testing.assert_allclose(decoded, light_back, rtol=1.2e-6, atol=6e-8)


def test_logc3_agrees_with_the_studio_configs_curve() -> None:
    """What a compositor gets from the config's own LogC3 curve is ours, far under half rounding."""
    config = PyOpenColorIO.Config.CreateFromFile("ocio://studio-config-v2.1.0_aces-v1.3_ocio-v2.3")
    curve = config.getNamedTransform("ARRI LogC3 - Curve (EI800)")
    code = through_ocio(config, curve, LIGHT_TO_55, INVERSE)
    expected = ours(LOGC3_REC709.forward, LIGHT_TO_55)
    # The config rounds ARRI's b otherwise (0.0522723): 1e-6 of a code. Half rounds by 2.4e-4.
    assert np.abs(code - expected).max() <= 2e-6
    decoded = through_ocio(config, curve, expected)
    # The same b, in light: 1.1e-5 of it. Half rounds by 4.9e-4.
    np.testing.assert_allclose(
        decoded, ours(LOGC3_REC709.inverse, expected), rtol=1.5e-5, atol=2e-7
    )


@pytest.mark.parametrize(
    ("curve", "style", "scale", "tolerance"),
    [
        # 3e-7: float32 rounding of both sides, as above.
        (ACESCCT_AP1, "CURVE - ACEScct-LOG_to_LINEAR", 1.0, 3e-7),
        # 1.2e-5: PQ's 79th power multiplies float32 rounding. OpenColorIO's 1.0 is 100 cd/m2 too.
        (PQ_REC2020, "CURVE - ST-2084_to_LINEAR", 1.0, 1.2e-5),
        # OpenColorIO puts half signal at 0.25, we at 1.0.
        (HLG_REC2020, "CURVE - HLG-OETF-INVERSE", 4.0, 3e-7),
    ],
    ids=["acescct", "pq", "hlg"],
)
def test_other_curves_agree_with_ocio(
    curve: Transfer, style: str, scale: float, tolerance: float
) -> None:
    """ACEScct, PQ and HLG are OpenColorIO's, over all the light they hold."""
    linear = light(curve).numpy().astype(np.float32)
    builtin = PyOpenColorIO.BuiltinTransform(style=style)
    scaled = (linear / scale).astype(np.float32)
    code = through_ocio(PyOpenColorIO.Config.CreateRaw(), builtin, scaled, INVERSE)
    assert np.abs(code - ours(curve.forward, linear)).max() <= tolerance
