"""Seconds from pointer-up to the result on the page, in the live studio.

    python tests/benchmarks/studio.py [--model postcard-fill] [--size 128] [--repeats 5] [--out studio.json]

JupyterLab in Chromium without a graphics card, with a real kernel, all on this machine. "edit alone" is what
the pipeline takes of it.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from drawing import Surface
from servers import Notebook, server

from conftest import chromium

LOAD = """import json
import onereward_nb as onr
pipe = onr.load_pipeline("{model}")
example = onr.postcards.example("fill", seed=1, size={size})
onr.run_task(pipe, "fill", example.image, example.mask, example.prompt, num_inference_steps=4)"""
SHOW = """studio = onr.studio(pipe, example.image, prompt=example.prompt, live=True)
studio"""
READ = "print(json.dumps([[edit.seconds, edit.settings['num_inference_steps']] for edit in studio.history]))"
CLOCK = """() => {
  const clock = window.clock = { up: 0, shown: 0 };
  const gallery = document.querySelector(".onr-gallery");
  addEventListener("pointerup", () => { clock.up = performance.now(); }, true);
  new MutationObserver(() => { clock.shown = performance.now(); }).observe(gallery, { attributeFilter: ["data-shown"] });
}"""
WAIT = 120_000  # milliseconds


def main():
    arguments = parse()
    with chromium() as browser, tempfile.TemporaryDirectory() as folder, server(Path(folder)) as address:
        page = browser.new_page(viewport={"width": 1200, "height": 1100})
        cells = [LOAD.format(model=arguments.model, size=arguments.size), SHOW, READ]
        notebook = Notebook(page, address, Path(folder), "studio.ipynb", cells)
        notebook.run(0)
        notebook.run(1)
        waits = measure(Surface(page), arguments.size, arguments.repeats)
        seconds, steps = zip(*json.loads(notebook.run(2)), strict=True)
    result = {
        "command": " ".join(["python", "tests/benchmarks/studio.py", *sys.argv[1:]]),
        "model": arguments.model,
        "size": arguments.size,
        "steps": steps[0],
        "threads": torch.get_num_threads(),
        "pointer-up to result (s)": round(statistics.median(waits), 2),
        "edit alone (s)": round(statistics.median(seconds), 2),
        "each pointer-up to result (s)": [round(wait, 2) for wait in waits],
    }
    print(json.dumps(result, indent=2))
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="postcard-fill", help="a name of onereward_nb.MODELS")
    parser.add_argument("--size", type=int, default=128, help="side of the picture in pixels")
    parser.add_argument("--repeats", type=int, default=5, help="strokes")
    parser.add_argument("--out", help="a JSON file for the result")
    return parser.parse_args()


def measure(surface, size, repeats):
    page = surface.page
    page.evaluate(CLOCK)
    waits = []
    for i in range(repeats):
        y = size * (i + 1) / (repeats + 2)
        surface.drag((size * 0.3, y), (size * 0.7, y))
        page.wait_for_selector(f".onr-gallery[data-shown='{i}']", timeout=WAIT)
        clock = page.evaluate("() => clock")
        waits.append((clock["shown"] - clock["up"]) / 1000)
    return waits


if __name__ == "__main__":
    main()
