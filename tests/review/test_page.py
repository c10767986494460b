"""The review page in a real browser against a real server: what is on the screen is what OCIO says.

One plate holds everything that is looked for: light from -9 to +9 stops in all hues, a negative
sample, NaN, light on the curve's ceiling and on the largest half, alpha, a generated area, a frame
that is missing, one that is cut short and one that has pixels in a part of the frame alone.
"""

from __future__ import annotations

import http.client
import io
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Page
from tests.media.files import write_image
from tests.review.browser import browser_page, codes, look, reviewed, settle, wait

from lumivid_fx.color.config import OUR_CONFIG
from lumivid_fx.color.display_curves import linear_to_srgb
from lumivid_fx.color.looks import false_colours
from lumivid_fx.color.spaces import ACESCG, LINEAR_REC709, ColorSpaces
from lumivid_fx.color.transfer import LOGC3_REC709
from lumivid_fx.review.layers import luminance_weights

Pixels = npt.NDArray[np.float32]

WIDTH, HEIGHT = 120, 66
FIRST, MISSING, BROKEN, LAST = 1001, 1003, 1004, 1005
FILES = (("hdr", "exr"), ("sdr", "png"), ("ref", "exr"))
NEGATIVE, NAN, CEILING, LARGEST = range(4)
"""Columns of the first row that hold these."""

ACES = "sRGB - Display/ACES 1.0 - SDR Video"
OUR_FILMIC = "sRGB - Display/Filmic"
RED, BLUE, YELLOW = (255, 59, 48), (47, 123, 255), (255, 230, 0)
"""Codes of the masks of clipped, negative and broken pixels."""

ONE_TO_ONE = {"fit": False, "zoom": 1, "pan": [0, 0]}
AS_AT_FIRST = {
    "frame": FIRST,
    "exposure": 0,
    "gamma": 1,
    "view": 2,  # the plainest, which software draws soonest
    "channel": "rgb",
    "compare": "off",
    "shown": "plates",
    "against": "source",
    "falseColour": False,
    "wipe": 0.5,
    "held": None,
    "playing": False,
    "masks": dict.fromkeys(("clipped", "negative", "broken", "generated"), False),
    **ONE_TO_ONE,
}


