"""The mask editor without a browser: mask, picture, margins, files, and what a browser may send.

Nothing here needs a kernel or a model, so that it can be run with what Colab ships, too:
pip install ipywidgets==7.7.1 anywidget==0.9.21.
"""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

import onereward_nb as onr
from onereward_nb import masks
from onereward_nb.widgets import png


@pytest.fixture
def image():
    return onr.postcards.example("removal", seed=3, size=64).image


@pytest.fixture
def editor(image):
    return onr.MaskEditor(image)


@pytest.fixture
def spot(image):
    return masks.ellipse(image, 10, 20, 40, 50)


def same(first, second):
    return first.size == second.size and first.tobytes() == second.tobytes()


def from_browser(editor, data, margins=(0, 0, 0, 0), text=""):
    """What ipywidgets does when the browser has sent a mask."""
    editor.set_state({"_png": memoryview(data), "_png_text": text, "_sent": [editor._sent[0] + 1, *margins]})


# --- the mask ------------------------------------------------------------------------------------


def test_a_new_editor_has_an_empty_mask_of_the_pictures_size(editor, image):
    assert editor.mask.mode == "L"
    assert editor.mask.size == image.size == editor.image.size
    assert masks.coverage(editor.mask) == 0


def test_any_picture_and_any_mask_will_do(image, spot):
    array = np.asarray(spot) > 0
    assert same(onr.MaskEditor(np.asarray(image), array).mask, spot)
    editor = onr.MaskEditor(image, spot.convert("RGB"))
    assert same(editor.mask, spot)
    editor.mask = array.astype(float)
    assert same(editor.mask, spot)
    editor.mask = None
    assert masks.coverage(editor.mask) == 0


def test_setting_the_mask_tells_handlers_and_the_browser(editor, spot):
    heard = []
    editor.observe(lambda change: heard.append((change.name, change.owner.rev)), "mask")
    editor.mask = spot
    assert heard == [("mask", 1)]
    assert same(png.decode(editor._png, spot.size), spot)


def test_a_handler_may_set_the_mask_again(editor, spot):
    editor.observe(lambda change: setattr(change.owner, "mask", masks.box(spot, 0, 0, 8, 8)), "mask")
    from_browser(editor, png.encode(spot))
    assert masks.bounding_box(editor.mask) == (0, 0, 8, 8)
    assert same(png.decode(editor._png, spot.size), editor.mask)


def test_drawing_on_a_mask_that_was_read_changes_no_editor(editor, spot):
    editor.mask = spot
    editor.mask.paste(255, (0, 0, 64, 64))
    spot.paste(255, (0, 0, 64, 64))
    assert 0 < masks.coverage(editor.mask) < 1


def test_a_mask_of_another_size_is_refused_with_advice(editor):
    with pytest.raises(ValueError, match=r"32x32 pixels, the editor's picture 64x64.*resize"):
        editor.mask = Image.new("L", (32, 32))
    with pytest.raises(ValueError, match="32x32"):
        onr.MaskEditor(editor.image, Image.new("L", (32, 32)))


def test_settings_are_checked(image):
    editor = onr.MaskEditor(image, tool="lasso", colour="#00ff88", opacity=0.3, brush_size=4, tolerance=9)
    assert (editor.tool, editor.brush_size) == ("lasso", 4)
    with pytest.raises(ValueError, match="'green', expected '#rrggbb'"):
        editor.colour = "green"
    with pytest.raises(TypeError, match="no setting 'brush'"):
        onr.MaskEditor(image, brush=3)
    with pytest.raises(ValueError, match="up to 8192"):
        onr.MaskEditor(Image.new("RGB", (8193, 16)))
    with pytest.raises(ValueError, match="8193x64 pixels"):
        editor.margins = (8129, 0, 0, 0)
    assert editor.margins == (0, 0, 0, 0)


# --- picture and margins -------------------------------------------------------------------------


def test_a_new_picture_keeps_a_mask_of_its_size_and_clears_another(editor, image, spot):
    editor.mask = spot
    editor.image = image.rotate(90)
    assert same(editor.mask, spot)
    assert same(editor.image, image.rotate(90))
    editor.image = image.resize((80, 64))
    assert editor.mask.size == (80, 64)
    assert masks.coverage(editor.mask) == 0


