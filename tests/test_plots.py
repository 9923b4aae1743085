"""Grids and plots: sizes, titles, one small PNG, the same each time."""

import io

import matplotlib.colors
import numpy as np
import pytest
from PIL import Image

from onereward_nb import plots

SCORES = {
    "base": {"fill": 0.9, "text": 0.8, "removal": 0.1},
    "after RL": {"fill": 0.9, "text": 0.8, "removal": 0.6},
}
COSTS = {"steps": [(4, 79.0), (8, 91.0), (56, 90.5)], "unguided": [(8, 89.0), (28, 90.0)]}
CONTESTS = {
    "new on fill": {"good": 20.0, "same": 70.0, "bad": 10.0},
    "on removal": {"good": 50.0, "same": 50.0, "bad": 0.0},
}
CLOUDS = {"red": np.random.default_rng(0).normal(size=(300, 2)) * (3, 1), "blue": np.eye(2)}


def picture(width=128, height=128, colour=(200, 30, 30)):
    return Image.new("RGB", (width, height), colour)


@pytest.mark.parametrize(
    "count, size, expected",
    [
        (1, 128, (256, 256)),
        (4, 128, (800, 194)),
        (2, 1024, (800, 396)),
        (5, 128, (800, 396)),
        (1, 600, (800, 800)),
    ],
)
def test_small_pictures_are_enlarged_and_large_ones_fit_the_page(count, size, expected):
    assert plots.grid([picture(size, size)] * count).image.size == expected


def test_pictures_stand_in_their_places():
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    sheet = plots.grid(
        [[picture(colour=c) for c in colours[:2]], [picture(colour=c) for c in colours[2:]]]
    ).image
    quarter_centres = [(128, 128), (392, 128), (128, 392), (392, 392)]
    assert [sheet.getpixel(at) for at in quarter_centres] == colours


def test_arrays_and_masks_are_pictures_too():
    white = np.ones((32, 32, 3), dtype=np.float32)
    sheet = plots.grid([white, Image.new("L", (32, 32), 255)]).image
    assert sheet.getpixel((32, 32)) == sheet.getpixel((100, 32)) == (255, 255, 255)