class Shot(NamedTuple):
    """What lies on disk.

    Attributes:
        plates: Pattern of the plates.
        source: Pattern of the source.
        light: The plates' pixels by frame, float32 of half, in ACEScg.
        codes: The source's first frame, 8 bit.
        reference: Pattern of the reference.
        truth: Its light where the plates' display window is, float32 of half, in ACEScg.
    """

    plates: str
    source: str
    light: dict[int, Pixels]
    codes: npt.NDArray[np.uint8]
    reference: str
    truth: Pixels


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    """Plates in ACEScg with alpha and a mask, and the 8-bit source beside them."""
    folder, random = tmp_path_factory.mktemp("shot"), np.random.default_rng(8)
    light = {}
    aces = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
    for number in (FIRST, 1002, BROKEN, LAST):
        stops = random.uniform(-9, 9, (HEIGHT, WIDTH, 1))
        half = (0.18 * 2**stops * random.uniform(0.2, 1, (HEIGHT, WIDTH, 3))).astype(np.float16)
        half[0, NEGATIVE], half[0, NAN] = -0.25, np.nan
        half[0, CEILING], half[0, LARGEST] = LOGC3_REC709.linear_range[1], 65504
        box = np.s_[3:60, 6:110] if number == LAST else np.s_[:, :]
        light[number] = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        light[number][box] = half[box]
        alpha = np.full((HEIGHT, WIDTH, 1), 0.5, np.float16)
        made = np.zeros((HEIGHT, WIDTH, 1), np.float16)
        made[:, : WIDTH // 2] = 1
        write_image(
            folder / f"hdr.{number}.exr",
            np.concatenate([half, alpha, made], axis=2)[box],
            origin=(6, 3) if number == LAST else (0, 0),
            display=(0, 0, WIDTH, HEIGHT),
            channels=["R", "G", "B", "A", "lumivid.generated"],
            attributes={
                "chromaticities": ("float[8]", aces),
                "lumivid/transfer": LOGC3_REC709.name,
                "framesPerSecond": ("rational", (25, 1)),
            },
        )
    cut = folder / f"hdr.{BROKEN}.exr"
    cut.write_bytes(cut.read_bytes()[:3000])
    picture = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    for number in range(FIRST, LAST + 1):
        write_image(folder / f"sdr.{number}.png", picture)
    rec709 = random.uniform(0, 2, (HEIGHT + 7, WIDTH + 9, 3)).astype(np.float16)
    write_image(folder / f"ref.{FIRST}.exr", rec709, origin=(-4, -2), display=(0, 0, WIDTH, HEIGHT))
    truth = ColorSpaces().convert(rec709.astype(np.float32), LINEAR_REC709, ACESCG)
    truth = truth[2 : 2 + HEIGHT, 4 : 4 + WIDTH].astype(np.float16).astype(np.float32)
    patterns = (str(folder / f"{name}.####.{kind}") for name, kind in FILES)
    plates, source, reference = patterns
    return Shot(plates, source, light, picture, reference, truth)


@pytest.fixture(scope="module")
def address(shot: Shot) -> Iterator[str]:
    """A running review of the shot; that Ctrl-C ended it well is looked at when it goes."""
    beside = ("--source", shot.source, "--reference", shot.reference)
    with reviewed(shot.plates, *beside) as url:
        yield url


@pytest.fixture(scope="module")
def opened(address: str) -> Iterator[Page]:
    """Its page, open once for all tests."""
    with browser_page() as page:
        page.goto(address)
        settle(page)
        yield page


@pytest.fixture
def page(opened: Page) -> Page:
    """The page as a test finds it: first frame, one to one, nothing chosen."""
    opened.evaluate("review.frames.forgive()")
    look(opened, **AS_AT_FIRST)
    return opened


def seen(light: Pixels, view: str = "sRGB - Display/Un-tone-mapped", stops: float = 0) -> Pixels:
    """What OpenColorIO's CPU shows of ACEScg light, in 8-bit steps."""
    ours = view.endswith("Filmic")
    spaces = ColorSpaces(OUR_CONFIG) if ours else ColorSpaces()
    rec709 = spaces.convert(light * np.float32(2**stops), ACESCG, LINEAR_REC709)
    return 255 * spaces.linear_to_display(rec709, view)


def apart(shown: npt.NDArray[np.uint8], expected: Pixels) -> float:
    """Largest distance in 8-bit steps, but for the samples that are no numbers."""
    distance = np.abs(shown - expected).max(axis=-1)
    distance[0, NAN] = 0
    return float(distance.max())


def ask(url: str, path: str = "", host: str | None = None, **more: str) -> tuple[int, bytes, dict]:  # type: ignore[type-arg]
    """One HTTP request below an address; status, body and headers in lower case."""
    split = urlsplit(url)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=60)
    connection.request("GET", split.path + path, headers={"Host": host or split.netloc, **more})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, {name.lower(): value for name, value in answer.getheaders()}


