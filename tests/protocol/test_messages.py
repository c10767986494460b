"""What each field of a message may hold, and what is refused."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.kinds import CLIENT_KINDS, PRINTABLE, WORKER_KINDS

from lumivid_fx.protocol import messages
from lumivid_fx.protocol.messages import (
    MAX_CREDIT,
    MAX_FRAME,
    ClientMessage,
    Limits,
    PixelSource,
    Welcome,
)
from lumivid_fx.protocol.wire import MAGIC, RefusedError, read_client_message

ONE = "0123456789abcdef" * 2
DIGEST = "0123456789abcdef" * 4
PATH_JOB = {"source": {"t": "path", "path": "/show/plate.mov"}, "target": "/show/hdr.####.exr"}
PIXELS = {"t": "pixels", "width": 64, "height": 32, "channels": 3, "first": 1001, "count": 2}

LEAST: dict[str, dict[str, object]] = {
    "hello": {"id": ONE, "versions": [1], "client": "test", "session": ONE},
    "submit": {"id": ONE, "job": ONE, "request": PATH_JOB},
    "put": {"job": ONE, "frame": 1001, "offset": 0},
    "attach": {"id": ONE, "job": ONE},
    "credit": {"job": ONE, "frames": 1},
    "ack": {"job": ONE, "frame": 1001, "sha256": DIGEST},
    "cancel": {"id": ONE, "job": ONE},
    "list": {"id": ONE},
    "ping": {"id": ONE},
    "stop": {"id": ONE},
}
"""Of every message, the fields that it cannot do without."""


def read(kind: str, fields: dict[str, object]) -> ClientMessage:
    """A message as a stranger's client would pack it."""
    parts = [MAGIC, msgpack.packb({"t": kind, **fields})]
    return read_client_message([*parts, b"pixels"] if kind == "put" else parts)[0]


def read_request(**fields: object) -> ClientMessage:
    """A submit whose request has these fields beside the least."""
    return read("submit", {**LEAST["submit"], "request": {**PATH_JOB, **fields}})


def refused(kind: str, fields: dict[str, object]) -> str:
    """Why a message is refused."""
    with pytest.raises(RefusedError) as caught:
        read(kind, fields)
    assert caught.value.code == "E_SCHEMA"
    return str(caught.value)


def test_every_kind_has_its_least() -> None:
    """The table above names all the kinds there are, so that the tests below miss none."""
    assert set(LEAST) == {kind.__struct_config__.tag for kind in CLIENT_KINDS}


def test_client_and_worker_never_share_a_name() -> None:
    """What a message is can be told without knowing who sent it."""
    tags = [kind.__struct_config__.tag for kind in (*CLIENT_KINDS, *WORKER_KINDS)]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("kind", LEAST)
def test_least_is_enough(kind: str) -> None:
    """Everything else has a default."""
    assert type(read(kind, LEAST[kind])).__struct_config__.tag == kind


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, fields in LEAST.items() for field in fields]
)
def test_missing_field_is_refused(kind: str, field: str) -> None:
    """The refusal names the field."""
    fields = {name: value for name, value in LEAST[kind].items() if name != field}
    assert f"`{field}`" in refused(kind, fields)


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, fields in LEAST.items() for field in fields]
)
@pytest.mark.parametrize("value", [None, True, [], {}, b"bytes", -1.5])
def test_wrong_type_is_refused(kind: str, field: str, value: object) -> None:
    """Nothing is taken for something else: no truth for a number, no bytes for text."""
    assert f"`$.{field}" in refused(kind, {**LEAST[kind], field: value})


@pytest.mark.parametrize("kind", LEAST)
def test_unknown_field_is_refused(kind: str) -> None:
    """A mistyped option must not be taken for its default."""
    assert "`priorty`" in refused(kind, {**LEAST[kind], "priorty": 1})


@pytest.mark.parametrize("kind", ["welcome", "done", "Hello", "", "path", "Settings"])
def test_unknown_kind_is_refused(kind: str) -> None:
    """A worker's messages are not a client's, nor is the map inside a request."""
    assert f"'{kind}'" in refused(kind, {})