def test_margins_extend_picture_and_mask_as_masks_does(editor, image, spot):
    canvas, margin = masks.extend_canvas(image, left=8, bottom=4)
    editor.margins = (8, 0, 0, 4)
    assert same(editor.image, canvas)
    assert same(editor.mask, margin)
    editor.margins = (0, 0, 0, 0)
    assert same(editor.image, image)
    assert masks.coverage(editor.mask) == 0


def test_what_is_painted_stays_with_the_picture_when_margins_change(editor, spot):
    editor.mask = spot
    editor.margins = (16, 8, 0, 0)
    editor.margins = (4, 2, 6, 0)
    assert same(editor.mask.crop((4, 2, 68, 66)), spot)
    assert masks.coverage(editor.mask.crop((68, 0, 74, 66))) == 1


def test_a_result_of_the_extended_size_becomes_the_new_picture(editor):
    editor.margins = (8, 0, 8, 0)
    mask = editor.mask
    editor.image = editor.image
    assert editor.margins == (0, 0, 0, 0)
    assert editor.image.size == (80, 64)
    assert same(editor.mask, mask)


# --- from the browser ----------------------------------------------------------------------------


def test_a_mask_from_the_browser_is_taken_and_acknowledged(editor, spot):
    heard = []
    editor.observe(heard.append, "mask")
    from_browser(editor, png.encode(spot))
    assert same(editor.mask, spot)
    assert (editor.rev, editor.message, len(heard)) == (1, "", 1)
    from_browser(editor, png.encode(spot))  # nothing new, but it is waited for
    assert (editor.rev, len(heard)) == (2, 1)


def test_margins_come_with_their_mask(editor):
    heard = []
    editor.observe(
        lambda change: heard.append((change.name, editor.image.size, editor.mask.size)), ["mask", "margins"]
    )
    from_browser(editor, png.encode(Image.new("L", (80, 64), 255)), (16, 0, 0, 0))
    assert heard == [("margins", (80, 64), (80, 64)), ("mask", (80, 64), (80, 64))]


def test_where_bytes_get_lost_text_will_do(editor, spot):
    from_browser(editor, b"", text=base64.b64encode(png.encode(spot)).decode())
    assert same(editor.mask, spot)
    assert same(png.decode(editor._png, spot.size), spot)  # a page that is loaded anew finds it here


def coloured_png():
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "text", "words"),
    [
        (b"", "", "0 bytes that are no PNG"),
        (b"\xff\xd8\xff jpeg", "", "no PNG"),
        (png.encode(Image.new("L", (65, 64))), "", "65x64 pixels, expected 64x64"),
        (png.encode(Image.effect_noise((64, 64), 99))[:300], "", "damaged"),
        (png.encode(Image.new("L", (64, 64)))[:20], "", "0x0"),
        (png.encode(Image.new("L", (64, 64))) + bytes(png.LIMIT), "", "1.0 MB as PNG"),
        (coloured_png(), "", "mode 'RGBA'"),
        (b"", "no base64!", "no base64"),
    ],
)
def test_what_is_no_mask_is_refused_in_words_and_the_old_mask_stays(editor, spot, data, text, words):
    editor.mask = spot
    from_browser(editor, data, text=text)
    assert words in editor.message
    assert "still there" in editor.message
    assert same(editor.mask, spot)
    assert editor.rev == 1
    assert same(png.decode(editor._png, spot.size), spot)  # the browser shows it again
    from_browser(editor, png.encode(masks.invert(spot)))
    assert editor.message == ""


def test_the_answer_comes_before_handlers_and_without_the_bytes(editor, spot, monkeypatch):
    heard = []
    monkeypatch.setattr(type(editor), "send_state", lambda self, key=None: heard.extend(self.get_state(key)))
    editor.observe(lambda change: heard.append("handler"), "mask")
    from_browser(editor, png.encode(spot))
    assert [name for name in heard if name != "rev"] == ["handler"]
    assert heard[-1] == "handler"


# --- files ---------------------------------------------------------------------------------------


def test_autosave_outlives_the_editor(image, spot, tmp_path):
    path = tmp_path / "kept" / "mask.png"
    onr.MaskEditor(image, autosave=path).mask = spot
    assert same(Image.open(path).convert("L"), spot)
    assert same(onr.MaskEditor(image, masks.invert(spot), autosave=path).mask, spot)


def test_autosave_keeps_margins(image, tmp_path):
    path = tmp_path / "mask.png"
    from_browser(
        onr.MaskEditor(image, autosave=path), png.encode(Image.new("L", (80, 64), 255)), (0, 0, 16, 0)
    )
    again = onr.MaskEditor(image, autosave=path)
    assert again.margins == (0, 0, 16, 0)
    assert again.image.size == (80, 64)
    assert masks.coverage(again.mask) == 1