def test_frames_come_as_they_are(address: str, shot: Shot) -> None:
    """Half floats in the plate's own space are sent bit for bit, with what they are beside them."""
    status, body, headers = ask(address, f"frames/plates/{FIRST}")
    assert status == 200
    pixels = np.frombuffer(body, "<f2").reshape(HEIGHT, WIDTH, 4)
    np.testing.assert_array_equal(pixels[..., :3], shot.light[FIRST].astype(np.float16))
    assert (pixels[..., 3] == 0.5).all()
    assert headers["lumivid-size"] == f"{WIDTH} {HEIGHT}"
    assert headers["lumivid-range"] == f"{FIRST} {LAST}"
    assert headers["lumivid-frame"] == str(FIRST)
    status, body, headers = ask(address, "frames/plates/1002?scale=2")
    assert headers["lumivid-size"] == f"{WIDTH // 2} {HEIGHT // 2}"
    small = np.frombuffer(body, "<f2").reshape(HEIGHT // 2, WIDTH // 2, 4)
    mean = shot.light[1002][2:4, 4:6].astype(np.float64).mean(axis=(0, 1))
    np.testing.assert_allclose(small[1, 2, :3], mean, rtol=2**-11)  # rounded to half


def test_only_who_has_the_address_is_answered(address: str) -> None:
    """A wrong token, none, and a foreign name of this machine are refused alike, with no frame."""
    port = urlsplit(address).port
    token = urlsplit(address).path.strip("/")
    base = f"http://127.0.0.1:{port}"
    for wrong in ("/", "/session", f"/{token[:-1]}/session", f"/{token}x/session", f"/{token}"):
        assert ask(base + wrong)[0] == 403
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil"):
        assert ask(address, "session", host)[0] == 403
    assert ask(address, "session", f"localhost:{port}")[0] == 200
    status, _, headers = ask(address)
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "frames/plates/x",
            "frames/others/1001",
            "frames/plates/1001?scale=3",
            "shaders/view-999",
        ),
        *("shaders/own-x", "shaders/view-0/tables/9", "../server.py", "%2e%2e/server.py", "x.py"),
    ],
)
def test_what_is_not_there_is_a_sentence(address: str, path: str) -> None:
    """Nothing outside the page's own files is given, and a wrong question breaks nothing."""
    status, body, _ = ask(address, path)
    assert status == 404
    assert re.search(rb'"error": ?".+reload the page"', body)


def test_views_are_what_ocio_shows(page: Page, shot: Shot) -> None:
    """Each pixel is within a step of OpenColorIO's CPU, by keys and by the slider."""
    for key, view in (("3", "sRGB - Display/Un-tone-mapped"), ("1", ACES), ("4", OUR_FILMIC)):
        page.keyboard.press(key)
        settle(page)
        shown = codes(page, WIDTH, HEIGHT)
        assert shown.std() > 40
        assert apart(shown, seen(shot.light[FIRST], view)) <= 1
    assert "8-bit step from OpenColorIO" in page.inner_text("#view-error")
    assert page.evaluate("Math.max(...review.picture.errors.values())") < 1 / 255
    page.keyboard.press("3")
    for stops in (-3.35, 2.5):
        page.fill("#exposure", str(stops))
        settle(page)
        assert apart(codes(page, WIDTH, HEIGHT), seen(shot.light[FIRST], stops=stops)) <= 1
    for _ in range(2):
        page.keyboard.press("-")
    assert page.evaluate("review.state.exposure") == 2.0
    page.keyboard.press("0")
    wait(lambda: page.inner_text("#exposure-value") == "+0.00 stops", "the reset")


def test_the_screen_has_what_the_canvas_has(page: Page, shot: Shot) -> None:
    """A screenshot, which went through the browser's own colour, differs by no step either."""
    left, top, *_ = page.evaluate("review.place()")
    box = page.locator("#picture").bounding_box()
    assert box is not None
    clip = {"x": box["x"] + left, "y": box["y"] + top, "width": WIDTH, "height": HEIGHT}
    picture = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")  # type: ignore[arg-type]
    assert apart(np.asarray(picture), seen(shot.light[FIRST])) <= 1


def test_gamma_and_channels(page: Page, shot: Shot) -> None:
    """Gamma works on the codes; a channel alone is grey; alpha goes through no view."""
    look(page, gamma=2)
    expected = 255 * np.sqrt(seen(shot.light[FIRST]) / np.float32(255))
    assert apart(codes(page, WIDTH, HEIGHT), expected) <= 1
    look(page, gamma=1)
    page.keyboard.press("g")
    settle(page)
    green = seen(shot.light[FIRST][..., 1:2].repeat(3, axis=-1))
    assert apart(codes(page, WIDTH, HEIGHT), green) <= 1
    page.keyboard.press("a")
    settle(page)
    assert set(codes(page, WIDTH, HEIGHT).ravel()) <= {127, 128}


