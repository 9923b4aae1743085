"""Drawing on an editor in a browser, in pixels of its picture."""

from contextlib import contextmanager

import numpy as np

WAIT = 15_000  # milliseconds; longer than anything takes on a busy machine


class Surface:
    """The canvas of one mask editor on a page."""

    def __init__(self, page, index=0):
        self.page = page
        self.canvas = page.get_by_test_id("mask-canvas").nth(index)
        self.page.wait_for_function("canvas => canvas.dataset.transform", arg=self.element(), timeout=WAIT)

    def element(self):
        return self.canvas.element_handle(timeout=WAIT)

    @property
    def rev(self):
        return int(self.canvas.get_attribute("data-synced-rev"))

    @property
    def scale(self):
        return float(self.canvas.get_attribute("data-transform").split()[2])

    @contextmanager
    def synced(self, masks=1):
        """Wait at the end until Python has taken so many masks more than at the beginning."""
        goal = self.rev + masks
        yield
        self.wait_for(goal)

    def wait_for(self, rev):
        self.page.wait_for_function(
            "([canvas, rev]) => canvas.dataset.syncedRev >= rev", arg=[self.element(), rev], timeout=WAIT
        )

    def at(self, x, y):
        """Where a point of the picture is on the page."""
        return self.places((x, y))[0]

    def places(self, *points):
        """Where points of the picture are on the page."""
        self.canvas.scroll_into_view_if_needed()
        left, top, scale = self.canvas.evaluate(
            """canvas => {
                const { x, y } = canvas.getBoundingClientRect();
                const [left, top, scale] = canvas.dataset.transform.split(" ").map(Number);
                return [x + left, y + top, scale];
            }"""
        )
        return [(left + x * scale, top + y * scale) for x, y in points]

    def drag(self, *points, button="left"):
        """Press at the first point, go through the others, let go at the last."""
        mouse = self.page.mouse
        first, *others = self.places(*points)
        mouse.move(*first)
        mouse.down(button=button)
        for place in others:
            mouse.move(*place)
        mouse.up(button=button)

    def click(self, x, y, **options):
        self.page.mouse.click(*self.at(x, y), **options)

    def command(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def keys(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)


def iou(first, second):
    """Intersection over union of two masks, 0 to 1."""
    first, second = np.asarray(first) > 0, np.asarray(second) > 0
    return (first & second).sum() / (first | second).sum()