def test_titles_take_room_above_and_margins_beside():
    plain, titled = plots.grid([picture()] * 2), plots.grid([picture()] * 2, ["a", "b"])
    assert titled.image.height == plain.image.height + 22
    wrapped = plots.grid([picture()] * 2, ["a", " ".join(["long"] * 12)])
    assert wrapped.image.height > titled.image.height
    in_rows = plots.grid([[picture()], [picture()]], row_titles=["image", "result"])
    assert in_rows.image.width > plots.grid([[picture()], [picture()]]).image.width
    assert in_rows.alt == "Pictures in rows (image, result)"
    assert (np.asarray(in_rows.image)[:, :4] == 255).all()  # the longest title doesn't touch the edge


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: plots.grid([]), "list is empty"),
        (lambda: plots.grid([picture()] * 3, ["a", "b"]), "2 titles for 3 pictures in 3 columns"),
        (lambda: plots.grid([[picture()]], row_titles=["a", "b"]), "2 row titles for 1 rows"),
        (lambda: plots.radar({"a": {"x": 1, "y": 1}}), "three dimensions or more"),
        (
            lambda: plots.outcomes({"fill": {"good": 0.2, "same": 0.7, "bad": 0.1}}),
            "fill: .* 100 percent together",
        ),
        (lambda: plots.curves({str(i): ([0, 1], [0, 1]) for i in range(8)}, "x", "y"), "at most 7"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture(
    params=[
        lambda: plots.grid([picture()] * 4, ["a", "b", "c", "d"]),
        lambda: plots.curves(
            {"a": ([1, 2], [3, 4], [2, 3], [4, 5]), "b": ([1, 2], [1, 2])}, "steps", "loss", "Falls"
        ),
        lambda: plots.bars(SCORES, "success rate"),
        lambda: plots.bars({"a": {"x": (0.5, 0.4, 0.6)}}, "success rate"),
        lambda: plots.rows({"a": {"x": (0.5, 0.4, 0.6), "y": 0.2}, "b": {"y": 0.7}}, "success rate"),
        lambda: plots.outcomes(CONTESTS),
        lambda: plots.stacked(SCORES, "GB", {"16 GB": 1.2}, "What there is"),
        lambda: plots.radar(SCORES),
        lambda: plots.scatter(
            {"scale 1": CLOUDS, "scale 4": CLOUDS}, "x", "y", under={"true": CLOUDS["red"]}
        ),
        lambda: plots.front({"fill": COSTS, "text": COSTS}, "passes", "success, %"),
    ],
    ids=["grid", "curves", "bars", "interval", "rows", "outcomes", "stacked", "radar", "scatter", "front"],
)
def draw(request):
    return request.param


def test_a_notebook_stores_one_small_png_with_words_the_same_each_time(draw):
    once, again = draw(), draw()
    data, metadata = once._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert metadata["image/png"]["alt"] == again.alt
    assert data["text/plain"].startswith(again.alt)
    assert len(data["image/png"]) < 25_000
    assert data["image/png"] == again.png()
    stored = Image.open(io.BytesIO(data["image/png"]))
    assert stored.mode == "P"
    assert stored.convert("RGB").getpixel((stored.width // 2, 0)) == (255, 255, 255)  # paper is white


def test_256_colours_are_close_to_all_colours():
    ramp = np.linspace(0, 1, 256)
    sky = np.stack(
        [np.tile(ramp, (256, 1)), np.tile(ramp[:, None], (1, 256)), np.full((256, 256), 0.5)], axis=2
    )
    sheet = plots.grid(sky)
    stored = np.asarray(Image.open(io.BytesIO(sheet.png())).convert("RGB"), dtype=float)
    assert np.abs(stored - np.asarray(sheet.image)).mean() < 5


def test_panels_share_their_limits_and_the_shape_of_the_clouds():
    near, far = np.zeros((1, 2)), np.array([[0.0, 0.0], [4.0, 1.0]])
    sheet = np.asarray(plots.scatter({"a": {"p": near}, "b": {"p": far}}, "x", "y").image, int)
    blue = np.abs(sheet - (0x00, 0x72, 0xB2)).max(axis=2) < 30
    left, right = (np.argwhere(half) for half in np.array_split(blue[: sheet.shape[0] - 60], 2, axis=1))
    assert np.ptp(left, axis=0).max() < 6  # one point in the first panel
    assert abs(left[:, 0].mean() - right[:, 0].max()) < 6  # at the same height as its like in the second
    rise, run = np.ptp(right, axis=0)
    assert run / rise == pytest.approx(4, rel=0.15)


def test_rows_stand_from_top_to_bottom_and_their_intervals_end_where_they_should():
    shown = plots.rows({"a": {"first": (0.2, 0.0, 1.0), "second": 1.0, "third": 0.0}}, "rate")
    sheet = np.asarray(shown.image, int)
    blue = np.abs(sheet - (0x00, 0x72, 0xB2)).max(axis=2) < 30
    lines = np.flatnonzero(blue.any(axis=1))
    first, second, third = (
        np.flatnonzero(blue[band].any(axis=0))
        for band in np.split(lines, np.flatnonzero(np.diff(lines) > 1) + 1)
    )
    assert abs(np.mean(second) - first.max()) < 4 and abs(np.mean(third) - first.min()) < 4
    assert shown.alt == "Rows: rate for first, second, third. a."


@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_rows_stand_apart_however_many_series_there_are(count):
    sheet = np.asarray(plots.rows({str(i): {"a": 0.0, "b": 1.0} for i in range(count)}, "rate").image, int)
    coloured = np.ptp(sheet, axis=2) > 60
    coloured[-70:] = False  # the label of the axis and the legend
    first, second = (np.flatnonzero(half.any(axis=1)) for half in np.array_split(coloured, 2, axis=1))
    assert first.size and second.size and first.max() < second.min()


def test_outcomes_are_as_long_as_their_shares():
    sheet = np.asarray(plots.outcomes(CONTESTS).image, int)
    blue, orange = (
        (np.abs(sheet - colour).max(axis=2) < 30).sum(axis=1) for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0))
    )
    bars = np.flatnonzero(blue > 40)  # the rows of pixels that are no legend
    first, second = bars[0] + 1, bars[-1] - 1
    assert blue[second] / blue[first] == pytest.approx(50 / 20, rel=0.05)
    assert orange[first] / blue[first] == pytest.approx(10 / 20, rel=0.1) and orange[second] == 0
    assert plots.outcomes(CONTESTS).alt == "Outcomes: new on fill, on removal. good, same, bad."


def place_of(picture, colour):
    """Where a colour is in a picture: the mean (x, y) of its pixels, in pixels."""
    found = np.argwhere(np.abs(np.asarray(picture.image, int) - colour).max(axis=2) < 30)
    return found.mean(axis=0)[::-1], found


def test_a_radar_turns_clockwise_from_the_top_and_ends_at_its_largest_value():
    axes = dict.fromkeys(["top", "right", "bottom", "left"], 0.0)
    blue = (0, 0x72, 0xB2)
    drawn = {name: place_of(plots.radar({"a": axes | {name: 1.0}}), blue)[1] for name in axes}
    centre = place_of(plots.radar({"a": axes}), blue)[0]
    reach = {name: (found[:, ::-1] - centre) for name, found in drawn.items()}
    lengths = [-reach["top"][:, 1].min(), reach["right"][:, 0].max(), reach["bottom"][:, 1].max()]
    lengths.append(-reach["left"][:, 0].min())
    assert min(lengths) > 90 and max(lengths) - min(lengths) < 4
    for name, across in {"top": 0, "bottom": 0, "left": 1, "right": 1}.items():
        assert np.abs(reach[name][:, across]).max() < 12  # no wider than a marker and a line


def test_stacked_parts_lie_end_to_end_and_marks_where_they_should():
    shown = plots.stacked({"a": {"x": 4, "y": 2}, "b": {"x": 2, "y": 6}}, "GB", {"limit": 8})
    sheet = np.asarray(shown.image, int)
    blue, orange = (np.abs(sheet - colour).max(axis=2) < 30 for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0)))
    rows = np.flatnonzero(blue.sum(axis=1) > 60)
    first, second = rows[len(rows) // 4], rows[-len(rows) // 4]
    ends = {}
    for name, row in (("x", first), ("y", second)):
        ends[name] = [np.flatnonzero(each[row]) for each in (blue, orange)]
        assert abs(ends[name][0].max() + 1 - ends[name][1].min()) <= 2
    unit = np.ptp(ends["x"][0]) / 4
    assert np.ptp(ends["x"][1]) == pytest.approx(2 * unit, abs=3)
    assert np.ptp(ends["y"][0]) == pytest.approx(2 * unit, abs=3)
    assert np.ptp(ends["y"][1]) == pytest.approx(6 * unit, abs=3)
    dark = (sheet.max(axis=2) < 0x60)[: first - 14].sum(axis=0)
    assert dark[ends["y"][1].max() - 3 : ends["y"][1].max() + 4].max() > 5  # the dashes at 8
    assert shown.alt == "Stacked bars: GB for x, y. a, b."


@pytest.mark.parametrize(
    ("labels", "lines"),
    [
        (["base", "after RL", "target", "chance"], 1),
        ([f"Algorithm {number}: {what}" for number in (1, 2) for what in ("reward", "success")], 2),
        ([f"{which}, which takes more than half of a line" for which in ("one", "two", "three")], 3),
    ],
)
def test_a_legend_names_every_curve_in_as_few_lines_as_fit(labels, lines):
    sheet = np.asarray(plots.curves({label: ([0, 1], [0, 1]) for label in labels}, "x", "y").image, int)
    legend = sheet[-10 - 20 * lines :]
    assert (legend[:, :8] == 255).all() and (legend[:, -8:] == 255).all()
    for colour in matplotlib.colors.to_rgba_array(plots.COLOURS[: len(labels)])[:, :3] * 255:
        assert (np.abs(legend - colour).max(axis=2) < 30).sum() > 40  # the line and the marker
    inked = (legend.min(axis=2) < 200).any(axis=1)
    assert np.count_nonzero(np.diff(inked.astype(int)) == 1) + inked[0] == lines


def test_clouds_beyond_the_colours_are_refused():
    with pytest.raises(ValueError, match="cannot be told apart"):
        plots.scatter({"a": {str(i): np.eye(2) for i in range(8)}}, "x", "y")


def test_alternative_text_names_what_is_shown():
    assert plots.bars(SCORES, "success rate").alt == (
        "Bars: success rate for fill, text, removal. base, after RL."
    )
    assert plots.scatter({"scale 4": CLOUDS}, "x", "y", under={"true": np.eye(2)}).alt == (
        "Clouds of points: y over x: scale 4. true, red, blue."
    )
    assert plots.grid([picture()] * 2, ["before", "after"]).alt == "Pictures: before; after"
    assert plots.grid(picture(), alt="a red square").alt == "a red square"


def beaten(point, others):
    """By the definition: another is no dearer and no worse, and cheaper or better."""
    cost, value = point
    return any(
        other_cost <= cost and other >= value and (other_cost, other) != point for other_cost, other in others
    )


@pytest.mark.parametrize("seed", range(20))
def test_on_the_front_is_what_no_other_point_beats(seed):
    points = [tuple(map(int, point)) for point in np.random.default_rng(seed).integers(1, 9, (12, 2))]
    expected = sorted({point for point in points if not beaten(point, points)})
    assert plots.unbeaten(points) == expected


def test_the_front_is_drawn_as_steps_through_what_no_other_beats():
    drawn = np.asarray(plots.front({"": {"a": [(1, 1), (4, 9)], "b": [(8, 5)]}}, "cost", "value").image, int)
    grey = np.abs(drawn - 0x88).max(axis=2) < 20
    across, up = ((grey.sum(axis) > 100).sum() for axis in (1, 0))
    assert 1 <= across <= 4 and 1 <= up <= 4  # one level stretch and one rise, besides the two axes


def test_alternative_text_of_a_front_names_panels_and_series():
    assert plots.front({"fill": COSTS, "text": COSTS}, "passes", "success, %").alt == (
        "Pareto fronts: success, % over passes: fill, text. steps, unguided."
    )
