"""The slider and the player, as Python hands them to a notebook: what is stored, sizes, words for mistakes."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import onereward_nb as onr
from onereward_nb.widgets import pages

RED, GREEN, BLUE = (Image.new("RGB", (128, 128), colour) for colour in ("red", "green", "blue"))


def noise(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def files(html):
    """The pictures inside the HTML, as bytes."""
    return [base64.b64decode(text) for text in re.findall(r"data:image/webp;base64,([^\"]+)", html)]


def pictures(html):
    return [Image.open(io.BytesIO(file)).convert("RGB") for file in files(html)]


@pytest.fixture(params=["compare", "with target", "player"])
def make(request):
    return {
        "compare": lambda: onr.compare(RED, BLUE),
        "with target": lambda: onr.compare(RED, BLUE, GREEN),
        "player": lambda: onr.player([RED, BLUE, GREEN]),
    }[request.param]


def test_a_reader_gets_the_live_part_and_the_still(make):
    data, metadata = make()._repr_mimebundle_()
    assert set(data) == {"text/html", "image/png", "text/plain"}
    assert metadata["image/png"]["alt"] == make().alt
    assert data["text/plain"].startswith(make().alt)


def test_stored_outputs_hold_the_still_alone(make, monkeypatch):
    monkeypatch.setenv("ONEREWARD_NB_FROZEN", "1")
    data, _ = make()._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}


def test_the_same_comes_out_each_time(make):
    assert make()._repr_mimebundle_() == make()._repr_mimebundle_()


def test_the_page_asks_for_nothing_outside_itself(make):
    html = make().html.replace("http://www.w3.org/2000/svg", "")  # the name of a format
    assert not re.search(r"https?:|//\w+\.|<link|import\b", html)


def test_stills_name_what_they_show():
    assert onr.compare(RED, BLUE).alt == "Pictures: before; after"
    assert onr.compare(RED, BLUE, RED).alt == "Pictures: before; after; target"
    assert onr.player([RED] * 3, ["noise", "half", "done"]).alt == "3 of 3 frames: noise; half; done"
    many = onr.player([RED] * 28)
    assert many.alt == "6 of 28 frames: step 1; step 6; step 12; step 17; step 23; step 28"
    assert many.image.height < 200  # one row


def test_small_pictures_lose_nothing():
    before, after = noise(128, 128), noise(128, 128, seed=1)
    for sent, original in zip(pictures(onr.compare(before, after).html), (before, after), strict=True):
        assert np.array_equal(sent, original)


@pytest.mark.parametrize("count, side", [(28, 128), (50, 512), (2, 1024)], ids=str)
def test_noise_of_any_size_stays_below_what_a_message_may_hold(count, side):
    html = onr.player([noise(side, side)] * count).html
    assert len(files(html)) == count
    assert len(html) < 1_000_000


def test_arrays_are_pictures_too():
    half = np.full((64, 96, 3), 0.5, dtype=np.float32)
    assert [picture.size for picture in pictures(onr.compare(half, half).html)] == [(96, 64)] * 2


@pytest.mark.parametrize(
    "size, width",
    [((128, 128), 384), ((512, 512), 512), ((1024, 1024), 640), ((64, 256), 96), ((256, 128), 384)],
    ids=str,
)
def test_width_on_the_page(size, width):
    assert pages.shown_width(Image.new("RGB", size)) == width


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: onr.compare(RED, noise(64, 96)), "before is 128x128 pixels, after 64x96.*one size.*resize"),
        (lambda: onr.compare(RED, RED, noise(64, 64)), "before is 128x128 pixels, target 64x64"),
        (lambda: onr.player([]), "No frames to play"),
        (lambda: onr.player([RED, noise(64, 64)]), "frame 0 is 128x128 pixels, frame 1 64x64"),
        (lambda: onr.player([RED], ["a", "b"]), "2 labels for 1 frames"),
        (lambda: onr.player([RED], fps=0), "fps=0"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_picture_is_no_list_of_frames():
    with pytest.raises(TypeError, match="frames is one picture: give a list"):
        onr.player(RED)


def test_labels_are_words_not_markup():
    html = onr.player([RED], ['<b>"1" & 2']).html
    assert "<b>" not in html
    assert 'alt="&lt;b&gt;&quot;1&quot; &amp; 2"' in html