def test_nothing_is_written_before_anything_is_drawn(image, spot, tmp_path):
    onr.MaskEditor(image, spot, autosave=tmp_path / "mask.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", ["size", "damage"])
def test_a_file_that_does_not_fit_is_left_as_it_is(image, spot, tmp_path, wrong):
    path = tmp_path / "mask.png"
    data = png.encode(spot.resize((32, 32))) if wrong == "size" else png.encode(spot)[:60]
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"cannot be taken up.*left as it is.*Move or delete"):
        onr.MaskEditor(image, autosave=path)
    assert path.read_bytes() == data


def test_a_full_disk_loses_neither_mask_nor_file(image, spot, tmp_path, monkeypatch):
    path = tmp_path / "mask.png"
    editor = onr.MaskEditor(image, autosave=path)
    editor.mask = spot

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.warns(UserWarning, match=r"could not be saved in 'mask.png'.*No space left"):
        editor.mask = masks.invert(spot)
    assert "No space left" in editor.message
    assert same(editor.mask, masks.invert(spot))
    assert same(Image.open(path).convert("L"), spot)
    assert [file.name for file in tmp_path.iterdir()] == ["mask.png"]


def test_autosave_rests_while_outputs_are_stored(image, spot, tmp_path, monkeypatch):
    path = tmp_path / "mask.png"
    path.write_bytes(png.encode(spot))
    monkeypatch.setenv("ONEREWARD_NB_FROZEN", "1")
    editor = onr.MaskEditor(image, autosave=path)
    assert masks.coverage(editor.mask) == 0
    editor.mask = masks.invert(spot)
    assert same(Image.open(path).convert("L"), spot)


def test_save_and_load(editor, image, spot, tmp_path):
    editor.mask = spot
    editor.margins = (4, 0, 0, 0)
    editor.save(tmp_path / "a.png")
    other = onr.MaskEditor(image)
    other.load(tmp_path / "a.png")
    assert same(other.mask, editor.mask)
    assert other.margins == (4, 0, 0, 0)
    Image.new("L", (64, 64), 255).save(tmp_path / "b.png")
    other.load(tmp_path / "b.png")
    assert other.margins == (0, 0, 0, 0)
    with pytest.raises(FileNotFoundError, match="no picture"):
        other.load(tmp_path / "c.png")
    assert masks.coverage(other.mask) == 1


# --- without a browser ---------------------------------------------------------------------------


def test_it_shows_a_small_described_picture_beside_the_widget(editor, spot):
    editor.mask = spot
    data, metadata = editor._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == editor.model_id
    assert len(data["image/png"]) < 20_000
    assert metadata["image/png"]["alt"] == "A picture of 64 x 64 pixels, 17.0% of it masked"
    shown = Image.open(io.BytesIO(data["image/png"])).convert("RGB")
    assert shown.size == (128, 128)
    assert shown.getpixel((50, 70)) != editor.image.getpixel((25, 35))
    assert data["text/plain"] == repr(editor) == "MaskEditor of 64 x 64 pixels, 17.0% masked"


def test_a_large_picture_has_a_small_still_and_a_bounded_preview():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (2500, 3000, 3), dtype=np.uint8))
    editor = onr.MaskEditor(noise)
    assert len(editor._preview) <= png.LIMIT
    preview = Image.open(io.BytesIO(editor._preview))
    assert max(preview.size) <= 2048
    assert max(editor.still().image.size) <= 800


def test_small_pictures_reach_the_browser_unchanged(editor, image):
    assert same(Image.open(io.BytesIO(editor._preview)).convert("RGB"), image)


def test_exported_pages_show_the_still(editor, spot):
    nbconvert, nbformat = pytest.importorskip("nbconvert"), pytest.importorskip("nbformat")
    editor.mask = spot
    data, metadata = editor._repr_mimebundle_()
    data["image/png"] = base64.b64encode(data["image/png"]).decode()
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("editor", outputs=[output])])
    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    assert f"data:image/png;base64,{data['image/png'][:99]}" in page


def test_it_goes_into_a_box(editor):
    import ipywidgets

    box = ipywidgets.VBox([editor])
    assert box.get_state()["children"]
    json.dumps({name: value for name, value in editor.get_state().items() if not isinstance(value, bytes)})