@pytest.mark.parametrize(
    ("where", "fields"),
    [
        ("request", {"settings": {"stepz": 1}}),
        ("request.settings", {"settings": {"t": "settings"}}),
        ("request.source", {"source": {"path": "/a"}}),
        ("request.source", {"source": {"t": "movie", "path": "/a"}}),
        ("request.source", {"source": {"t": "path", "path": "/a", "width": 4}}),
        ("request", {"t": "request"}),
    ],
)
def test_maps_inside_are_as_strict(where: str, fields: dict[str, object]) -> None:
    """A source says which kind it is; settings and request need not, and may not."""
    submit = {**LEAST["submit"], "request": {**PATH_JOB, **fields}}
    assert f"$.{where}" in refused("submit", submit)


@pytest.mark.parametrize(
    "value",
    ["", ONE[:-1], ONE + "0", ONE + "\n", "\n" + ONE, ONE.upper(), ONE[:-1] + "g", ONE[:-1] + "٣"],
)
def test_bad_id_is_refused(value: str) -> None:
    """An id becomes a file's name and a line in logs: 32 lower-case hex digits, no more."""
    assert "`$.job`" in refused("cancel", {"id": ONE, "job": value})


@pytest.mark.parametrize("value", [DIGEST + "\n", DIGEST[1:], DIGEST.upper()])
def test_bad_digest_is_refused(value: str) -> None:
    """A digest is compared as text, so it is written in one way only."""
    assert "`$.sha256`" in refused("ack", {**LEAST["ack"], "sha256": value})


@pytest.mark.parametrize("field", ["target", "model", "lora", "ocio"])
@pytest.mark.parametrize("control", ["\0", "\n", "\r", "\x1b", "\x7f"])
def test_control_character_in_a_path_is_refused(field: str, control: str) -> None:
    """It would end a C string, or forge a line of a log."""
    for path in (f"/show/a{control}", f"{control}/show/a", f"/show{control}/a"):
        submit = {**LEAST["submit"], "request": {**PATH_JOB, field: path}}
        assert f"`$.request.{field}`" in refused("submit", submit)


@given(st.text(PRINTABLE, min_size=1, max_size=200))
def test_any_other_path_is_let_through(path: str) -> None:
    """Names of any language are paths; whether they lie under a root is the worker's to say."""
    submit = read_request(target=path)
    assert isinstance(submit, messages.Submit)
    assert submit.request.target == path


INSIDE_AND_OUTSIDE = [
    # field of a request's settings, what it may hold, what it may not
    ("seed", [0, 2**31 - 1], [-1, 2**31, 1.0, "1", True]),
    ("steps", [None, 1, 1000], [0, -1, 1001]),
    ("sigmas", [None, [], [[1, 0.5, 0]], [[1.0], [0.9]]], [[[1.1]], [[-0.1]], [[], [], []], [1]]),
    ("reference_strength", [0, 1.0], [-0.001, 1.001, float("nan")]),
    ("detail", [0.0, 1], [-1, 2, float("nan"), float("inf")]),
    ("exposure", [-20, 20.0], [-20.1, 21, float("nan"), float("-inf")]),
    ("model_size", [None, 0, 16384], [-1, 16385]),
    ("tile", [None, 1, 4096], [0, 4097]),
    ("window", [None, 1, 10000], [0, 10001]),
    ("overlap", [None, 1, 10000], [0, 10001]),
    ("fps", [None, 0.001, 24, 1000], [0, -1, 1000.5, float("nan"), float("inf")]),
    ("generated", [True, False], [0, 1, "yes", None]),
    ("output_space", ["", "acescg", "x" * 200], [None, "x" * 201, "a\nb"]),
    ("source_view", [None, "sRGB - Display/Raw"], ["x" * 201, "\x7f"]),
]


@pytest.mark.parametrize(("field", "inside", "outside"), INSIDE_AND_OUTSIDE)
def test_settings_keep_to_their_range(
    field: str, inside: list[object], outside: list[object]
) -> None:
    """Both ends of a range are let through; what lies beyond is not, nor what is no number."""
    for value in inside:
        read_request(settings={field: value})
    for value in outside:
        submit = {**LEAST["submit"], "request": {**PATH_JOB, "settings": {field: value}}}
        assert f"$.request.settings.{field}" in refused("submit", submit), value


