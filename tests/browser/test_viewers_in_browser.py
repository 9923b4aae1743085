"""The slider and the player in a browser: on a bare page, and in a saved notebook."""

import re

import nbformat
import pytest
from PIL import Image
from viewing import COLOURS, across, divider, frame

import onereward_nb as onr

RED, GREEN, BLUE = (Image.new("RGB", (128, 128), colour) for colour in COLOURS)
STEPS = 6

CELLS = {
    "onr.compare(red, green, blue)": lambda: onr.compare(RED, GREEN, BLUE),
    "onr.player([red, green, blue])": lambda: onr.player([RED, GREEN, BLUE]),
}


@pytest.fixture
def open_page(browser):
    """open_page(html, **settings): a page that shows it. Errors in the page fail the test."""
    contexts, errors = [], []

    def opened(html, **settings):
        context = browser.new_context(**{"reduced_motion": "reduce"} | settings)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_content(html if "<html" in html else f"<!doctype html><body>{html}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def slider(open_page):
    return open_page(onr.compare(RED, GREEN, BLUE).html)


@pytest.fixture
def player(open_page):
    return open_page(steps())


def steps(fps=50):
    return onr.player([Image.new("RGB", (128, 128), (i * 50, 0, 0)) for i in range(STEPS)], fps=fps).html


def stored():
    """A notebook with the outputs of a reader's run."""
    cells = []
    for source, made in CELLS.items():
        data, metadata = made()._repr_mimebundle_()
        data["image/png"] = ""  # a page shows the HTML
        output = nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=1)
        cells.append(nbformat.v4.new_code_cell(source, outputs=[output], execution_count=1))
    return nbformat.v4.new_notebook(cells=cells)


def test_the_slider_starts_in_the_middle_of_an_enlarged_picture(slider):
    assert across(slider, 0.05, 0.48, 0.52, 0.95) == ["red", "red", "green", "green"]
    box = slider.locator(".onr-stage").bounding_box()
    assert (box["width"], box["height"]) == (384, 384)


def test_the_line_stands_where_the_pointer_is(slider):
    box = slider.locator(".onr-stage").bounding_box()
    y = box["y"] + 300
    slider.mouse.move(box["x"] + 200, y)
    slider.mouse.down()
    for x in (60, 300, 384 * 0.25):
        slider.mouse.move(box["x"] + x, y)
        handle = slider.locator(".onr-handle").bounding_box()
        assert abs(handle["x"] + handle["width"] / 2 - box["x"] - x) < 1
    slider.mouse.up()
    assert across(slider, 0.2, 0.3) == ["red", "green"]


def test_the_slider_goes_by_keyboard_and_says_what_it_is(slider):
    slider.keyboard.press("Tab")
    assert slider.evaluate("document.activeElement.ariaLabel").startswith("Percent of the width")
    slider.keyboard.press("ArrowRight")
    assert float(divider(slider).input_value()) == 51
    slider.keyboard.press("Home")
    assert across(slider, 0.05, 0.95) == ["green", "green"]
    slider.keyboard.press("End")
    assert across(slider, 0.05, 0.95) == ["red", "red"]


def test_a_target_can_stand_on_either_comparison(slider):
    slider.get_by_text("before | target").click()
    assert across(slider, 0.25, 0.75) == ["red", "blue"]
    slider.keyboard.press("ArrowRight")
    assert across(slider, 0.25, 0.75) == ["green", "blue"]
    assert slider.get_by_role("radio", name="after | target").is_checked()


def test_two_sliders_on_a_page_do_not_move_each_other(open_page):
    page = open_page(onr.compare(RED, GREEN, BLUE).html * 2)
    page.get_by_text("after | target").last.click()
    divider(page).last.press("Home")
    assert across(page, 0.25, 0.75) == ["red", "green"]
    assert page.get_by_role("radio", name="before | after").first.is_checked()


def test_without_a_target_there_is_nothing_to_choose(open_page):
    page = open_page(onr.compare(RED, GREEN).html)
    assert page.get_by_role("radio").count() == 0
    assert across(page, 0.25, 0.75) == ["red", "green"]


