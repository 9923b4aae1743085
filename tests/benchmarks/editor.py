"""Milliseconds from pointer-up to the mask in Python, for strokes on large pictures.

    python tests/benchmarks/editor.py [--sizes 1024 4096] [--repeats 5] [--out editor.json]

The editor runs in Chromium without a graphics card; what it sends goes straight to the real Python class,
without a kernel between them. "frame" is the slowest frame while drawing.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from PIL import Image

import onereward_nb as onr

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from drawing import Surface

from conftest import Shown, chromium

CLOCK = """() => {
  const clock = window.clock = { up: 0, taken: 0, frames: [] };
  addEventListener("pointerup", () => { clock.up = performance.now(); }, true);
  model.on("change:rev", () => { clock.taken = performance.now(); });
  let last = performance.now();
  const tick = (now) => { clock.frames.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


def main():
    arguments = parse()
    result = {"command": " ".join(["python", "tests/benchmarks/editor.py", *sys.argv[1:]])}
    with chromium() as browser:
        for size in arguments.sizes:
            result[f"{size} pixels"] = measure(browser, size, arguments.repeats)
    print(json.dumps(result, indent=2))
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 4096], help="sides of the pictures")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", help="a JSON file for the result")
    return parser.parse_args()


def measure(browser, size, repeats):
    editor = onr.MaskEditor(Image.effect_noise((size, size), 40))
    page = browser.new_page(viewport={"width": 800, "height": 900})
    Shown(editor, page)
    surface = Surface(page)
    page.evaluate(CLOCK)
    waits, frames = [], []
    for i in range(repeats + 1):
        y = size * (i + 1) / (repeats + 2)
        page.evaluate("() => { clock.frames.length = 0; }")
        with surface.synced():
            surface.drag(*[(size * x / 20, y + size * (x % 3) / 40) for x in range(1, 20)])
        clock = page.evaluate("() => clock")
        waits.append(clock["taken"] - clock["up"])
        frames.append(max(clock["frames"][1:]))
    page.close()
    return {  # without the first, which warms up
        "pointer-up to Python (ms)": round(statistics.median(waits[1:])),
        "slowest frame (ms)": round(statistics.median(frames[1:])),
        "PNG (bytes)": len(editor._png),
    }


if __name__ == "__main__":
    main()