def test_wipe_and_difference_with_the_source(page: Page, shot: Shot) -> None:
    """The source is its own codes; the difference is of light, through the view."""
    page.keyboard.press("w")
    left, _, *_ = page.evaluate("review.place()")
    width = page.evaluate("review.picture.canvas.width")
    edge = 50
    look(page, wipe=(left + edge) / width)
    shown = codes(page, WIDTH, HEIGHT)
    assert apart(shown[:, :edge], seen(shot.light[FIRST])[:, :edge]) <= 1
    assert np.abs(shown[:, edge:].astype(int) - shot.codes[:, edge:]).max() <= 1
    box = page.locator("#picture").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + left + edge, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + left + 90, box["y"] + 30)
    page.mouse.up()
    settle(page)
    assert page.evaluate("review.state.wipe") * width == pytest.approx(left + 90, abs=1)
    page.keyboard.press("d")
    settle(page)
    spaces = ColorSpaces()
    source = spaces.convert(shot.codes.astype(np.float32) / np.float32(255), "srgb", ACESCG)
    source = source.astype(np.float16).astype(np.float32)
    assert apart(codes(page, WIDTH, HEIGHT), seen(np.abs(shot.light[FIRST] - source))) <= 1
    page.keyboard.press("d")
    page.keyboard.press("s")
    settle(page)
    assert page.inner_text("#label-a") == "source"
    assert np.abs(codes(page, WIDTH, HEIGHT).astype(int) - shot.codes).max() <= 1


def test_a_reference_lies_where_its_windows_say(page: Page, shot: Shot) -> None:
    """It has more pixels than its display window, and another space; it goes through the view."""
    page.keyboard.press("s")
    page.keyboard.press("s")
    settle(page)
    assert page.inner_text("#label-a") == "reference"
    assert apart(codes(page, WIDTH, HEIGHT), seen(shot.truth)) <= 1
    look(page, shown="plates", against="reference", compare="difference")
    expected = seen(np.abs(shot.light[FIRST] - shot.truth))
    assert apart(codes(page, WIDTH, HEIGHT), expected) <= 1
    page.keyboard.press("ArrowRight")
    wait(lambda: page.inner_text("#sentence"), "the sentence")
    assert "ref.####.exr has no frame beside 1002; it goes from 1001 to 1001" in page.inner_text(
        "#sentence"
    )


def test_false_colour_is_stops_from_grey(page: Page, shot: Shot) -> None:
    """Each pixel has its band's colour, which follows the exposure; the legend has all of them."""
    spaces, colours = ColorSpaces(), np.rint(false_colours() * 255)
    assert page.locator("#bands").is_hidden()
    page.keyboard.press("o")
    for exposure in (0, 1):
        look(page, exposure=exposure)
        level = shot.light[FIRST] @ np.array(luminance_weights(spaces, ACESCG), np.float32)
        with np.errstate(invalid="ignore"):
            stops = np.log2(np.maximum(level, 1e-9) / 0.18) + exposure
        band = np.clip(np.floor(stops + 0.5), -9, 9)
        inside = np.abs(stops + 0.5 - np.round(stops + 0.5)) > 1e-3  # of an edge, by rounding
        inside[0, : LARGEST + 1] = False
        expected = colours[np.nan_to_num(band + 9).astype(int)]
        np.testing.assert_array_equal(codes(page, WIDTH, HEIGHT)[inside], expected[inside])
    assert page.locator("#bands div").count() == len(colours)
    assert page.locator("#bands").is_visible()


