"""The editor's ES module in a bare page: tools, transform, keys. What it sends is checked by the real Python."""

import numpy as np
import pytest
from drawing import WAIT, Surface, iou
from PIL import Image, ImageDraw

import onereward_nb as onr
from onereward_nb import masks
from onereward_nb.widgets import png

PATIENCE = 3_000  # milliseconds, as in editor.js


def stroke(image, points, width):
    """As masks.stroke; a whole number there is the middle of a pixel, here its corner."""
    return masks.stroke(image, [(x - 0.5, y - 0.5) for x, y in points], width)


def polygon(image, points):
    return masks.polygon(image, [(x - 0.5, y - 0.5) for x, y in points])


def picture(size=(128, 96)):
    """A dark and a light half, and a red disc in the light one."""
    image = Image.new("RGB", size, (40, 60, 90))
    pen = ImageDraw.Draw(image)
    pen.rectangle((size[0] // 2, 0, size[0], size[1]), fill=(200, 210, 190))
    pen.ellipse((80, 20, 119, 59), fill=(220, 40, 30))
    return image


def centre(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.fixture
def open_editor(show):
    """open_editor(image, ..., page=settings of the page) gives (editor, surface)."""
    pages = []

    def opened(image=None, page=None, **settings):
        editor = onr.MaskEditor(image or picture(), **settings)
        pages.append(show(editor, **(page or {})))
        surface = Surface(pages[-1].page)
        surface.page.locator(".onr-editor").focus()
        surface.push = pages[-1].push
        return editor, surface

    yield opened
    for page in pages:
        assert page.errors == []


# --- tools ---------------------------------------------------------------------------------------


def test_brush_eraser_and_straight_line(open_editor):
    editor, surface = open_editor(brush_size=10)
    with surface.synced():
        surface.drag((20, 20), (60, 40), (60, 70))
    line = stroke(editor.image, [(20, 20), (60, 40), (60, 70)], 10)
    assert iou(editor.mask, line) > 0.93
    assert np.abs(np.subtract(masks.bounding_box(editor.mask), (15, 15, 65, 75))).max() <= 1

    with surface.synced():
        surface.keys("Shift+KeyA")  # stands for nothing, and does nothing
        surface.page.keyboard.down("Shift")
        surface.click(100, 70)
        surface.page.keyboard.up("Shift")
    assert editor.mask.getpixel((80, 70)) == 255

    with surface.synced():
        surface.keys("e")
        surface.drag((0, 70), (128, 70))
    assert editor.erase
    assert masks.bounding_box(editor.mask)[3] == 65
    with surface.synced():
        surface.keys("x")
        surface.drag((0, 90), (128, 90), button="right")  # nothing there, so nothing is sent
        surface.drag((0, 70), (128, 70))
    with surface.synced():
        surface.drag((0, 70), (128, 70), button="right")
    assert masks.bounding_box(editor.mask)[3] == 65


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_a_dot_is_a_disc_of_the_brush(open_editor, size):
    editor, surface = open_editor(brush_size=size)
    with surface.synced():
        surface.click(50.5, 40.5)
    columns, rows = np.meshgrid(np.arange(128) + 0.5, np.arange(96) + 0.5)
    disc = np.hypot(columns - 50.5, rows - 40.5) <= size / 2
    assert iou(editor.mask, disc) > 0.9 if size > 2 else masks.coverage(editor.mask) > 0
    if size == 1:
        assert masks.bounding_box(editor.mask) == (50, 40, 51, 41)


def test_a_line_of_one_pixel_has_no_gaps(open_editor):
    editor, surface = open_editor(brush_size=1)
    with surface.synced():
        surface.drag((10, 10), (90, 37))
    painted = np.asarray(editor.mask) > 0
    assert painted[:, 10:90].any(axis=0).all()
    assert painted.sum() < 130


def test_rectangle(open_editor):
    editor, surface = open_editor()
    with surface.synced():
        surface.command("Rectangle")
        surface.drag((60.5, 50.5), (20.5, 10.5))
    assert editor.mask.tobytes() == masks.box(editor.image, 20, 10, 61, 51).tobytes()
    with surface.synced():
        surface.keys("x")
        surface.drag((30.5, -3), (40.5, 99))
    assert masks.coverage(editor.mask) == pytest.approx((41 - 11) * 41 / (128 * 96))


def test_lasso_fills_even_where_it_crosses_itself(open_editor):
    editor, surface = open_editor()
    corners = [(20, 20), (100, 30), (90, 80), (30, 70)]
    with surface.synced():
        surface.keys("l")
        surface.drag(*corners)
    assert iou(editor.mask, polygon(editor.image, corners)) > 0.95
    with surface.synced():
        surface.command("Clear")
    with surface.synced():
        surface.drag((20, 20), (100, 20), (100, 80), (20, 80), (20, 20), (100, 20), (100, 80))
    assert iou(editor.mask, masks.box(editor.image, 20, 20, 100, 80)) > 0.97


def test_polygon_by_clicks(open_editor):
    editor, surface = open_editor()
    corners = [(20, 20), (100, 30), (60, 80)]
    with surface.synced():
        surface.command("Polygon")
        for corner in corners[:2]:
            surface.click(*corner)
        surface.click(10, 90)
        surface.keys("Control+z")  # takes back the corner
        surface.click(*corners[2])
        surface.click(20, 21)  # closes it
    assert iou(editor.mask, polygon(editor.image, corners)) > 0.95
    for corner in corners:
        surface.click(*corner)
    surface.keys("Escape")  # gives it up
    with surface.synced():
        surface.keys("x")
        surface.click(0, 0)
        surface.click(128, 0)
        surface.click(128, 96)
        surface.keys("Enter")
    assert editor.mask.getpixel((70, 30)) == 0


def test_fill_takes_similar_colours(open_editor):
    editor, surface = open_editor(tolerance=30)
    with surface.synced():
        surface.keys("g")
        surface.click(100, 40)
    assert iou(editor.mask, masks.ellipse(editor.image, 80, 20, 120, 60)) > 0.99
    with surface.synced():
        surface.click(10, 10)
    assert editor.mask.crop((0, 0, 64, 96)).getextrema() == (255, 255)
    editor.tolerance = 255
    surface.push()
    with surface.synced():
        surface.keys("x")
        surface.click(100, 40)
    assert editor.mask.getbbox() == (0, 0, 64, 96)  # up to what is not painted anyway


def test_fill_stops_at_what_is_painted_and_shift_does_not(open_editor):
    editor, surface = open_editor(Image.new("RGB", (128, 96), (90, 90, 90)), brush_size=3, tolerance=0)
    with surface.synced():
        surface.drag((64, -5), (64, 110))
    with surface.synced():
        surface.keys("g")
        surface.click(20, 20)
    assert editor.mask.getbbox() == (0, 0, 66, 96)
    with surface.synced():
        surface.page.keyboard.down("Shift")
        surface.click(20, 20)
        surface.page.keyboard.up("Shift")
    assert masks.coverage(editor.mask) == 1


def test_whole_mask_commands_do_as_python_does(open_editor):
    editor, surface = open_editor(mask=masks.ellipse((128, 96), 0, 20, 50, 70))
    for name, operation in [
        ("Grow", lambda mask: masks.grow(mask, 1)),
        ("Shrink", lambda mask: masks.shrink(mask, 1)),
        ("Invert", masks.invert),
        ("Shrink", lambda mask: masks.shrink(mask, 1)),
        ("Clear", lambda mask: Image.new("L", mask.size)),
    ]:
        expected = operation(editor.mask)
        with surface.synced():
            surface.command(name)
        assert editor.mask.tobytes() == expected.tobytes(), name


def test_undo_and_redo(open_editor):
    editor, surface = open_editor()
    states = [editor.mask.tobytes()]
    for x in (20, 60, 100):
        with surface.synced():
            surface.click(x, 50)
        states.append(editor.mask.tobytes())
    for state in states[-2::-1]:
        with surface.synced():
            surface.keys("Control+z")
        assert editor.mask.tobytes() == state
    surface.keys("Control+z")  # there is nothing before
    for state, key in zip(states[1:], ["Control+Shift+z", "Control+y", "Control+Shift+z"], strict=True):
        with surface.synced():
            surface.keys(key)
        assert editor.mask.tobytes() == state
    with surface.synced():
        surface.command("Undo")
    with surface.synced():
        surface.click(10, 10)
    assert surface.page.get_by_role("button", name="Redo").get_attribute("aria-disabled") == "true"


# --- where and how large ---------------------------------------------------------------------------


@pytest.mark.parametrize("dpr", [1, 2])
def test_what_is_shown_lies_where_it_was_drawn(open_editor, dpr):
    editor, surface = open_editor(
        page={"device_scale_factor": dpr}, colour="#00ff00", opacity=1, tool="rectangle"
    )
    with surface.synced():
        surface.drag((10.5, 20.5), (39.5, 49.5))
    for zoomed in (False, True):
        if zoomed:
            surface.command("Zoom in")
        left, top, scale = map(float, surface.canvas.get_attribute("data-transform").split())
        # Read in the next frame, after which nothing is left to be drawn.
        green = surface.canvas.evaluate(
            """canvas => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
                const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                const box = [1e9, 1e9, 0, 0];
                for (let at = 0; at < data.length; at += 4) {
                    if (data[at] > 9 || data[at + 1] < 250 || data[at + 2] > 9) continue;
                    const [x, y] = [(at / 4) % width, Math.floor(at / 4 / width)];
                    box[0] = Math.min(box[0], x); box[1] = Math.min(box[1], y);
                    box[2] = Math.max(box[2], x + 1); box[3] = Math.max(box[3], y + 1);
                }
                done(box);
            })))"""
        )
        left, top, scale = map(float, surface.canvas.get_attribute("data-transform").split())
        expected = [max(0, left + 10 * scale), top + 20 * scale, left + 40 * scale, top + 50 * scale]
        assert green == pytest.approx([side * dpr for side in expected], abs=1.01)
    assert masks.bounding_box(editor.mask) == (10, 20, 40, 50)


def test_small_pictures_are_shown_large_and_centred(open_editor):
    _, surface = open_editor(Image.new("RGB", (128, 128)))
    assert surface.scale == 4
    box = surface.canvas.bounding_box()
    assert surface.at(64, 64) == pytest.approx(
        (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), abs=1
    )


def test_strokes_go_on_outside_the_picture(open_editor):
    editor, surface = open_editor(brush_size=8)
    with surface.synced():
        surface.drag((64, 48), (400, 48), (400, -400), (64, -400), (64, 20))
    assert masks.bounding_box(editor.mask) == (60, 0, 128, 52)
    assert editor.mask.getpixel((64, 2)) == 255


def test_the_picture_is_seen_without_its_mask_while_a_key_is_held(open_editor):
    _, surface = open_editor(mask=Image.new("L", (128, 96), 255), colour="#00ff00", opacity=1)
    green = """([canvas, green]) => {
        const [, value] = canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
        return (value === 255) === green;
    }"""
    surface.page.wait_for_function(green, arg=[surface.element(), True])
    surface.page.keyboard.down("o")
    surface.page.wait_for_function(green, arg=[surface.element(), False])
    surface.page.keyboard.up("o")
    surface.page.wait_for_function(green, arg=[surface.element(), True])
    surface.page.mouse.move(*centre(surface.page.get_by_role("button", name="Hold to see")))
    surface.page.mouse.down()
    surface.page.wait_for_function(green, arg=[surface.element(), False])
    surface.page.mouse.up()
    surface.page.wait_for_function(green, arg=[surface.element(), True])


def test_zoom_pan_and_back(open_editor):
    editor, surface = open_editor(brush_size=4)
    page = surface.page
    whole = surface.canvas.get_attribute("data-transform")
    transform = "([canvas, old]) => canvas.dataset.transform !== old"
    page.locator("#before").focus()
    page.mouse.move(*surface.at(100, 30))
    page.mouse.wheel(0, -300)  # has no focus yet: the page scrolls
    page.locator(".onr-editor").focus()
    before = surface.at(100, 30)
    page.mouse.wheel(0, -300)
    page.wait_for_function(transform, arg=[surface.element(), whole])
    assert surface.at(100, 30) == pytest.approx(before, abs=0.5)
    zoomed = surface.canvas.get_attribute("data-transform")
    page.keyboard.down("Space")
    surface.drag((100, 30), (80, 30))
    page.keyboard.up("Space")
    page.wait_for_function(transform, arg=[surface.element(), zoomed])
    with surface.synced():
        surface.click(90, 40)
    assert np.abs(np.subtract(masks.bounding_box(editor.mask), (88, 38, 92, 42))).max() <= 1
    surface.keys("0")
    page.wait_for_function(
        "([canvas, old]) => canvas.dataset.transform === old", arg=[surface.element(), whole]
    )


def touch(surface, kind, *points):
    x_and_y = surface.places(*points)
    surface.session.send(
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(x_and_y)]},
    )


def test_one_finger_draws_and_two_zoom(open_editor):
    editor, surface = open_editor(brush_size=8, page={"has_touch": True})
    surface.session = surface.page.context.new_cdp_session(surface.page)
    with surface.synced():
        touch(surface, "touchStart", (20, 48))
        touch(surface, "touchMove", (60, 48))
        touch(surface, "touchMove", (100, 48))
        touch(surface, "touchEnd")
    assert iou(editor.mask, stroke(editor.image, [(20, 48), (100, 48)], 8)) > 0.9
    drawn, before = editor.mask.tobytes(), surface.canvas.get_attribute("data-transform")
    touch(surface, "touchStart", (60, 20))
    touch(surface, "touchStart", (60, 20), (60, 80))
    touch(surface, "touchMove", (60, 5), (60, 95))
    touch(surface, "touchEnd")
    surface.page.wait_for_function(
        "([canvas, old]) => canvas.dataset.transform !== old", arg=[surface.element(), before], timeout=WAIT
    )
    with surface.synced():
        surface.keys("i")
    assert masks.invert(editor.mask).tobytes() == drawn  # the first finger had left no dot


def test_a_pen_paints_by_its_pressure(open_editor):
    editor, surface = open_editor(brush_size=20)
    widths = []
    for x, pressure in ((30, 1.0), (90, 0.2)):
        with surface.synced():
            left, top = surface.at(x, 48)
            for kind in ("pointerdown", "pointerup"):
                surface.canvas.dispatch_event(
                    kind,
                    {
                        "pointerType": "pen",
                        "pointerId": 1,
                        "pressure": pressure,
                        "clientX": left,
                        "clientY": top,
                    },
                )
        half = editor.mask.crop((0, 0, 64, 96) if x < 64 else (64, 0, 128, 96)).getbbox()
        widths.append(half[2] - half[0])
    assert widths[0] == pytest.approx(20, abs=1)
    assert widths[1] == pytest.approx(20 * 0.44, abs=1.5)


def test_a_picture_of_4096_pixels(open_editor):
    editor, surface = open_editor(Image.new("RGB", (4096, 4096), (90, 120, 60)), brush_size=300)
    with surface.synced():
        surface.drag((500, 600), (3500, 3000))
    line = stroke(editor.image, [(500, 600), (3500, 3000)], 300)
    assert iou(editor.mask, line) > 0.98
    with surface.synced():
        surface.command("Invert")
    with surface.synced(2):
        surface.command("Undo")
        surface.wait_for(3)
        surface.command("Undo")
    assert masks.coverage(editor.mask) == 0


# --- room around the picture -----------------------------------------------------------------------


def test_handles_extend_on_four_sides(open_editor):
    editor, surface = open_editor(Image.new("RGB", (100, 100)), mask=masks.box((100, 100), 10, 10, 20, 20))
    scale = surface.scale
    margins = [0, 0, 0, 0]
    for i, (side, dx, dy) in enumerate([("left", -1, 0), ("top", 0, -1), ("right", 1, 0), ("bottom", 0, 1)]):
        handle = surface.page.get_by_label(f"Extend on the {side}")
        scale = surface.scale
        with surface.synced():
            x, y = centre(handle)
            surface.page.mouse.move(x, y)
            surface.page.mouse.down()
            surface.page.mouse.move(x + dx * 12 * scale, y + dy * 12 * scale)
            assert "→" in surface.page.locator(".onr-facts").text_content()
            surface.page.mouse.up()
        margins[i] = 12
        assert editor.margins == tuple(margins)
    expected = masks.extend_canvas(Image.new("RGB", (100, 100)), 12, 12, 12, 12)
    assert editor.image.tobytes() == expected[0].tobytes()
    assert editor.mask.tobytes() == masks.union(expected[1], masks.box((124, 124), 22, 22, 32, 32)).tobytes()
    assert surface.page.locator(".onr-facts").text_content().startswith("100 × 100 → 124 × 124 px")
    with surface.synced():
        surface.keys("Control+z")
    assert editor.margins == (12, 12, 12, 0)
    with surface.synced():
        surface.page.get_by_label("Extend on the right").press("ArrowRight")
    assert editor.margins == (12, 12, 20, 0)


@pytest.mark.parametrize(
    ("preset", "size"),
    [("1 : 1", (120, 120)), ("4 : 3", (120, 90)), ("16 : 9", (142, 80)), ("+25 %", (150, 100))],
)
def test_presets_and_back(open_editor, preset, size):
    editor, surface = open_editor(Image.new("RGB", (120, 80)))
    presets = surface.page.get_by_label("Extend the canvas")
    with surface.synced():
        presets.select_option(preset)
    assert editor.image.size == size
    assert abs(editor.margins[0] - editor.margins[2]) <= 1
    assert abs(editor.margins[1] - editor.margins[3]) <= 1
    assert masks.coverage(editor.mask) == pytest.approx(1 - 120 * 80 / (size[0] * size[1]))
    with surface.synced():
        presets.select_option("back to the picture")
    assert editor.image.size == (120, 80)
    assert masks.coverage(editor.mask) == 0


# --- keys ------------------------------------------------------------------------------------------


def test_keys_choose_tools_and_sizes_while_it_has_the_focus(open_editor):
    editor, surface = open_editor(brush_size=20)
    heard = surface.page.evaluate_handle(
        "() => { const heard = []; document.addEventListener('keydown', (event) => heard.push(event.key)); return heard; }"
    )
    surface.page.locator("#before").click()
    surface.keys("u")
    assert (editor.tool, heard.json_value()) == ("brush", ["u"])
    surface.page.locator(".onr-editor").focus()
    for key, tool in {
        "u": "rectangle",
        "l": "lasso",
        "p": "polygon",
        "g": "fill",
        "e": "brush",
        "b": "brush",
    }.items():
        surface.keys(key)
        assert surface.page.locator('.onr-editor button[aria-pressed="true"]').count() >= 1
        surface.page.wait_for_function("tool => model.get('tool') === tool", arg=tool)
    surface.keys("]", "]", "[")
    surface.page.mouse.move(*surface.at(20, 20))
    surface.page.keyboard.down("Control")
    surface.page.mouse.wheel(0, 400)
    surface.page.keyboard.up("Control")
    surface.page.wait_for_function("() => model.get('brush_size') < 20")
    assert heard.json_value() == ["u"]  # nothing got through
    surface.keys("Escape", "u")
    assert heard.json_value() == ["u", "u"]
    assert editor.tool == "brush"


def test_it_can_be_drawn_on_without_a_mouse(open_editor):
    editor, surface = open_editor(brush_size=9)
    page = surface.page
    page.locator("#before").focus()
    surface.keys("Tab", "Tab", "ArrowRight", "ArrowRight", "Enter")
    page.wait_for_function("() => model.get('tool') === 'rectangle'")
    page.locator(".onr-editor").focus()
    with surface.synced():
        surface.keys("ArrowLeft", "Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter")
    left, top, right, bottom = masks.bounding_box(editor.mask)
    assert (right - left, bottom - top) in [(10, 10), (11, 11)]


def test_tools_have_names(open_editor):
    _, surface = open_editor()
    page = surface.page
    assert page.get_by_role("toolbar", name="Drawing tools").count() == 1
    for button in page.locator(".onr-editor button").all():
        assert button.get_attribute("aria-label")
        assert button.get_attribute("title")
    assert page.get_by_role("button", name="Brush", pressed=True).count() == 1
    for name, setting in {"Diameter of the brush": "brush_size", "Opacity": "opacity"}.items():
        before = page.evaluate("name => model.get(name)", setting)
        page.get_by_role("slider", name=name).press("ArrowRight")
        page.wait_for_function("([name, before]) => model.get(name) > before", arg=[setting, before])
    page.get_by_role("slider", name="Diameter").fill("1")
    page.wait_for_function("() => model.get('brush_size') === 64")


# --- with Python -----------------------------------------------------------------------------------


def test_the_browser_follows_python(open_editor):
    editor, surface = open_editor()
    spot = masks.box(editor.image, 10, 10, 50, 50)
    editor.mask = spot
    with surface.synced(0):
        surface.push()
    surface.wait_for(1)
    with surface.synced():
        surface.command("Invert")
    assert editor.mask.tobytes() == masks.invert(spot).tobytes()
    with surface.synced(2):
        surface.command("Undo")
        surface.wait_for(3)
        surface.command("Undo")  # also of what Python had set
    assert masks.coverage(editor.mask) == 0
    editor.image = Image.new("RGB", (40, 80))
    surface.push()
    surface.wait_for(5)
    with surface.synced():
        surface.command("Invert")
    assert editor.mask.size == (40, 80)
    assert masks.coverage(editor.mask) == 1


def test_a_refused_drawing_says_so_and_the_old_mask_comes_back(open_editor, monkeypatch):
    editor, surface = open_editor()
    with surface.synced():
        surface.click(30, 30)
    drawn = editor.mask.tobytes()
    message = surface.page.get_by_role("status")
    with monkeypatch.context() as patch:
        patch.setattr(png, "LIMIT", 1)
        for x in (60, 90):  # refused in the same words
            surface.click(x, 30)
            message.filter(has_text="did not take this drawing").wait_for(timeout=WAIT)
        surface.page.wait_for_timeout(PATIENCE + 500)
    assert "did not take this drawing" in message.inner_text()
    assert editor._sent[0] == 3  # nothing was sent again
    with surface.synced():
        surface.command("Invert")
    assert masks.invert(editor.mask).tobytes() == drawn
    message.filter(has_not_text="did not take").wait_for(state="attached", timeout=WAIT)


def test_where_bytes_get_lost_the_mask_comes_as_text(open_editor):
    editor, surface = open_editor()
    said = surface.page.evaluate_handle(
        """() => {
            window.bytesGetLost = true;
            const said = [], message = document.querySelector(".onr-message");
            new MutationObserver(() => said.push(message.textContent)).observe(message, { childList: true });
            return said;
        }"""
    )
    surface.click(30, 30)
    surface.wait_for(1)
    assert masks.coverage(editor.mask) > 0
    surface.page.wait_for_function("said => said.length && !said.at(-1)", arg=said)
    assert "Not in Python yet" in said.json_value()[0]


def test_a_mask_too_large_to_send_stays_and_says_so(open_editor):
    editor, surface = open_editor(Image.new("RGB", (3000, 3000)))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 2, (3000, 3000), dtype=np.uint8) * 255)
    editor.mask = noise
    surface.push()
    surface.wait_for(1)
    surface.command("Invert")
    surface.page.get_by_role("status").filter(has_text="Not sent to Python").wait_for(timeout=WAIT)
    assert editor.mask.tobytes() == noise.tobytes()
    with surface.synced():
        surface.command("Grow")
    assert len(editor._png) <= png.LIMIT


def test_two_views_show_one_drawing(open_editor):
    editor, surface = open_editor()
    surface.page.evaluate("() => render()")
    other = Surface(surface.page, index=1)
    with other.synced():
        other.click(60, 60)
    assert surface.rev == other.rev == 1
    with surface.synced():
        surface.page.get_by_role("button", name="Undo").first.click()
    assert masks.coverage(editor.mask) == 0
