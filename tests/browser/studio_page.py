"""The studio in a notebook, with a tiny model that can be slowed down."""

import json
from pathlib import Path

from drawing import Surface

WAIT = 30_000  # milliseconds; longer than anything takes on a busy machine
PIPE = f"""import json, sys, time
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import torch
import onereward_nb as onr
from onereward_nb import masks
from onereward_nb.stand_in import components
from tiny import quiet
torch.set_num_threads(1)
pipe = quiet(onr.FluxFillCFGPipeline(**components()))
forward, pause = pipe.transformer.forward, 0
def paced(*args, **kwargs):
    time.sleep(pause)
    return forward(*args, **kwargs)
pipe.transformer.forward = paced
image = onr.postcards.example("fill", seed=3, size=64).image"""
SHOW = """studio = onr.studio(pipe, image, live=False, num_inference_steps=10)
studio"""
FACTS = """print(json.dumps({
    "prompts": [edit.settings["prompt"] for edit in studio.history],
    "prompt": studio.prompt, "message": studio.gallery.message,
    "share": masks.coverage(studio.editor.mask), "box": masks.bounding_box(studio.editor.mask),
    "size": studio.result and studio.result.size,
}))"""
CELLS = [PIPE, SHOW, FACTS, "pause = 0", "pause = 0.1"]


class Studio:
    """The studio's one view on the page."""

    def __init__(self, notebook):
        self.notebook, self.page = notebook, notebook.page
        self.show()

    def show(self):
        self.notebook.run(1)
        self.surface = Surface(self.page)
        self.page.wait_for_selector(".onr-gallery[data-shown]", timeout=WAIT)

    def stroke(self, *points):
        with self.surface.synced():
            self.surface.drag(*points)

    def press(self, name):
        self.page.get_by_role("button", name=name).click()

    def say(self, prompt):
        self.page.get_by_label("Prompt", exact=True).fill(prompt)
        self.page.keyboard.press("Tab")

    def wait(self, **facts):
        """Wait until the gallery shows these facts: shown=0 for the first result, running="false"."""
        self.page.wait_for_function(
            "facts => Object.entries(facts).every(([name, value]) => "
            "document.querySelector('.onr-gallery').dataset[name] === String(value))",
            arg=facts,
            timeout=WAIT,
        )

    def facts(self):
        return json.loads(self.notebook.run(2))

    def message(self):
        return self.page.locator(".onr-words").inner_text()

    def fast(self):
        self.notebook.run(3)

    def slow(self):
        """From now on a step takes a tenth of a second."""
        self.notebook.run(4)