def test_masks_mark_what_they_say(page: Page) -> None:
    """Clipped, negative and broken pixels and the generated half, and no other pixel of theirs."""
    before = codes(page, WIDTH, HEIGHT).astype(int)
    for name in ("clipped", "negative", "broken"):
        page.check(f"#mask-{name}")
    settle(page)
    marked = codes(page, WIDTH, HEIGHT)
    assert tuple(marked[0, NEGATIVE]) == BLUE
    assert tuple(marked[0, NAN]) == YELLOW
    assert tuple(marked[0, CEILING]) == RED
    assert tuple(marked[0, LARGEST]) == RED
    clipped = (marked == RED).all(axis=-1)
    assert 2 <= clipped.sum() < 0.2 * clipped.size
    rest = np.ones((HEIGHT, WIDTH), bool)
    rest[0, : LARGEST + 1] = False
    rest &= ~clipped
    np.testing.assert_array_equal(marked[rest], before[rest])
    assert "ceiling of logc3_rec709" in page.inner_text("#ceiling")
    for name in ("clipped", "negative", "broken"):
        page.uncheck(f"#mask-{name}")
    page.check("#mask-generated")
    tinted = "review.frames.has('generated/plates/1001?scale=1')"
    wait(lambda: page.evaluate(tinted), "the mask")
    settle(page)
    shown = codes(page, WIDTH, HEIGHT).astype(int)
    np.testing.assert_array_equal(shown[:, WIDTH // 2 :], before[:, WIDTH // 2 :])
    expected = 0.4 * before[:, : WIDTH // 2] + 0.6 * np.array([0, 200, 180])
    assert np.abs(shown[:, : WIDTH // 2] - expected).max() <= 1


def test_true_hdr_is_the_light_itself(page: Page, shot: Shot) -> None:
    """What a screen of HDR is given goes beyond 1 and under 0, in sRGB's curve gone on.

    It is offered on such a screen alone, which handing it over needs, and is not tried here.
    """
    assert page.locator("#high-range-label").is_hidden()
    flat = page.evaluate(
        """async ([width, height]) => {
            const { HighRange } = await import('./high_range.js');
            const made = new HighRange(document.createElement('canvas'), review.picture);
            const look = { ...review.look(), toScreen: review.session.to_rec709 };
            const [codes, [left, top]] = [made.codesOf(look), review.place()];
            const at = (y) => ((top + y) * made.width + left) * 4;
            const row = (_, y) => [...codes.subarray(at(y), at(y) + width * 4)];
            return Array.from({ length: height }, row);
        }""",
        [WIDTH, HEIGHT],
    )
    halves = np.array(flat, np.uint16).view(np.float16).reshape(HEIGHT, WIDTH, 4)
    shown = halves[..., :3].astype(np.float32)
    rec709 = ColorSpaces().convert(shot.light[FIRST], ACESCG, LINEAR_REC709)
    expected = linear_to_srgb(rec709)
    shown[0, NAN] = expected[0, NAN] = 0
    assert shown.max() > 2
    assert shown.min() < 0
    # Half float: 2^-11 of the code; near black the card's own 32-bit rounding of the matrix.
    np.testing.assert_allclose(shown, expected, rtol=2**-10, atol=2e-4)


def test_probe_tells_the_pixel(page: Page, shot: Shot) -> None:
    """Linear light, nits and stops of the pixel under the mouse, and the code on the screen."""
    left, top, *_ = page.evaluate("review.place()")
    box = page.locator("#picture").bounding_box()
    assert box is not None
    x, y = 33, 21
    page.mouse.move(box["x"] + left + x + 0.5, box["y"] + top + y + 0.5)
    wait(lambda: page.inner_text("#where").startswith(f"{x}, {y}"), "the pixel")
    settle(page)
    cells = page.locator("#probe tbody tr").first.locator("td").all_inner_texts()
    light = shot.light[FIRST][y, x].astype(np.float64)
    level = float(light @ np.array(luminance_weights(ColorSpaces(), ACESCG)))
    told = [float(cell.replace("−", "-")) for cell in cells]
    assert told[:3] == [float(f"{value:.5g}") for value in light]
    assert told[3] == float(f"{100 * level:.4g}")
    assert told[4] == pytest.approx(np.log2(level / 0.18), abs=0.006)
    screen = page.locator("#probe tbody tr").last.locator("td").all_inner_texts()[:3]
    assert np.abs(np.array(screen, int) - seen(shot.light[FIRST])[y, x]).max() <= 1


def test_scopes_count_every_sample(page: Page, shot: Shot) -> None:
    """Histogram and waveform hold exactly the samples that numpy finds in each bin."""
    settle(page)
    flat = page.evaluate("review.panel.histogram.map((counts) => [...counts])")
    wave = page.evaluate("review.panel.counted.waveform.map((counts) => [...counts])")
    light = shot.light[FIRST].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        bins = np.floor((np.log2(light / 0.18) + 12) * 8)
    for channel in range(3):
        inside = (bins[..., channel] >= 0) & (bins[..., channel] < 192)
        numbers = bins[..., channel][inside].astype(int)
        np.testing.assert_array_equal(flat[channel][:192], np.bincount(numbers, minlength=192))
        assert flat[channel][192:] == [1, 0, 0, 1, 1]  # negative, zero, under, over, no number
        columns = np.broadcast_to(np.arange(WIDTH) * 256 // WIDTH, (HEIGHT, WIDTH))[inside]
        counts = np.bincount(columns * 192 + numbers, minlength=256 * 192).reshape(256, 192)
        np.testing.assert_array_equal(np.array(wave[channel]).reshape(256, -1)[:, :192], counts)
    assert "3 negative" in page.inner_text("#counts")


def test_scrubbing_tells_of_missing_and_broken_frames(page: Page, shot: Shot) -> None:
    """Arrows, timeline and number go to frames; a hole or a cut file is one sentence each."""
    page.keyboard.press("ArrowRight")
    settle(page)
    assert apart(codes(page, WIDTH, HEIGHT), seen(shot.light[1002])) <= 1
    for number, said in ((MISSING, "lacks frame 1003"), (BROKEN, "cut short, damaged")):
        page.keyboard.press("ArrowRight")
        wait(lambda said=said: said in page.inner_text("#sentence"), said)  # type: ignore[misc]
        sentence = page.inner_text("#sentence")
        assert ("hdr.####.exr" if number == MISSING else "hdr.1004.exr") in sentence
        assert sentence.count(". ") == 0
    page.keyboard.press("End")
    settle(page)
    assert page.locator("#sentence").is_hidden()
    assert apart(codes(page, WIDTH, HEIGHT), seen(shot.light[LAST])) <= 1
    bar = page.locator("#timeline").bounding_box()
    assert bar is not None
    page.mouse.click(bar["x"] + 0.3 * bar["width"], bar["y"] + 10)
    settle(page)
    assert page.input_value("#frame") == "1002"
    page.fill("#frame", "1001")
    page.locator("#frame").press("Enter")
    wait(lambda: page.evaluate("review.state.frame") == FIRST, "the frame")


def test_playing_goes_round_and_stops(page: Page) -> None:
    """Space plays, past what cannot be shown, and again stands still on a whole frame."""
    assert page.inner_text("#rate") == "25 fps"
    page.locator("#picture").focus()
    page.keyboard.press(" ")
    for number in (LAST, FIRST):
        wait(lambda number=number: page.evaluate("review.state.frame") == number, "a turn")  # type: ignore[misc]
    page.keyboard.press(" ")
    assert not page.evaluate("review.state.playing")
    page.keyboard.press("Home")
    settle(page)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    assert "play, stop" in page.inner_text("#help")
    page.keyboard.press("Escape")


def test_wheel_zooms_and_f_fits(page: Page) -> None:
    """What is under the mouse stays there; enlarged pixels are squares of one code."""
    box = page.locator("#picture").bounding_box()
    left, top, *_ = page.evaluate("review.place()")
    assert box is not None
    page.mouse.move(box["x"] + left + 20.5, box["y"] + top + 20.5)
    page.mouse.wheel(0, -800)
    settle(page)
    wait(lambda: page.evaluate("review.state.zoom") == 4, "the zoom")
    where = page.evaluate(f"review.pixelAt({left} + 20.5, {top} + 20.5)")
    assert where == [20, 20]
    x, y, *_ = page.evaluate("review.place()")
    flat = page.evaluate(f"review.codes({x} + 80, {y} + 80, 4, 4)")
    assert len({tuple(flat[i : i + 3]) for i in range(0, len(flat), 4)}) == 1
    page.keyboard.press("f")
    settle(page)
    *_, across, down = page.evaluate("review.place()")
    fit = page.evaluate("[review.picture.canvas.width, review.picture.canvas.height]")
    assert across == down == pytest.approx(min(fit[0] / WIDTH, fit[1] / HEIGHT))