def test_a_narrow_page_shrinks_the_picture(open_page):
    page = open_page(onr.compare(RED, GREEN).html, viewport={"width": 300, "height": 500})
    box = page.locator(".onr-stage").bounding_box()
    assert box["width"] == box["height"] == 300 - 16


def test_a_finger_slides(open_page):
    page = open_page(onr.compare(RED, GREEN).html, has_touch=True)
    box = page.locator(".onr-stage").bounding_box()
    page.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + 300)
    assert across(page, 0.7, 0.8) == ["red", "green"]


@pytest.mark.parametrize("scheme, ink", [("light", "rgb(0, 0, 0)"), ("dark", "rgb(255, 255, 255)")])
def test_words_have_the_colour_of_the_page(open_page, scheme, ink):
    page = open_page(
        '<meta name="color-scheme" content="light dark">' + onr.compare(RED, GREEN, BLUE).html + steps(),
        color_scheme=scheme,
    )
    for words in ("after | target", f"step {STEPS}"):
        assert page.get_by_text(words).first.evaluate("element => getComputedStyle(element).color") == ink
    triangle = "element => getComputedStyle(element, '::after').backgroundColor"
    assert page.get_by_role("button").evaluate(triangle) == ink


def test_with_less_motion_the_player_rests_on_the_last_frame(player):
    player.wait_for_timeout(200)  # ten frames long
    assert frame(player) == ("step 6", 250)
    assert player.get_by_role("button", name="Play").is_visible()


def test_otherwise_it_plays_once_when_it_comes_into_view(open_page):
    page = open_page('<div style="height: 3000px"></div>' + steps(), reduced_motion="no-preference")
    page.evaluate("""() => {
        window.seen = [];
        const label = document.querySelector(".onr-player .onr-controls span");
        new MutationObserver(() => seen.push(label.textContent)).observe(label, { childList: true });
    }""")
    page.wait_for_timeout(200)
    assert page.evaluate("seen") == []
    page.locator(".onr-player").scroll_into_view_if_needed()
    page.wait_for_function(f"seen.at(-1) === 'step {STEPS}'")
    page.wait_for_timeout(200)
    assert page.evaluate("seen") == [f"step {i + 1}" for i in range(STEPS)]
    assert page.get_by_role("button", name="Play").is_visible()


def test_the_button_plays_pauses_and_goes_on(open_page):
    page = open_page(steps(fps=2))
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    paused = frame(page)
    assert paused != (f"step {STEPS}", 250)  # it began again
    page.wait_for_timeout(700)
    assert frame(page) == paused
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Play").wait_for()
    assert frame(page) == (f"step {STEPS}", 250)


def test_the_player_goes_by_keyboard(player):
    button, range_ = player.get_by_role("button"), player.get_by_role("slider")
    button.press("ArrowLeft")
    assert frame(player) == ("step 5", 200)
    range_.press("ArrowLeft")
    assert frame(player) == ("step 4", 150)
    range_.press("Home")
    assert frame(player) == ("step 1", 0)
    assert range_.get_attribute("aria-valuetext") == "step 1"
    for control in (range_, button):
        control.press(" ")
        player.get_by_role("button", name="Play").wait_for()  # it has played
        assert frame(player) == ("step 6", 250)


def test_moving_the_slider_stops_the_player(open_page):
    page = open_page(steps(fps=20))
    page.get_by_role("button").click()
    page.get_by_role("slider").fill("2")
    page.wait_for_timeout(200)
    assert frame(page) == ("step 3", 100)


def test_a_single_frame_is_no_trouble(open_page):
    page = open_page(onr.player([RED]).html, reduced_motion="no-preference")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Play").wait_for()
    assert frame(page) == ("step 1", 255)


def test_both_work_in_a_saved_page(open_page):
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_notebook_node(stored())
    without_network = re.sub(r'<script src="http[^>]*></script>', "", html)  # nbconvert's own
    page = open_page(without_network)
    divider(page).press("Home")
    assert across(page, 0.05, 0.95) == ["green", "green"]
    page.get_by_text("before | target").click()
    assert across(page, 0.05, 0.95) == ["blue", "blue"]
    page.locator(".onr-player input").press("ArrowLeft")
    assert frame(page) == ("step 2", 0)  # green: no red in it