@pytest.mark.parametrize(
    ("field", "inside", "outside"),
    [
        ("frames", [None, "", "1001-1049", "x" * 64], ["x" * 65, 1001]),
        ("deliver", ["path", "pixels"], ["ref", "", None]),
        ("target", [None, "/" + "x" * 4095], ["", "/" + "x" * 4096]),
        ("lora_strength", [0, 2.0], [-0.1, 2.1, float("nan")]),
        ("compression", ["zip", "none"], ["ZIP", "rle"]),
        ("overwrite", [True, False], [0, 1, "yes"]),
        ("priority", [-100, 100], [-101, 101, 0.5]),
        ("label", ["", "sh010 v3"], ["x" * 201, "a\tb"]),
    ],
)
def test_request_keeps_to_its_range(
    field: str, inside: list[object], outside: list[object]
) -> None:
    """As for the settings."""
    for value in inside:
        read_request(**{field: value})
    for value in outside:
        submit = {**LEAST["submit"], "request": {**PATH_JOB, field: value}}
        assert f"$.request.{field}" in refused("submit", submit), value


@pytest.mark.parametrize(
    ("field", "inside", "outside"),
    [
        ("width", [1, 16384], [0, 16385, -64, 64.0]),
        ("height", [1, 16384], [0, 16385]),
        ("channels", [3, 4], [1, 5, "3"]),
        ("first", [-(10**9), 10**9], [-(10**9) - 1, 10**9 + 1]),
        ("count", [1, 10_000], [0, 10_001]),
        ("fps", [None, 23.976], [0.0, float("nan")]),
    ],
)
def test_pixels_keep_to_their_range(
    field: str, inside: list[object], outside: list[object]
) -> None:
    """What a client is about to send can be reckoned with before a byte of it has come."""
    for value in inside:
        read_request(source={**PIXELS, field: value})
    for value in outside:
        submit = {**LEAST["submit"], "request": {"source": {**PIXELS, field: value}}}
        assert f"$.request.source.{field}" in refused("submit", submit), value


@pytest.mark.parametrize(
    ("kind", "field", "inside", "outside"),
    [
        ("hello", "versions", [[1], [1] * 16], [[], [1] * 17, [1.5], ["1"]]),
        ("hello", "client", ["", "nuke 16.0"], ["x" * 201, "nuke\n16"]),
        ("put", "offset", [0, MAX_FRAME], [-1, MAX_FRAME + 1]),
        ("put", "frame", [-(10**9), 10**9], [10**9 + 1]),
        ("attach", "after", [None, -5, 1001], [10**9 + 1, 1.0]),
        ("attach", "frames", [True, False], [1, None]),
        ("credit", "frames", [1, MAX_CREDIT], [0, -1, MAX_CREDIT + 1]),
        ("list", "job", [None, ONE], ["", ONE + "\n"]),
    ],
)
def test_messages_keep_to_their_range(
    kind: str, field: str, inside: list[object], outside: list[object]
) -> None:
    """As for the settings."""
    for value in inside:
        read(kind, {**LEAST[kind], field: value})
    for value in outside:
        assert f"$.{field}" in refused(kind, {**LEAST[kind], field: value}), value


def test_frame_bytes_are_those_of_half_floats() -> None:
    """Two bytes for each channel of each pixel, at the size the limits were chosen for."""
    source = PixelSource(width=8192, height=4320, channels=4, first=1, count=1)
    assert source.frame_bytes == 8192 * 4320 * 4 * 2
    assert source.frame_bytes <= MAX_FRAME


def test_limits_of_the_welcome_are_the_constants() -> None:
    """A client that keeps to what the welcome says is never refused for size."""
    assert Limits() == Limits(
        control=messages.MAX_CONTROL,
        chunk=messages.MAX_CHUNK,
        frame=messages.MAX_FRAME,
        frames=messages.MAX_FRAMES,
        credit=messages.MAX_CREDIT,
        pixel_credit=messages.MAX_PIXEL_CREDIT,
        chunks=messages.MAX_CHUNKS_UNDER_WAY,
        heartbeat_s=messages.HEARTBEAT_S,
    )
    assert "limits" in Welcome.__struct_fields__


def test_messages_do_not_change() -> None:
    """What was checked once stays as it was checked."""
    message = messages.Cancel(id=ONE, job=ONE)
    for field in message.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(message, field, "other")
